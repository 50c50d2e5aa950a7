//! Way 11, way 1 and what they end in: a token that the kubelet puts into a container.

use crate::{
    stage::Stage,
    tenants::{CONNECTIONS, CORE, Tenant, Tenants, pod},
};

/// A Secret that Kubernetes fills with a token of `deployer`.
const SECRET: &str = "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata:\n  name: t\n  \
                      annotations: {kubernetes.io/service-account.name: deployer}";
/// A pod spec with that Secret as a volume.
const MOUNTED: &str = "volumes: [{name: t, secret: {secretName: t}}]";
/// A container that has it.
const READER: &str = "volumeMounts: [{name: t, mountPath: /t}]";

/// What somebody is told who names the Secret, or connects to a pod that does.
fn may_not_use_secret(tenant: &Tenant<'_>, path: &str) -> String {
    let Tenant {
        namespace, user, ..
    } = tenant;
    format!(
        "{user} may not use secret \"t\" in namespace {namespace} ({path})\n\
         needs: verb use or get on secrets \"t\" in {namespace}"
    )
}

pub(crate) fn a_token_secret_is_mounted_and_read(stage: &Stage) {
    let tenants = Tenants::new(stage, "mounted");
    let reads = format!("{READER}, command: [cat, /t/token]");
    let reader = pod(
        "reader",
        &format!("{MOUNTED}, restartPolicy: Never"),
        &reads,
    );
    let exec = |tenant: &Tenant<'_>| tenant.run(&["exec", "holder", "--", "cat", "/t/token"]);
    let joes = tenants.both().map(|tenant| {
        tenant.gives(SECRET);
        // Who may read the Secret has the token anyway, and the role edit may.
        tenant.colleague("joe", &["pods", "pods/log", "pods/exec"])
    });
    tenants.pod("holder", MOUNTED, READER);
    let [open, guarded] = joes;
    open.create(&reader).passes();
    open.is_token_of(&open.logs("reader"), "deployer");
    open.is_token_of(&exec(&open).stdout, "deployer");
    guarded.refused(
        CORE,
        &may_not_use_secret(&guarded, "spec.volumes[0].secret.secretName"),
        |joe| joe.create(&reader),
    );
    guarded.refused(
        CONNECTIONS,
        &may_not_use_secret(&guarded, "pod holder: spec.volumes[0].secret.secretName"),
        exec,
    );
    // Whoever may read it may mount it.
    let jane = &tenants.guarded;
    jane.create(&reader).passes();
    jane.is_token_of(&jane.logs("reader"), "deployer");
    jane.is_token_of(&exec(jane).stdout, "deployer");
}

pub(crate) fn a_projected_token_is_that_of_another_account(stage: &Stage) {
    let tenants = Tenants::new(stage, "projected");
    let spec = |account: &str| {
        format!(
            "serviceAccountName: {account}, restartPolicy: Never, volumes: [{{name: t, projected: {{sources: \
             [{{serviceAccountToken: {{audience: vault, path: token}}}}]}}}}]"
        )
    };
    let reads = format!("{READER}, command: [cat, /t/token]");
    let borrowed = pod("borrowed", &spec("deployer"), &reads);
    let Tenants { open, guarded } = &tenants;
    open.create(&borrowed).passes();
    open.is_token_for(&open.logs("borrowed"), "deployer", "vault");
    guarded.refused(
        CORE,
        &guarded.may_not_use_deployer("spec.serviceAccountName"),
        |tenant| tenant.create(&borrowed),
    );
    guarded
        .create(&pod("own", &spec("default"), &reads))
        .passes();
    guarded.is_token_for(&guarded.logs("own"), "default", "vault");
}
