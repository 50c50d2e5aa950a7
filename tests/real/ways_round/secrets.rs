//! Ways 9 and 10: a Secret that Kubernetes fills with a token that never ends.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use super::Tenants;
use crate::real::{
    cluster::{Team, claims},
    controlplane::{Said, plane},
};

const WEBHOOK: &str = "validate-secrets.usher.dev";

/// A Secret for the token of an account.
fn secret(account: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, \
         metadata: {{name: t, annotations: {{kubernetes.io/service-account.name: {account}}}}}}}"
    )
}

/// Whose token stands in the Secret, once Kubernetes has filled it with that of this account.
fn filled(team: &Team, account: &str) {
    let start = Instant::now();
    let wanted = format!("system:serviceaccount:{}:{account}", team.namespace);
    loop {
        let token = team.run(&[
            "get",
            "secret",
            "t",
            "-o",
            "go-template={{.data.token | base64decode}}",
        ]);
        // Without one, the template has nothing to decode.
        if token.success && token.stdout.contains('.') && claims(&token)["sub"] == wanted {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "no token of {wanted}: {token:?}"
        );
        sleep(Duration::from_millis(100));
    }
}

/// Points the Secret at another account, so that Kubernetes makes a new token.
fn repoint(team: &Team, account: &str) -> Said {
    let patch = format!(
        "{{\"metadata\": {{\"annotations\": {{\"kubernetes.io/service-account.name\": \"{account}\", \
         \"kubernetes.io/service-account.uid\": null}}}}, \"data\": {{\"token\": null}}}}"
    );
    team.run(&["patch", "secret", "t", "--type=merge", "-p", &patch])
}

#[test]
fn a_secret_is_filled_with_the_token_of_another_account() {
    let tenants = Tenants::new("secrets");
    for team in tenants.both() {
        let namespace = ["-n", team.namespace.as_str()];
        plane()
            .run(&[&namespace[..], &["create", "serviceaccount", "ci"]].concat())
            .unwrap();
    }
    let (free, guarded) = (&tenants.free, &tenants.guarded);
    free.create(&secret("deployer"), &[]).passes();
    filled(free, "deployer");
    repoint(free, "ci").passes();
    filled(free, "ci");

    guarded.create(&secret("deployer"), &[]).refused_by(
        WEBHOOK,
        "ways-secrets-jane may not use serviceaccount \"deployer\" in namespace ways-secrets \
         (metadata.annotations[\"kubernetes.io/service-account.name\"])\n\
         needs: verb use on serviceaccounts \"deployer\" in ways-secrets",
    );
    guarded.grant("serviceaccounts/deployer");
    guarded.create(&secret("deployer"), &[]).passes();
    // Kubernetes itself fills it, and Usher lets it.
    filled(guarded, "deployer");
    repoint(guarded, "ci").refused_by(WEBHOOK, "may not use serviceaccount \"ci\"");
    // Daily work.
    guarded
        .run(&["label", "secret", "t", "color=blue"])
        .passes();
    guarded
        .run(&["annotate", "secret", "t", "color=blue"])
        .passes();
    guarded
        .run(&[
            "create",
            "secret",
            "generic",
            "password",
            "--from-literal=a=b",
        ])
        .passes();
    guarded.run(&["delete", "secret", "t"]).passes();
}
