//! What a profile puts into a pod, as the program in it finds it.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::{
    image::{BUSYBOX, NOBODY},
    stage::Stage,
    tenants::{TOKEN, Tenant, pod},
    tier::until,
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

const FILE: &str = "/var/run/secrets/vault/token";

pub(crate) fn the_token_of_a_profile_is_there_for_a_user_that_is_not_root(stage: &Stage) {
    let tenant = Tenant::new(stage, "profile");
    let known = "securityContext: {runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true}, volumes: [{name: data, emptyDir: {}}]";
    let said = "securityContext: {runAsNonRoot: true}";
    let of_image = |name: &str, spec: &str| pod(name, spec, "").replace(BUSYBOX, NOBODY);
    let data = "volumeMounts: [{name: data, mountPath: /data}]";
    tenant.create(&pod("known", known, data)).passes();
    tenant.create(&of_image("said", said)).passes();
    tenant.create(&of_image("unsaid", "")).passes();
    tenant.create(&pod("root", "", "")).passes();
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
        assert_eq!(variable, FILE);
        assert_eq!(inside(&tenant, pod, &["id", "-u"]), user);
        assert_eq!(inside(&tenant, pod, &["id", "-G"]), groups);
        let is_owned = inside(&tenant, pod, &["stat", "-Lc", "%u:%g %a", FILE]);
        assert_eq!(is_owned, owned, "{pod}");
        let token = inside(&tenant, pod, &["cat", FILE]);
        tenant.is_token_for(&token, "default", "vault");
        // The kubelet asked for just this lifetime. It is the shortest that there is.
        assert_eq!(lifetime(&token), 600);
        assert_eq!(claims(&token)["kubernetes.io"]["pod"]["name"], pod);
    }
    // The group has all volumes of the pod that can have an owner.
    let owned = inside(&tenant, "known", &["stat", "-c", "%g", "/data"]);
    assert_eq!(owned, "65534");
}

pub(crate) fn volumes_lie_beside_the_token_and_around_it(stage: &Stage) {
    let tenant = Tenant::new(stage, "mounts");
    let data = "volumes: [{name: data, emptyDir: {}}]";
    let at = |place: &str| format!("volumeMounts: [{{name: data, mountPath: {place}}}]");
    let places = [
        // The kubelet makes the folder.
        ("inside", at("/var/run/secrets/vault/more")),
        // The container runtime does.
        ("around", at("/var/run/secrets")),
    ];
    for (name, mounts) in &places {
        tenant.create(&pod(name, data, mounts)).passes();
    }
    // Nobody can.
    let closed = at("/var/run/secrets").replace("secrets}", "secrets, readOnly: true}");
    let spec = format!("{data}, automountServiceAccountToken: false");
    let said = tenant.create(&pod("closed", &spec, &closed));
    let warning = "mounts volume \"data\" read-only at /var/run/secrets, around /var/run/secrets/vault: without a folder there it \
                   does not start";
    assert!(said.success && said.stderr.contains(warning), "{said:?}");
    for (name, _) in &places {
        tenant.runs(&format!("pod/{name}"));
        let token = inside(&tenant, name, &["cat", FILE]);
        tenant.is_token_for(&token, "default", "vault");
    }
    let why = "jsonpath={.status.containerStatuses[0].state.waiting.message}\
               {.status.containerStatuses[0].lastState.terminated.message}";
    until("the container that cannot start", || {
        let said = tenant.run(&["get", "pod", "closed", "-o", why]).stdout;
        let is_so = said.contains("read-only file system");
        is_so.then_some(()).ok_or(said)
    });
}

pub(crate) fn without_a_group_the_token_is_for_the_only_user_or_for_everybody(stage: &Stage) {
    let tenant = Tenant::new(stage, "modes");
    let user = |user: u32| format!("securityContext: {{runAsUser: {user}, runAsGroup: {user}}}");
    let one = pod("one", &user(1000), "");
    let second = format!(", {{name: second, {}, image: \"{BUSYBOX}\"}}]", user(2000));
    let two = pod("two", &user(1000), "").replace(']', &second);
    tenant.create(&one).passes();
    tenant.create(&two).passes();
    for (pod, container, owned) in [
        ("one", "main", "1000:0 600"),
        ("two", "main", "0:0 644"),
        ("two", "second", "0:0 644"),
    ] {
        tenant.runs(&format!("pod/{pod}"));
        let exec = ["exec", pod, "-c", container, "--"];
        let is_owned = tenant.run(&[&exec[..], &["stat", "-Lc", "%u:%g %a", FILE]].concat());
        assert_eq!(is_owned.stdout.trim(), owned, "{pod}: {is_owned:?}");
        let token = tenant.run(&[&exec[..], &["cat", FILE]].concat());
        tenant.is_token_for(&token.stdout, "default", "vault");
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
