//! KEDA: whose account the Jobs of a ScaledJob run as, and whose tokens the operator asks for.

use crate::{controlplane::feed, stage::Stage, tenant::Tenant, tier::until};

const OPERATOR: &str = "system:serviceaccount:keda:keda-operator";

/// A ScaledJob with one Job at most, which runs as `runner`; the triggers are in flow style. Its quantities are written as no
/// program writes them.
fn scaled_job(triggers: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledJob\nmetadata: {{name: crunch}}\n\
         spec: {{pollingInterval: 1, maxReplicaCount: 1, triggers: [{triggers}], jobTargetRef: {{template: {{spec: \
         {{serviceAccountName: runner, restartPolicy: Never, containers: [{{name: crunch, image: crunch, \
         resources: {{requests: {{cpu: 1000m, memory: 0.125Gi}}}}}}]}}}}}}}}"
    )
}

/// Always: each of the two days leaves out a minute.
fn always() -> String {
    let day = |zone: &str| {
        format!(
            "{{type: cron, metadata: {{timezone: {zone}, start: 0 0 * * *, end: 59 23 * * *, desiredReplicas: \"1\"}}}}"
        )
    };
    format!("{}, {}", day("Etc/UTC"), day("Asia/Tokyo"))
}

impl Tenant<'_> {
    /// Waits for the Job of the ScaledJob, and for the pod that Kubernetes makes of it.
    fn job_comes_up(&self) {
        let name = [
            "get",
            "jobs",
            "-l",
            "scaledjob.keda.sh/name=crunch",
            "-o",
            "name",
        ];
        let job = until("a job of the scaled job", || {
            let jobs = self.run(&name).stdout;
            let first = jobs.lines().next().map(str::to_owned);
            first.ok_or(jobs)
        });
        let job = job.trim_start_matches("job.batch/");
        self.pods_run_as(&format!("batch.kubernetes.io/job-name={job}"), "runner");
    }
}

pub(crate) fn jobs_of_a_scaled_job_come_up(stage: &Stage<'_>) {
    let [open, tenant] =
        ["keda-jobs-open", "keda-jobs"].map(|namespace| Tenant::new(stage, namespace, &["runner"]));
    let crunch = scaled_job(&always());
    open.create(&crunch).passes();
    open.job_comes_up();
    tenant.refused(
        &crunch,
        "keda-jobs-jane may not use serviceaccount \"runner\" in namespace keda-jobs \
         (spec.jobTargetRef.template.spec.serviceAccountName)\n\
         needs: verb use on serviceaccounts \"runner\" in keda-jobs",
    );
    tenant.grant("serviceaccounts/runner", &format!("user:{}", tenant.user));
    tenant.create(&crunch).passes();
    tenant.job_comes_up();
    tenant.ready("scaledjob/crunch");
    // When the operator adds its finalizer, it fills defaults in, and that is no use of the account.
    stage.allowed(&format!("Update ScaledJob keda-jobs/crunch by {OPERATOR}"));
    let written = "jsonpath={.metadata.finalizers[0]} {.metadata.generation} {.spec.rollout} {.spec.scalingStrategy}";
    let said = tenant.run(&["get", "scaledjob/crunch", "-o", written]);
    assert_eq!(said.stdout, "finalizer.keda.sh 2 {} {}");
    let asked = "jsonpath={.spec.jobTargetRef.template.spec.containers[0].resources.requests}";
    let said = tenant.run(&["get", "scaledjob/crunch", "-o", asked]);
    assert_eq!(said.stdout, r#"{"cpu":"1","memory":"128Mi"}"#);
    tenant.deletes("scaledjob/crunch");
}

pub(crate) fn an_operator_that_is_not_named_is_judged_itself(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "keda-unnamed", &["runner"]);
    tenant.grant("serviceaccounts/runner", &format!("user:{}", tenant.user));
    let denial = format!(
        "{OPERATOR} may not use serviceaccount \"runner\" in namespace keda-unnamed (spec.template.spec.serviceAccountName)\n\
         needs: verb use on serviceaccounts \"runner\" in keda-unnamed"
    );
    stage.provoked.add(&denial);
    tenant.create(&scaled_job(&always())).passes();
    let message = format!("admission webhook \"validate.usher.dev\" denied the request: {denial}");
    tenant.is_ready("scaledjob/crunch", "False", &message);
    tenant.prints(&[
        "grant",
        "serviceaccounts/runner",
        "-n",
        tenant.namespace,
        "--to",
        &format!("user:{}", tenant.user),
        "--to",
        "serviceaccount:keda/keda-operator",
    ]);
    tenant.job_comes_up();
    tenant.ready("scaledjob/crunch");
}

pub(crate) fn what_is_scaled_takes_a_right(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "keda-scales", &[]);
    let worker = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker}, spec: {replicas: 0, selector: \
                  {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker}}, spec: {containers: \
                  [{name: worker, image: worker}]}}}}";
    tenant.create(worker).passes();
    let scaled = format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: worker}}\n\
         spec: {{pollingInterval: 1, scaleTargetRef: {{name: worker}}, triggers: [{}]}}",
        always()
    );
    tenant.refused(
        &scaled,
        "keda-scales-jane may not use deployments.apps \"worker\" in namespace keda-scales (spec.scaleTargetRef)\n\
         needs: verb use on deployments.apps \"worker\" in keda-scales",
    );
    tenant.grant("deployments.apps/worker", &format!("user:{}", tenant.user));
    tenant.create(&scaled).passes();
    tenant.pods_run_as("app=worker", "default");
    tenant.ready("scaledobject/worker");
    // The operator writes a label and a finalizer, and no other target.
    stage.allowed(&format!(
        "Update ScaledObject keda-scales/worker by {OPERATOR}"
    ));
}

pub(crate) fn a_token_takes_two_rights(stage: &Stage<'_>) {
    let tenant = Tenant::new(stage, "keda-token", &["runner", "queue-reader"]);
    let queue = "apiVersion: keda.sh/v1alpha1\nkind: TriggerAuthentication\nmetadata: {name: queue}\n\
                 spec: {boundServiceAccountToken: [{parameter: token, serviceAccountName: queue-reader}]}";
    tenant.refused(
        queue,
        "keda-token-jane may not use serviceaccount \"queue-reader\" in namespace keda-token \
         (spec.boundServiceAccountToken[0].serviceAccountName)\n\
         needs: verb use on serviceaccounts \"queue-reader\" in keda-token",
    );
    let jane = format!("user:{}", tenant.user);
    tenant.prints(&[
        "grant",
        "sa/queue-reader",
        "sa/runner",
        "triggerauthentications.keda.sh/queue",
        "-n",
        "keda-token",
        "--to",
        &jane,
    ]);
    tenant.create(queue).passes();

    // To ask for tokens is a right of RBAC. With that alone the operator may still not use the account.
    let role = [
        "create",
        "role",
        "only-asks",
        "--verb=create",
        "--resource=serviceaccounts/token",
    ];
    tenant.platform(&role);
    let binding = ["create", "rolebinding", "only-asks", "--role=only-asks"];
    tenant.platform(&[&binding[..], &["--serviceaccount=keda:keda-operator"]].concat());
    let crunch = scaled_job(&format!(
        "{{type: metrics-api, authenticationRef: {{name: queue}}, metadata: {{url: \"{}\", valueLocation: length, \
         targetValue: \"1\", authMode: bearer}}}}",
        stage.web.queue()
    ));
    tenant.create(&crunch).passes();
    let denial = format!(
        "{OPERATOR} may not use serviceaccount \"queue-reader\" in namespace keda-token (metadata.name)\n\
         needs: verb use on serviceaccounts \"queue-reader\" in keda-token"
    );
    stage.provoked.add(&denial);
    let event = format!(
        "failed to create bound service account token for keda-token/queue-reader: \
         admission webhook \"validate-tokens.usher.dev\" denied the request: {denial}"
    );
    let messages = ["get", "events", "-o", "jsonpath={.items[*].message}"];
    until(&format!("an event: {event}"), || {
        let events = tenant.run(&messages).stdout;
        events.contains(&event).then_some(()).ok_or(events)
    });
    tenant.platform(&["delete", "rolebinding", "only-asks"]);

    // The Role that Usher prints is enough, and all that the operator has in this namespace.
    tenant.prints(&[
        "generate",
        "keda-token-role",
        "-n",
        "keda-token",
        "queue-reader",
    ]);
    let token = until("a token at the queue", || {
        stage.web.token().ok_or_else(String::new)
    });
    let review = serde_json::json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token, "audiences": ["queue"]},
    });
    let mut kubectl = stage.plane.kubectl();
    kubectl.args([
        "create",
        "-f",
        "-",
        "-o",
        "jsonpath={.status.user.username} {.status.audiences[*]}",
    ]);
    let said = feed(&mut kubectl, &review.to_string()).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&said.stdout),
        "system:serviceaccount:keda-token:queue-reader queue"
    );
    tenant.job_comes_up();
}
