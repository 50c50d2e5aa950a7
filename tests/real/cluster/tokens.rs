//! Tokens: who gets one for asking, and what pods may project.

use std::{process::Command, thread::sleep, time::Duration};

use serde_json::{Value, json};

use super::{KINDS, Said, Team, manifest};
use crate::real::controlplane::plane;

const WEBHOOK: &str = "validate-tokens.usher.dev";

impl Team {
    /// A namespace whose user may write, and ask for tokens of its accounts.
    fn with_tokens(namespace: &str) -> Self {
        let team = Self::new(namespace);
        let who = format!("--user={}", team.user);
        let role = [
            "create",
            "role",
            "issuer",
            "--verb=create",
            "--resource=serviceaccounts/token",
        ];
        let binding = ["create", "rolebinding", "issuer", "--role=issuer", &who];
        for args in [&role[..], &binding] {
            plane().run(&[&["-n", namespace], args].concat()).unwrap();
        }
        team
    }

    /// Asks for a token of an account.
    fn token(&self, account: &str, args: &[&str]) -> Said {
        self.run(&[&["create", "token", account], args].concat())
    }
}

/// What a token says of itself.
pub(in crate::real) fn claims(said: &Said) -> Value {
    assert!(said.success, "{said:?}");
    let payload = said.stdout.trim().split('.').nth(1).unwrap();
    let mut base64 = payload.replace('-', "+").replace('_', "/");
    while !base64.len().is_multiple_of(4) {
        base64.push('=');
    }
    let bytes: k8s_openapi::ByteString = serde_json::from_value(json!(base64)).unwrap();
    serde_json::from_slice(&bytes.0).unwrap()
}

pub(super) fn seconds(claims: &Value) -> i64 {
    claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
}

/// A pod spec in flow style that projects one source.
fn projects(source: &str) -> String {
    format!("volumes: [{{name: t, projected: {{sources: [{source}]}}}}]")
}

#[test]
fn a_token_of_an_account_takes_the_right_to_use_it() {
    let [free, team] = ["unguarded-issues", "issues"].map(Team::with_tokens);
    let borrowed = claims(&free.token("deployer", &[]));
    let deployer = "system:serviceaccount:unguarded-issues:deployer";
    assert_eq!(borrowed["sub"], deployer);
    let user = &team.user;
    team.token("deployer", &[]).refused_by(
        WEBHOOK,
        &format!(
            "{user} may not use serviceaccount \"deployer\" in namespace issues (metadata.name)\n\
             needs: verb use on serviceaccounts \"deployer\" in issues"
        ),
    );
    // Everybody may use this one, in a pod and in person.
    team.token("default", &[]).passes();
    team.grant("serviceaccounts/deployer");
    let claims = claims(&team.token(
        "deployer",
        &["--audience", "anything", "--duration", "100000s"],
    ));
    assert_eq!(claims["sub"], "system:serviceaccount:issues:deployer");
    assert_eq!(
        (&claims["aud"], seconds(&claims)),
        (&json!(["anything"]), 100_000)
    );
    // The account itself.
    let deployer = "system:serviceaccount:issues:deployer";
    plane()
        .run(&[
            "-n",
            "issues",
            "create",
            "rolebinding",
            "itself",
            "--role=issuer",
            "--serviceaccount=issues:deployer",
        ])
        .unwrap();
    let as_itself = |account: &str| {
        let mut kubectl = plane().kubectl_as(deployer);
        kubectl.args(["-n", "issues", "create", "token", account]);
        Said::from(kubectl.output().unwrap())
    };
    as_itself("deployer").passes();
    plane()
        .run(&["-n", "issues", "create", "serviceaccount", "other"])
        .unwrap();
    as_itself("other").refused_by(WEBHOOK, "may not use serviceaccount \"other\"");
}

#[test]
fn requests_keep_to_audience_and_lifetime() {
    let team = Team::with_tokens("tokens-ask");
    team.grant("serviceaccounts/deployer");
    let with = |args: &[&str]| team.token("deployer", args);
    let refused = |args: &[&str], words: &str| with(args).refused_by(WEBHOOK, words);
    // The API server writes its own audience before it asks Usher.
    assert_eq!(
        claims(&with(&[]))["aud"],
        json!(["https://kubernetes.default.svc"])
    );
    let vault = claims(&with(&["--audience", "vault", "--duration", "2h"]));
    assert_eq!((&vault["aud"], seconds(&vault)), (&json!(["vault"]), 7200));
    refused(
        &["--audience", "vault", "--duration", "7201s"],
        "a token of 7201 s for audience \"vault\" is asked for; tokens[1] of the configuration allows 900 to 7200 s (spec.expirationSeconds)",
    );
    refused(
        &["--duration", "899s"],
        "a token of 899 s for audience \"https://kubernetes.default.svc\"",
    );
    refused(
        &["--audience", "vault", "--audience", "foreign"],
        "tokens-ask-jane may not use token audience \"foreign\" in namespace tokens-ask (spec.audiences[1])\n\
         needs: verb use on tokenaudiences.usher.dev \"foreign\" in tokens-ask",
    );
    team.grant("tokenaudiences.usher.dev/foreign");
    let both = claims(&with(&["--audience", "vault", "--audience", "foreign"]));
    assert_eq!(both["aud"], json!(["vault", "foreign"]));

    // A year by way of 3607 seconds: refused where it is one, bound to a pod.
    team.pod("web", "serviceAccountName: deployer").passes();
    let extended = [
        "--duration",
        "3607s",
        "--bound-object-kind",
        "Pod",
        "--bound-object-name",
        "web",
    ];
    refused(
        &extended,
        "which the API server may extend to a year; tokens[1] of the configuration does not allow that",
    );
    assert_eq!(seconds(&claims(&with(&extended[..2]))), 3607);
}

#[test]
fn a_token_can_be_asked_to_die_with_something() {
    let team = Team::with_tokens("tokens-bound");
    team.grant("serviceaccounts/deployer");
    team.token("deployer", &[]).refused_by(
        WEBHOOK,
        "a token that is bound to no object is asked for; tokens[0] of the configuration refuses those (spec.boundObjectRef)",
    );
    team.pod("web", "serviceAccountName: deployer").passes();
    let bound = ["--bound-object-kind", "Pod", "--bound-object-name", "web"];
    let claims = claims(&team.token("deployer", &bound));
    assert_eq!(claims["kubernetes.io"]["pod"]["name"], "web");
}

#[test]
fn pods_and_templates_keep_to_audience_and_lifetime() {
    let team = Team::new("tokens-project");
    let free = Team::new("unguarded-project");
    let source = "{serviceAccountToken: {audience: foreign, expirationSeconds: 3600, path: t}}";
    let at = "volumes[0].projected.sources[0]";
    let missing = |path: &str| {
        format!(
            "denied the request: tokens-project-jane may not use token audience \"foreign\" in namespace tokens-project ({path})\n\
             needs: verb use on tokenaudiences.usher.dev \"foreign\" in tokens-project"
        )
    };
    let audience = format!("{at}.serviceAccountToken.audience");
    team.pod("web", &projects(source))
        .refused(&missing(&format!("spec.{audience}")));
    let deployment = manifest(KINDS[4].1, "api", &projects(source));
    team.create(&deployment, &[])
        .refused(&missing(&format!("spec.template.spec.{audience}")));
    let cron = manifest(KINDS[8].1, "nightly", &projects(source));
    team.create(&cron, &[]).refused(&missing(&format!(
        "spec.jobTemplate.spec.template.spec.{audience}"
    )));
    team.grant("tokenaudiences.usher.dev/foreign");
    team.pod("web", &projects(source)).passes();
    team.create(&deployment, &[]).passes();
    team.create(&cron, &[]).passes();
    // Its pod comes from a controller that was granted nothing, and has the volume that Kubernetes mounts.
    let volumes = "jsonpath={.items[*].spec.volumes[*].name}";
    let pods = || {
        team.run(&["get", "pods", "-l", "app=api", "-o", volumes])
            .stdout
    };
    let came = (0..200).any(|_| {
        sleep(Duration::from_millis(100));
        pods().contains("kube-api-access-")
    });
    assert!(came, "{}", pods());

    for (name, source, words) in [
        (
            "short",
            "{serviceAccountToken: {audience: vault, expirationSeconds: 600, path: t}}",
            "a token of 600 s for audience \"vault\" is asked for; tokens[1] of the configuration allows 900 to 7200 s (spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds)",
        ),
        (
            "long",
            "{serviceAccountToken: {expirationSeconds: 7201, path: t}}",
            "a token of 7201 s for the API server is asked for; tokens[1]",
        ),
        (
            "year",
            "{serviceAccountToken: {expirationSeconds: 3607, path: token}}",
            "a token of 3607 s for the API server is asked for, which the API server may extend to a year",
        ),
    ] {
        free.pod(name, &projects(source)).passes();
        team.pod(name, &projects(source)).refused(words);
        // The name of Kubernetes' own volume makes it no better.
        let disguised = projects(source).replace("{name: t,", "{name: kube-api-access-abcde,");
        free.pod(&format!("{name}-disguised"), &disguised).passes();
        team.pod(name, &disguised).refused(words);
    }
    team.pod(
        "good",
        &projects("{serviceAccountToken: {audience: vault, expirationSeconds: 900, path: t}}"),
    )
    .passes();
}

#[test]
fn a_token_hides_behind_another_at_the_same_path() {
    let token = |audience: &str| {
        format!(
            "{{serviceAccountToken: {{audience: {audience}, expirationSeconds: 3600, path: t}}}}"
        )
    };
    let both = projects(&format!("{}, {}", token("vault"), token("foreign")));
    Team::new("unguarded-hidden").pod("web", &both).passes();
    let team = Team::new("tokens-hidden");
    team.pod("web", &both).refused(
        "tokens-hidden-jane may not use token audience \"foreign\" in namespace tokens-hidden \
         (spec.volumes[0].projected.sources[1].serviceAccountToken.audience)",
    );
    team.grant("tokenaudiences.usher.dev/foreign");
    team.pod("web", &both).passes();
}

#[test]
fn kubelets_get_their_tokens_and_nobody_else_by_half_their_name() {
    let team = Team::with_tokens("tokens-node");
    let node = "system:node:tokens-1";
    let source = "{serviceAccountToken: {audience: foreign, expirationSeconds: 4000, path: t}}";
    let pod = manifest(
        KINDS[0].1,
        "web",
        &format!(
            "nodeName: tokens-1, serviceAccountName: deployer, {}",
            projects(source)
        ),
    );
    plane()
        .apply("apiVersion: v1\nkind: Node\nmetadata: {name: tokens-1}")
        .unwrap();
    plane()
        .apply(&pod.replace("{name: web}", "{namespace: tokens-node, name: web}"))
        .unwrap();
    let uid = plane()
        .run(&[
            "-n",
            "tokens-node",
            "get",
            "pod",
            "web",
            "-o",
            "jsonpath={.metadata.uid}",
        ])
        .unwrap();
    let asks = |kubectl: &mut Command| {
        kubectl.args([
            "-n",
            "tokens-node",
            "create",
            "token",
            "deployer",
            "--audience",
            "foreign",
            "--duration",
            "8000s",
            "--bound-object-kind",
            "Pod",
            "--bound-object-name",
            "web",
            "--bound-object-uid",
            &uid,
        ]);
        Said::from(kubectl.output().unwrap())
    };
    // A certificate of its own, as a real kubelet has.
    let kubeconfig = plane().kubeconfig_for(node, &["system:nodes"]).unwrap();
    let mut said = asks(plane().kubectl().env("KUBECONFIG", &kubeconfig));
    // The node authorizer learns of the pod a moment after it is there.
    for _ in 0..100 {
        if said.success {
            break;
        }
        assert!(!said.stderr.contains("denied the request"), "{said:?}");
        sleep(Duration::from_millis(100));
        said = asks(plane().kubectl().env("KUBECONFIG", &kubeconfig));
    }
    assert_eq!(seconds(&claims(&said)), 8000);
    asks(
        plane()
            .kubectl_as(node)
            .args(["--as-group", "system:nodes"]),
    )
    .passes();

    let who = [
        "-n",
        "tokens-node",
        "create",
        "rolebinding",
        "half",
        "--role=issuer",
        "--user",
        node,
    ];
    plane().run(&who).unwrap();
    let words = "may not use serviceaccount \"deployer\" in namespace tokens-node (metadata.name)";
    // By a certificate: to whoever may impersonate nodes, the API server gives their group, too.
    let kubeconfig = plane().kubeconfig_for(node, &[]).unwrap();
    asks(plane().kubectl().env("KUBECONFIG", &kubeconfig)).refused_by(WEBHOOK, words);
    let jane = &team.user;
    asks(
        plane()
            .kubectl_as(jane)
            .args(["--as-group", "system:nodes"]),
    )
    .refused_by(WEBHOOK, words);
}

#[test]
fn a_request_for_too_long_is_shortened_with_a_warning() {
    let team = Team::with_tokens("shortens");
    let said = team.token("default", &["--duration=10000s"]);
    assert_eq!(seconds(&claims(&said)), 7200);
    assert!(said.stderr.starts_with("Warning: "), "{said:?}");
    let said = team.token("default", &["--duration=7200s"]);
    assert_eq!(seconds(&claims(&said)), 7200);
    assert_eq!(said.stderr, "");
    // In a pod, by the other entry of the registration.
    let spec = projects("{serviceAccountToken: {audience: a, path: t, expirationSeconds: 86400}}");
    let said = team.pod("web", &spec);
    assert!(
        said.success && said.stderr.starts_with("Warning: "),
        "{said:?}"
    );
    let path =
        "jsonpath={.spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds}";
    assert_eq!(team.run(&["get", "pod", "web", "-o", path]).stdout, "7200");
}
