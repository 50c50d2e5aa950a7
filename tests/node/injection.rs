//! What a profile puts into a pod, as the program in it finds it.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    image::{BUSYBOX, NOBODY},
    stage::Stage,
    tenants::{TOKEN, Tenant, pod},
};

/// What the token says of itself.
fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// How long the token lives, in seconds.
fn lifetime(token: &str) -> i64 {
    let claims = claims(token);
    claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
}

/// What a command prints in the container of a pod.
#[track_caller]
fn inside(tenant: &Tenant<'_>, pod: &str, command: &[&str]) -> String {
    let said = tenant.run(&[&["exec", pod, "--"], command].concat());
    said.passes();
    said.stdout.trim().to_owned()
}

pub(crate) fn the_token_of_a_profile_is_there_for_a_user_that_is_not_root(stage: &Stage) {
    let tenant = Tenant::new(stage, "profile");
    let known = "securityContext: {runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true}";
    let said = "securityContext: {runAsNonRoot: true}";
    let of_image = |name: &str, spec: &str| pod(name, spec, "").replace(BUSYBOX, NOBODY);
    tenant.create(&pod("known", known, "")).passes();
    tenant.create(&of_image("said", said)).passes();
    tenant.create(&of_image("unsaid", "")).passes();
    tenant.create(&pod("root", "", "")).passes();
    let file = "/var/run/secrets/vault/token";
    // User, group and mode of the file, as docs/injection.md has them.
    for (pod, user, groups, owned) in [
        ("known", "1000", "1000 65534", "1000:65534 640"),
        ("said", "1000", "0 65534", "0:65534 640"),
        // Nobody knows that this is not root; everybody can read it.
        ("unsaid", "1000", "0", "0:0 644"),
        ("root", "0", "0", "0:0 644"),
    ] {
        tenant.runs(&format!("pod/{pod}"));
        let variable = inside(&tenant, pod, &["sh", "-c", "echo $VAULT_TOKEN_FILE"]);
        assert_eq!(variable, file);
        assert_eq!(inside(&tenant, pod, &["id", "-u"]), user);
        assert_eq!(inside(&tenant, pod, &["id", "-G"]), groups);
        let is_owned = inside(&tenant, pod, &["stat", "-Lc", "%u:%g %a", file]);
        assert_eq!(is_owned, owned, "{pod}");
        let token = inside(&tenant, pod, &["cat", file]);
        tenant.is_token_for(&token, "default", "vault");
        // The kubelet asked for just this lifetime. It is the shortest that there is.
        assert_eq!(lifetime(&token), 600);
        assert_eq!(claims(&token)["kubernetes.io"]["pod"]["name"], pod);
    }
}

pub(crate) fn the_token_for_the_api_server_lives_an_hour(stage: &Stage) {
    let without = Tenant::new(stage, "open-rotating");
    let with = Tenant::new(stage, "rotating");
    let spec = "automountServiceAccountToken: false";
    for tenant in [&without, &with] {
        tenant.create(&pod("mounts", "", "")).passes();
        tenant.create(&pod("declines", spec, "")).passes();
        tenant.runs("pod/mounts");
        tenant.runs("pod/declines");
    }
    let token = |tenant: &Tenant<'_>| inside(tenant, "mounts", &["cat", TOKEN]);
    // So long the API server lets the token live that pods get by themselves.
    assert!(lifetime(&token(&without)) > 360 * 24 * 3600);
    assert_eq!(lifetime(&token(&with)), 3600);
    with.is_token_of(&token(&with), "default");
    let exec = ["exec", "declines", "--", "cat", TOKEN];
    assert!(!without.run(&exec).success);
    let token = inside(&with, "declines", &["cat", TOKEN]);
    assert_eq!(lifetime(&token), 3600);
    with.is_token_of(&token, "default");
}
