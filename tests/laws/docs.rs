//! What the documentation shows is what happens.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use usher_core::reference::Check;

use crate::{real::controlplane::feed, support::sources::sources};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// Every page of the documentation.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.extend(
        [
            "README.md",
            "CONTRIBUTING.md",
            "SECURITY.md",
            "certs/README.md",
        ]
        .map(|page| root().join(page)),
    );
    pages
}

fn usher(args: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    let said = feed(command.args(args), input).unwrap();
    String::from_utf8(said.stdout).unwrap()
}

/// The lines of the README behind a command, up to the next command or the end of the block.
fn shown(command: &str) -> String {
    let readme = readme();
    let (_, behind) = readme
        .split_once(&format!("$ {command}\n"))
        .unwrap_or_else(|| panic!("{command}"));
    let lines = behind
        .lines()
        .take_while(|line| !line.starts_with("$ ") && !line.starts_with("```"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn the_refusal_in_the_readme_is_the_real_one() {
    let review = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE",
        "kind":{"group":"apps","version":"v1","kind":"Deployment"},"namespace":"team-a","userInfo":{"username":"jane"},
        "object":{"spec":{"template":{"spec":{"serviceAccountName":"deployer"}}}}}}"#;
    let rbac = root().join("examples/demo/rbac.yaml");
    let answer = usher(&["review", "-", "--rbac", rbac.to_str().unwrap()], review);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    let shown = shown("kubectl -n team-a apply -f web.yaml");
    let start = "Error from server (Forbidden): admission webhook \"validate.usher.dev\" denied the request: ";
    assert_eq!(shown.trim_end(), format!("{start}{message}"));
}

#[test]
fn the_grant_in_the_readme_works_as_it_is_shown() {
    let command =
        "usher grant serviceaccounts/deployer -n team-a --to group:team-a | kubectl apply -f -";
    let words: Vec<&str> = command
        .split(" | ")
        .next()
        .unwrap()
        .split(' ')
        .skip(1)
        .collect();
    let grant = usher(&words, "");
    for line in shown(command).lines() {
        let (what, _) = line.split_once(' ').unwrap();
        let (kind, name) = what.split_once('/').unwrap();
        let kind = kind.split('.').next().unwrap();
        assert!(
            grant.to_lowercase().contains(&format!("kind: {kind}\n")),
            "{kind}"
        );
        assert!(grant.contains(&format!("name: {name}\n")), "{name}");
    }
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    fs::write(file.path(), &grant).unwrap();
    let command = "usher can-i use serviceaccounts/deployer -n team-a --as jane --as-group team-a";
    let mut words: Vec<&str> = command.split(' ').skip(1).collect();
    words.extend(["--rbac", file.path().to_str().unwrap()]);
    assert_eq!(usher(&words, ""), shown(command));
}

#[test]
fn configurations_in_the_documentation_are_legal() {
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            usher_core::config::parse(block)
                .unwrap_or_else(|error| panic!("{}: {error}\n{block}", page.display()));
            seen += 1;
        }
    }
    assert!(seen > 0);
}

/// The rows of the tables of a page that have this many cells, without their heads.
fn rows(page: &str, count: usize) -> Vec<Vec<String>> {
    let page = fs::read_to_string(root().join("docs").join(page)).unwrap();
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let cells = rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
    });
    cells
        .map(Vec::from_iter)
        .filter(|cells| cells.len() == count)
        .filter(|cells| !["#", "claim", "trick", "---"].contains(&&*cells[0]))
        .collect()
}

/// The tests that a cell names.
fn tests_of(cell: &str) -> Vec<String> {
    let tests = cell.split(", ").filter(|test| !test.is_empty());
    tests
        .map(|test| test.trim_matches('`').to_owned())
        .collect()
}

/// A row of the table of ways: its number, what is done about it, the tests that show it.
fn ways() -> Vec<(String, String, Vec<String>)> {
    let rows = rows("ways-round.md", 5).into_iter();
    rows.map(|cells| (cells[0].clone(), cells[2].clone(), tests_of(&cells[4])))
        .collect()
}

#[test]
fn every_way_round_is_counted_and_shown_by_a_test_that_is_there() {
    let ways = ways();
    let mut tests = BTreeSet::new();
    for (_, code) in sources(&["tests"]) {
        let named = code.split("#[test]\n").skip(1).filter_map(|test| {
            let (_, name) = test.split_once("fn ")?;
            Some(name.split_once('(')?.0.to_owned())
        });
        tests.extend(named);
        // The tiers that tell stories list them: `("exec", connections::exec_reads_a_token),`.
        let (_, listed) = code.split_once("const STORIES: ").unwrap_or_default();
        let (listed, _) = listed.split_once("];\n").unwrap_or_default();
        let told = listed.split("::").skip(1);
        let told = told.filter_map(|name| name.split([',', ')']).next());
        tests.extend(told.map(|name| name.trim().to_owned()));
    }
    let (tricks, claims) = (rows("ways-round.md", 3), rows("threat-model.md", 3));
    assert!(!tricks.is_empty() && !claims.is_empty());
    for trick in tricks.iter().chain(&claims) {
        let named = tests_of(&trick[2]);
        assert!(!named.is_empty(), "nothing shows that {}", trick[0]);
        for test in named {
            assert!(
                tests.contains(&test),
                "{}: there is no test {test}",
                trick[0]
            );
        }
    }
    let mut counts = BTreeMap::new();
    for (number, done, shown) in &ways {
        *counts.entry(&**done).or_insert(0) += 1;
        for test in shown {
            assert!(tests.contains(test), "{number}: there is no test {test}");
        }
        assert!(
            *done != "closed" && *done != "reported" || !shown.is_empty(),
            "{number} is {done}, which nothing shows"
        );
    }
    let count = |done: &str| counts.get(done).copied().unwrap_or_default();
    let told = format!(
        "{} closed, {} reported, {} by Kubernetes, {} out of reach, {} open.",
        count("closed"),
        count("reported"),
        count("Kubernetes"),
        count("out of reach"),
        count("open")
    );
    let page = fs::read_to_string(root().join("docs/ways-round.md")).unwrap();
    assert!(page.contains(&told), "docs/ways-round.md must say: {told}");
    // Every way of the list that can be tried at all: 25, the node itself, is said in words; and those to a tainted node.
    let numbered = (1..=27).filter(|number| *number != 25);
    let tainted = (1..=7).map(|number| format!("T{number}"));
    for number in numbered.map(|number| number.to_string()).chain(tainted) {
        assert!(
            ways.iter().any(|(held, ..)| *held == number),
            "{number} is missing"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split(')').next().unwrap();
            let target = link.split('#').next().unwrap();
            if !target.contains("://") && !target.is_empty() {
                let there = page.parent().unwrap().join(target);
                assert!(there.exists(), "{}: {link}", page.display());
            }
        }
    }
}

#[test]
fn daily_commands_are_those_of_the_continuous_integration() {
    let contributing = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let run = fs::read_to_string(root().join(".ci/run")).unwrap();
    let oldest = concat!("+", env!("CARGO_PKG_RUST_VERSION"));
    let steps: Vec<String> = run
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("step "))
        .map(|step| {
            step.replace(" --locked", "")
                .replace("\"+$oldest\"", oldest)
        })
        .collect();
    assert!(steps.len() >= 5);
    for step in steps {
        // The list shows the command as one types it.
        let typed = step.replace(" --check", "");
        assert!(
            contributing.contains(&format!("`{typed}")),
            "{typed} is not in CONTRIBUTING.md"
        );
    }
}

/// The blocks of a page that begin with this line.
fn blocks(page: &str, start: &str) -> Vec<String> {
    let start = format!("```{start}\n");
    let blocks = page.split(&*start).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn grants_in_the_documentation_are_just_what_is_needed() {
    for page in ["flux", "keda"] {
        let text = fs::read_to_string(root().join(format!("docs/{page}.md"))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, kind: &str| {
            let file = folder.path().join(name);
            fs::write(&file, blocks(&text, kind).join("---\n")).unwrap();
            file.to_str().unwrap().to_owned()
        };
        let config = folder.path().join("usher.yaml");
        fs::write(&config, &blocks(&text, "yaml")[0]).unwrap();
        let (rbac, none) = (write("rbac.yaml", "yaml rbac"), write("none.yaml", "none"));
        let objects = write("objects.yaml", "yaml object");
        let check = |rbac: &str| {
            let who = ["--as", "jane", "--as-group", "team-a", "--format", "json"];
            let mut words = vec!["check", &*objects, "--rbac", rbac];
            words.extend(["--config", config.to_str().unwrap()]);
            words.extend(who);
            let said: serde_json::Value = serde_json::from_str(&usher(&words, "")).unwrap();
            said["objects"]
                .as_array()
                .unwrap()
                .iter()
                .map(|object| object["allowed"].as_bool().unwrap())
                .collect::<Vec<_>>()
        };
        let allowed = check(&rbac);
        assert!(!allowed.is_empty(), "{page}");
        assert!(allowed.iter().all(|allowed| *allowed), "{page}");
        assert!(check(&none).iter().all(|allowed| !allowed), "{page}");
    }
}

#[test]
fn entries_in_the_documentation_can_be_used_and_ask_what_they_say() {
    let text = fs::read_to_string(root().join("docs/own-kinds.md")).unwrap();
    let (kinds, objects) = (blocks(&text, "yaml kinds"), blocks(&text, "yaml object"));
    let said = blocks(&text, "said");
    assert!(kinds.len() > 5 && kinds.len() == objects.len() && kinds.len() == said.len());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: String, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let config = write("usher.yaml".to_owned(), &blocks(&text, "yaml config")[0]);
    let none = write("none.yaml".to_owned(), "");
    for (index, kinds) in kinds.iter().enumerate() {
        let file = write(format!("kinds.d/{index}.yaml"), kinds);
        let lint = usher(&["catalogue", "lint", &file], "");
        assert_eq!(lint, "1 file, 0 remarks\n", "{kinds}");
    }
    for (object, said) in objects.iter().zip(&said) {
        let file = write("object.yaml".to_owned(), object);
        let mut words = vec!["check", &*file, "--config", &config, "--rbac", &none];
        words.extend(["--as", "jane", "--format", "json"]);
        let answer: serde_json::Value = serde_json::from_str(&usher(&words, "")).unwrap();
        let findings = answer["objects"][0]["findings"].as_array().unwrap();
        let refused = findings.iter().filter(|finding| finding["grant"].is_null());
        let lines: Vec<&str> = refused
            .map(|finding| finding["message"].as_str().unwrap())
            .collect();
        let expected: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{lines:#?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{line}\n{expected}");
        }
    }
}

#[test]
fn the_role_for_tokens_gives_the_operator_of_keda_its_account() {
    let text = fs::read_to_string(root().join("docs/keda.md")).unwrap();
    let role = blocks(&text, "yaml role").join("---\n");
    let words = [
        "generate",
        "keda-token-role",
        "-n",
        "team-a",
        "queue-reader",
    ];
    assert_eq!(usher(&words, ""), role);
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    fs::write(file.path(), role).unwrap();
    let rbac = file.path().to_str().unwrap();
    let can = |account: &str| {
        let who = "system:serviceaccount:keda:keda-operator";
        let mut words = vec!["can-i", "use", account, "-n", "team-a", "--as", who];
        words.extend(["--rbac", rbac]);
        usher(&words, "")
    };
    assert!(can("serviceaccounts/queue-reader").starts_with("yes"));
    assert!(can("serviceaccounts/other").starts_with("no"));
}

#[test]
fn the_versions_that_are_tried_are_those_that_are_pinned() {
    let pinned = fs::read_to_string(root().join("tests/controllers/go.mod")).unwrap();
    for (page, module, words) in [
        ("flux", "fluxcd/source-controller", "source-controller"),
        (
            "flux",
            "fluxcd/kustomize-controller",
            "kustomize-controller",
        ),
        ("keda", "kedacore/keda/v2", "the operator of KEDA"),
    ] {
        let line = format!("\tgithub.com/{module} v");
        let (_, version) = pinned.split_once(&line).unwrap();
        let version = version.split_whitespace().next().unwrap();
        let text = fs::read_to_string(root().join(format!("docs/{page}.md"))).unwrap();
        assert!(
            text.contains(&format!("{words} {version}")),
            "{page}: {words} {version}"
        );
    }
}

#[test]
fn control_plane_and_node_are_of_one_version() {
    // Two modules, for neither is to wait for what the other brings; and what they share is built once.
    let [plane, node] = ["real/controlplane", "node"].map(|folder| {
        let path = root().join("tests").join(folder).join("go.mod");
        let pinned = fs::read_to_string(path).unwrap();
        let mut lines = pinned.lines().map(str::trim_start);
        let line = lines.find(|line| line.starts_with("require k8s.io/kubernetes "));
        line.unwrap().to_owned()
    });
    assert_eq!(plane, node);
}

#[test]
fn every_check_stands_in_the_rules_with_its_default() {
    let rules = fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let rows: Vec<Vec<&str>> = rules
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    for check in Check::ALL {
        let name = format!("`{check}`");
        let mut of = rows.iter().filter(|row| row[0].contains(&name)).peekable();
        assert!(of.peek().is_some(), "docs/rules.md has no row for {check}");
        let mode = serde_json::to_value(check.default_mode()).unwrap();
        for row in of {
            assert_eq!(row.last().unwrap(), &mode.as_str().unwrap(), "{check}");
        }
    }
}

/// That each link leads somewhere, `cargo doc` says.
#[test]
fn the_pages_of_the_code_lead_through_the_journeys() {
    for (file, next) in [
        // A review.
        ("src/lib.rs", "`server`"),
        ("src/server/mod.rs", "`review::read`"),
        ("core/src/review/mod.rs", "crate::engine::judge()"),
        ("src/server/mod.rs", "`facts::decide`"),
        ("src/facts/mod.rs", "`judge`"),
        ("core/src/engine/mod.rs", "crate::object"),
        ("core/src/engine/mod.rs", "crate::sight"),
        ("core/src/engine/mod.rs", "crate::rights"),
        ("core/src/engine/mod.rs", "crate::review"),
        // A manifest.
        ("src/lib.rs", "`files`"),
        ("src/files.rs", "`manifest::contents`"),
        ("core/src/manifest/mod.rs", "crate::engine"),
        ("src/facts/mod.rs", "crate::report"),
        // A RoleBinding.
        ("src/lib.rs", "`cluster`"),
        ("src/cluster/mod.rs", "usher_core::rights::Rbac"),
        ("core/src/rights/mod.rs", "crate::engine::World"),
    ] {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let page: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        assert!(page.join("\n").contains(next), "{file}: {next}");
    }
}
