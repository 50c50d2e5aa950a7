//! The command line as people meet it: transcripts, and what a transcript cannot show.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

#[test]
fn transcripts() {
    trycmd::TestCases::new()
        .case("tests/stories/cli/*.md")
        .env("COLUMNS", "100")
        .env("HOME", "/nonexistent");
}

/// Runs usher on some input.
fn usher(args: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // It may stop reading early: that is its right.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const NOBODY: &str = "# nobody holds anything\n";

#[test]
fn every_grant_that_is_printed_answers_yes() {
    let dir = tempfile::tempdir().unwrap();
    for (target, narrower) in [
        ("serviceaccounts/deployer", None),
        ("nodes/n1.example.org", None),
        ("priorityclasses/urgent", None),
        ("runtimeclasses/gvisor", None),
        ("tokenaudiences/vault", None),
        ("tokenaudiences/https://sts.example.org: a \"b\" # c", None),
        ("signers/example.org/mesh", None),
        ("tolerations/k=v:NoSchedule", None),
        ("tolerations/k=:NoSchedule", None),
        ("tolerations/k=v", Some("tolerations/k=v:NoExecute")),
        (
            "tolerations/k:NoSchedule",
            Some("tolerations/k=v:NoSchedule"),
        ),
        (
            "tolerations/example.org/k",
            Some("tolerations/example.org/k=v:PreferNoSchedule"),
        ),
        ("tolerations/*:NoExecute", Some("tolerations/k=v:NoExecute")),
        ("tolerations/*", Some("tolerations/*:NoSchedule")),
    ] {
        for (holder, who, elsewhere) in [
            (
                "user:jane@example.org",
                &["--as", "jane@example.org"][..],
                false,
            ),
            ("group:system:authenticated", &["--as", "x"], false),
            (
                "serviceaccount:tools/ci",
                &["--as", "system:serviceaccount:tools:ci"],
                true,
            ),
        ] {
            let (scope, answers) = if elsewhere {
                (&["--cluster"][..], 0)
            } else {
                (&["-n", "team-a"][..], 1)
            };
            let granted = usher(&[&["grant", target, "--to", holder], scope].concat(), b"");
            assert!(
                granted.status.success(),
                "{target} {}",
                text(&granted.stderr)
            );
            let rbac = write(dir.path(), "rbac.yaml", &text(&granted.stdout));
            let ask = |target: &str, namespace: &str| {
                let question = ["can-i", "use", target, "-n", namespace, "--rbac", &rbac];
                let answer = usher(&[&question, who].concat(), b"");
                (answer.status.code(), text(&answer.stdout))
            };
            assert_eq!(ask(target, "team-a").0, Some(0), "{target} {holder}");
            assert_eq!(ask(target, "team-b").0, Some(answers), "{target} {holder}");
            if let Some(narrower) = narrower {
                assert_eq!(ask(narrower, "team-a").0, Some(0), "{target} {narrower}");
                let (code, said) = ask("tolerations/other=v:PreferNoSchedule", "team-a");
                let wide = target == "tolerations/*";
                assert_eq!(code, Some(i32::from(!wide)), "{target}: {said}");
            }
        }
    }
}

#[test]
fn grants_of_different_things_have_different_names() {
    let name = |targets: &[&str]| {
        let granted = usher(
            &[&["grant", "-n", "a", "--to", "user:u"], targets].concat(),
            b"",
        );
        let yaml = text(&granted.stdout);
        let name = yaml.lines().find_map(|line| line.strip_prefix("  name: "));
        name.unwrap().to_owned()
    };
    let all: Vec<String> = [
        &["sa/a"][..],
        &["no/a"],
        &["sa/node-a"],
        &["sa/a", "sa/b-c"],
        &["sa/a-b", "sa/c"],
        &["sa/a-b-c"],
        &["tolerations/a"],
        &["tolerations/A"],
        &["tolerations/a="],
        &["tolerations/a:NoSchedule"],
        &["tolerations/a/a"],
        &["tolerations/*"],
        &["tolerations/*:NoSchedule"],
        &["tokenaudiences/a"],
        &["tokenaudiences/A"],
        &["sa/token-audience-a"],
        &["signers/a.b/c"],
    ]
    .into_iter()
    .map(name)
    .collect();
    for (index, one) in all.iter().enumerate() {
        assert!(!all[index + 1..].contains(one), "{one} in {all:?}");
        assert!(one.len() <= 63, "{one}");
    }
}

#[test]
fn manifests_may_come_from_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let check = |input: &[u8]| usher(&["check", "-", "--rbac", &rbac, "--as", "jane"], input);
    let pod = b"apiVersion: v1\nkind: Pod\nspec: {serviceAccountName: x}\n";
    let refused = check(pod);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).starts_with("stdin:3:28: refused: jane may not use"));
    assert_eq!(check(b"").status.code(), Some(2));
    let pods = [&b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"spec\":{}}"[..]; 3].concat();
    let allowed = check(&pods);
    assert_eq!(
        text(&allowed.stdout),
        "1 file, 3 objects, 3 references: 3 allowed, 0 refused\n"
    );
    assert!(allowed.status.success());
}

#[test]
fn hostile_input_ends_in_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let before = vec![format!("*a{}", level - 1); 9].join(", ");
        writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
    }
    for (input, error) in [
        (bomb.into_bytes(), "aliases blow this document up"),
        (
            [&b"a: "[..], &b"[".repeat(10_000)].concat(),
            "nested deeper than 255",
        ),
        (b"{\"a\":".repeat(10_000), "nested deeper than 255"),
        (vec![b'a'; 100 << 20], "larger than 64 MiB"),
        (b"a: \xff\xfe".to_vec(), "not UTF-8"),
        (b"a: b\0".to_vec(), "control character 0x00"),
    ] {
        let output = usher(&["check", "-", "--rbac", &rbac, "--as", "jane"], &input);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(error), "{said}");
        assert!(said.lines().count() == 1, "{said}");
    }
}

#[test]
fn a_long_line_is_shown_around_what_matters() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let pad = "x".repeat(1_000_000);
    let pod = format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"annotations":{{"a":"{pad}"}}}},"spec":{{"serviceAccountName":"deployer"}},"status":{{"message":"{pad}"}}}}"#
    );
    let output = usher(
        &["check", "-", "--rbac", &rbac, "--as", "jane"],
        pod.as_bytes(),
    );
    let said = text(&output.stdout);
    assert!(
        said.contains("\"serviceAccountName\":\"deployer\""),
        "{said}"
    );
    let longest = said.lines().skip(1).map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{said}");
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let pods = "---\napiVersion: v1\nkind: Pod\nspec: {serviceAccountName: x}\n".repeat(5000);
    let manifest = write(dir.path(), "pods.yaml", &pods);
    for format in ["text", "json"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
            .args([
                "check", &manifest, "--rbac", &rbac, "--as", "jane", "--format", format,
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        assert_eq!(text(&output.stderr), "");
    }
}

/// The same verdict in text, in JSON, and in the answer of the webhook.
#[test]
fn reports_agree() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: team-a}\nspec:\n  serviceAccountName: x\n  tolerations:\n  - operator: Exists\n";
    let manifest = write(dir.path(), "pod.yaml", pod);
    let check = [
        "check", &manifest, "--rbac", &rbac, "--as", "jane", "--format", "json",
    ];
    let output = usher(&check, b"");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = &json["objects"][0]["findings"];
    assert_eq!(json["objects"][0]["allowed"], false);
    assert_eq!(findings[1]["missing"]["name"], "*");
    assert_eq!(findings[1]["missing"]["group"], "usher.dev");
    assert_eq!(
        (&findings[1]["line"], &findings[1]["column"]),
        (&7.into(), &5.into())
    );
    assert_eq!(json["summary"]["refused"], 2);
    let review = serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "operation": "CREATE",
            "namespace": "team-a", "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
            "object": {"apiVersion": "v1", "kind": "Pod", "spec": {"serviceAccountName": "x", "tolerations": [{"operator": "Exists"}]}},
        },
    });
    let answer = usher(&["review", "--rbac", &rbac], review.to_string().as_bytes());
    let answer: serde_json::Value = serde_json::from_slice(&answer.stdout).unwrap();
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    for finding in findings.as_array().unwrap() {
        assert!(
            message.contains(finding["message"].as_str().unwrap()),
            "{message}"
        );
    }
}

#[test]
fn reviews_are_answered_in_their_order() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stories/cli/review.in/");
    let at = |file: &str| format!("{folder}{file}");
    let answer = |file: &str| usher(&["review", &at(file), "--rbac", &at("rbac.yaml")], b"");
    let allowed = |uid: u8| {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{{"uid":"{uid}","allowed":true}}}}"#
        )
    };
    let many = answer("many.jsonl");
    let lines: Vec<String> = text(&many.stdout).lines().map(str::to_owned).collect();
    assert_eq!(many.status.code(), Some(1));
    assert_eq!((&lines[0], &lines[2]), (&allowed(1), &allowed(3)));
    assert!(
        lines[1].contains(r#""uid":"2","allowed":false"#),
        "{}",
        lines[1]
    );
    assert!(
        lines[1].contains(r#"jane may not use node \"n1\""#),
        "{}",
        lines[1]
    );
    let list = answer("list.json");
    assert_eq!(text(&list.stdout).lines().collect::<Vec<_>>(), lines[..2]);
    let bad = answer("bad.jsonl");
    assert_eq!(bad.status.code(), Some(2));
    let refused = text(&bad.stdout);
    assert!(
        refused.contains(r#""uid":"4","allowed":false"#),
        "{refused}"
    );
    assert!(refused.contains(r#""code":400"#), "{refused}");
    assert!(refused.ends_with(&(allowed(1) + "\n")), "{refused}");
    let said = text(&bad.stderr);
    assert!(
        said.contains("bad.jsonl:2:3: review 2: the body is \"Pod\""),
        "{said}"
    );
    assert!(
        said.contains("bad.jsonl:5:1: review 4: not JSON: EOF"),
        "{said}"
    );
}

#[test]
fn what_a_manifest_says_cannot_command_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: \"a\\e[2J\"}\nspec: {serviceAccountName: \"b\\e[31m\\u202e\"}\n";
    for input in [pod.to_owned(), pod.replace("Pod", "\"\\e]0;x\"")] {
        for format in ["text", "json"] {
            let check = [
                "check", "-", "--rbac", &rbac, "--as", "jane", "--format", format,
            ];
            let output = usher(&check, input.as_bytes());
            let said = text(&output.stdout) + &text(&output.stderr);
            let harmful =
                |c: char| (c.is_control() && c != '\n') || (c == '\u{202e}' && format == "text");
            assert!(!said.contains(harmful), "{said:?}");
        }
    }
}

#[test]
fn many_entries_and_huge_deep_objects_end_in_a_correct_verdict() {
    let dir = tempfile::tempdir().unwrap();
    let rbac = write(dir.path(), "rbac.yaml", NOBODY);
    let mut entries = "about: many kinds\nkinds:\n".to_owned();
    for number in 0..10_000 {
        writeln!(
            entries,
            "- {{group: g{}.example, versions: [v1], kind: K{number}, resource: k{number}s, fields: [{{path: spec.account, serviceAccount: {{}}}}]}}",
            number % 100
        )
        .unwrap();
    }
    let entries = write(dir.path(), "many.yaml", &entries);
    let lint = usher(&["catalogue", "lint", &entries], b"");
    assert_eq!(text(&lint.stdout), "1 file, 0 remarks\n");

    let config = write(
        dir.path(),
        "usher.yaml",
        "catalogue: {files: [many.yaml]}\n",
    );
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let pad = "x".repeat(3 << 20);
    for (spec, verdict) in [
        (
            format!(r#""free":{deep},"pad":"{pad}""#),
            r#""allowed":true"#,
        ),
        (
            format!(r#""free":{deep},"pad":"{pad}","account":"deployer""#),
            r#"jane may not use serviceaccount \"deployer\" in namespace ns (spec.account)"#,
        ),
        (
            format!(r#""account":{deep}"#),
            "serviceaccounts must be named by a text (spec.account)",
        ),
    ] {
        let review = format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"1","kind":{{"group":"g99.example","version":"v1","kind":"K9999"}},"resource":{{"group":"g99.example","version":"v1","resource":"k9999s"}},"namespace":"ns","operation":"CREATE","userInfo":{{"username":"jane"}},"object":{{"apiVersion":"g99.example/v1","kind":"K9999","metadata":{{"name":"n","namespace":"ns"}},"spec":{{{spec}}}}}}}}}"#
        );
        let words = ["review", "-", "--rbac", &rbac, "--config", &config];
        let output = usher(&words, review.as_bytes());
        let said = text(&output.stdout);
        assert!(said.contains(verdict), "{said}{}", text(&output.stderr));
    }
}
