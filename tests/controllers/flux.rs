//! Flux: who may have which account apply what, from where.

use crate::{controlplane::Said, stage::Stage, tenant::Tenant, tier::until};

/// The registration for pods and workloads.
const CORE: &str = "validate.usher.dev";

impl Tenant<'_> {
    /// A GitRepository of the repository that the stage serves, in the own namespace.
    fn has_source(&self) {
        self.create(&repository(self, "apps")).passes();
    }

    /// Has Flux look at once, as `flux reconcile` does, and waits until it has found everything in order.
    fn reconciles(&self) {
        let now = jiff::Timestamp::now().to_string();
        let request = format!("reconcile.fluxcd.io/requestedAt={now}");
        self.run(&["annotate", "--overwrite", "kustomization/app", &request])
            .passes();
        let handled = "jsonpath={.status.lastHandledReconcileAt}";
        let get = ["get", "kustomization/app", "-o", handled];
        until("the reconciliation that was asked for", || {
            let last = self.run(&get).stdout;
            (last == now).then_some(()).ok_or(last)
        });
        self.ready("kustomization/app");
    }
}

fn repository(tenant: &Tenant<'_>, name: &str) -> String {
    let url = tenant.stage.web.repository();
    format!(
        "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {{name: {name}}}\n\
         spec: {{interval: 10m, url: \"{url}\", ref: {{branch: main}}}}"
    )
}

/// A Kustomization of one folder of the repository; `more` is in flow style.
fn kustomization(tenant: &Tenant<'_>, folder: &str, more: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{name: app}}\n\
         spec: {{interval: 10m, prune: true, path: ./{folder}, targetNamespace: {}, \
         sourceRef: {{kind: GitRepository, name: apps}}, {more}}}",
        tenant.namespace
    )
}

/// What is said when an account may not use the account of the Deployment.
fn may_not_run(account: &str, namespace: &str) -> String {
    format!(
        "system:serviceaccount:{namespace}:{account} may not use serviceaccount \"runner\" in namespace {namespace} \
         (spec.template.spec.serviceAccountName)\n\
         needs: verb use on serviceaccounts \"runner\" in {namespace}"
    )
}

/// The denial stands in the condition of the Kustomization, as kustomize-controller words it.
fn stands_in_the_condition(tenant: &Tenant<'_>, denial: &str) {
    tenant.stage.provoked.add(denial);
    let message = format!(
        "Deployment/{}/web dry-run failed (Forbidden): admission webhook \"{CORE}\" denied the request: {denial}\n",
        tenant.namespace
    );
    tenant.is_ready("kustomization/app", "False", &message);
}

pub(crate) fn an_account_takes_the_right_to_use_it(stage: &Stage<'_>) {
    let [open, tenant] = ["flux-account-open", "flux-account"].map(|namespace| {
        let tenant = Tenant::new(stage, namespace, &["deployer"]);
        tenant.edits("deployer");
        tenant.has_source();
        tenant
    });
    let with_account = |tenant| kustomization(tenant, "config", "serviceAccountName: deployer");
    let greeting = ["get", "configmap/config", "-o", "jsonpath={.data.greeting}"];
    open.create(&with_account(&open)).passes();
    open.ready("kustomization/app");
    assert_eq!(open.run(&greeting).stdout, "hello");
    let app = with_account(&tenant);
    tenant.refused(
        &app,
        "flux-account-jane may not use serviceaccount \"deployer\" in namespace flux-account (spec.serviceAccountName)\n\
         needs: verb use on serviceaccounts \"deployer\" in flux-account",
    );
    tenant.grant("serviceaccounts/deployer", &format!("user:{}", tenant.user));
    tenant.create(&app).passes();
    tenant.ready("kustomization/app");
    assert_eq!(tenant.run(&greeting).stdout, "hello");
    // The controller prunes as the account, then takes its finalizer away.
    tenant.deletes("kustomization/app");
    assert!(tenant.run(&greeting).stderr.contains("not found"));
}

pub(crate) fn what_is_applied_is_judged_as_the_account(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "flux-applies", &["deployer", "runner"]);
    tenant.edits("deployer");
    tenant.has_source();
    tenant.grant("serviceaccounts/deployer", &format!("user:{}", tenant.user));
    let app = kustomization(&tenant, "web", "serviceAccountName: deployer");
    tenant.create(&app).passes();
    stands_in_the_condition(&tenant, &may_not_run("deployer", "flux-applies"));
    tenant.grant(
        "serviceaccounts/runner",
        "serviceaccount:flux-applies/deployer",
    );
    tenant.reconciles();
    tenant.pods_run_as("app=web", "runner");
    // Applied once more, as it is at every interval, it is the same as before.
    tenant.reconciles();
    stage.allowed(
        "Update Deployment flux-applies/web by system:serviceaccount:flux-applies:deployer",
    );
}

pub(crate) fn no_account_is_the_controllers_own(stage: &Stage<'_>) {
    let [open, tenant] = ["flux-no-account-open", "flux-no-account"].map(|namespace| {
        let tenant = Tenant::new(stage, namespace, &["runner"]);
        tenant.has_source();
        tenant
    });
    open.create(&kustomization(&open, "web", "")).passes();
    open.pods_run_as("app=web", "runner");
    let app = kustomization(&tenant, "web", "");
    tenant.refused(
        &app,
        "flux-no-account-jane may not use serviceaccount \"kustomize-controller\" in namespace flux-system \
         (spec.serviceAccountName)\n\
         needs: verb use on serviceaccounts \"kustomize-controller\" in flux-system",
    );
    // The platform may, and Flux applies it as itself, who holds every grant.
    let app = app.replace("{name: app}", "{name: app, namespace: flux-no-account}");
    stage.plane.apply(&app).unwrap();
    tenant.ready("kustomization/app");
    stage.allowed(
        "Create Deployment flux-no-account/web by system:serviceaccount:flux-system:kustomize-controller",
    );
}

pub(crate) fn no_account_is_that_of_the_flag(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "flux-flag", &["tenant", "runner"]);
    // The kustomize-controller that has the flag looks at these only.
    let label = (
        "{name: app}",
        "{name: app, labels: {sharding.fluxcd.io/key: flag}}",
    );
    let app = kustomization(&tenant, "web", "").replace(label.0, label.1);
    let said = applied_as_tenant(&tenant, &app);
    assert_eq!(said.stderr, "");
}

pub(crate) fn an_account_is_written_where_none_is_named(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "flux-default", &["tenant", "runner"]);
    let said = applied_as_tenant(&tenant, &kustomization(&tenant, "web", ""));
    assert_eq!(
        said.stderr,
        "Warning: spec.serviceAccountName named no account: \"tenant\" is written, as defaultServiceAccounts of the \
         configuration says\n"
    );
}

/// A Kustomization that names no account takes the right to use `tenant`, and is applied as that. Gives what was said when
/// it was admitted.
fn applied_as_tenant(tenant: &Tenant<'_>, app: &str) -> Said {
    let namespace = tenant.namespace;
    tenant.edits("tenant");
    tenant.has_source();
    tenant.refused(
        app,
        &format!(
            "{namespace}-jane may not use serviceaccount \"tenant\" in namespace {namespace} (spec.serviceAccountName)\n\
             needs: verb use on serviceaccounts \"tenant\" in {namespace}"
        ),
    );
    tenant.grant("serviceaccounts/tenant", &format!("user:{}", tenant.user));
    let said = tenant.create(app);
    said.passes();
    stands_in_the_condition(tenant, &may_not_run("tenant", namespace));
    tenant.grant(
        "serviceaccounts/runner",
        &format!("serviceaccount:{namespace}/tenant"),
    );
    tenant.reconciles();
    tenant.pods_run_as("app=web", "runner");
    said
}

pub(crate) fn a_source_elsewhere_takes_a_right_there(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "flux-source", &["deployer"]);
    tenant.edits("deployer");
    tenant.grant("serviceaccounts/deployer", &format!("user:{}", tenant.user));
    let shared = repository(&tenant, "shared");
    let shared = shared.replace("{name: shared}", "{name: shared, namespace: platform}");
    stage.plane.apply(&shared).unwrap();
    let app = kustomization(&tenant, "config", "serviceAccountName: deployer");
    let app = app.replace("name: apps", "name: shared, namespace: platform");
    tenant.refused(
        &app,
        "flux-source-jane may not use gitrepositories.source.toolkit.fluxcd.io \"shared\" in namespace platform (spec.sourceRef)\n\
         needs: verb use on gitrepositories.source.toolkit.fluxcd.io \"shared\" in platform",
    );
    let target = "gitrepositories.source.toolkit.fluxcd.io/shared";
    tenant.grant_in("platform", target, &format!("user:{}", tenant.user));
    tenant.create(&app).passes();
    tenant.ready("kustomization/app");
}
