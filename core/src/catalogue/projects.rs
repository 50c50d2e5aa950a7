//! The files that ship with Usher.

/// The projects that ship with Usher, in alphabetical order: name, and file of the catalogue.
pub(super) const PROJECTS: &[(&str, &str)] = &[
    ("agent-sandbox", include_str!("data/agent-sandbox.yaml")),
    ("arc", include_str!("data/arc.yaml")),
    ("argo-events", include_str!("data/argo-events.yaml")),
    ("argo-rollouts", include_str!("data/argo-rollouts.yaml")),
    ("argo-workflows", include_str!("data/argo-workflows.yaml")),
    ("argocd", include_str!("data/argocd.yaml")),
    ("capsule", include_str!("data/capsule.yaml")),
    ("cert-manager", include_str!("data/cert-manager.yaml")),
    ("cnpg", include_str!("data/cnpg.yaml")),
    ("crossplane", include_str!("data/crossplane.yaml")),
    ("eck", include_str!("data/eck.yaml")),
    (
        "external-secrets",
        include_str!("data/external-secrets.yaml"),
    ),
    ("flagger", include_str!("data/flagger.yaml")),
    ("flink", include_str!("data/flink.yaml")),
    ("flux", include_str!("data/flux.yaml")),
    ("flux-operator", include_str!("data/flux-operator.yaml")),
    ("jobset", include_str!("data/jobset.yaml")),
    ("k3s", include_str!("data/k3s.yaml")),
    ("kapp-controller", include_str!("data/kapp-controller.yaml")),
    ("keda", include_str!("data/keda.yaml")),
    ("knative", include_str!("data/knative.yaml")),
    ("kro", include_str!("data/kro.yaml")),
    ("kserve", include_str!("data/kserve.yaml")),
    ("kubeflow", include_str!("data/kubeflow.yaml")),
    ("kuberay", include_str!("data/kuberay.yaml")),
    ("kubevirt", include_str!("data/kubevirt.yaml")),
    ("kueue", include_str!("data/kueue.yaml")),
    ("lws", include_str!("data/lws.yaml")),
    ("olm", include_str!("data/olm.yaml")),
    ("openkruise", include_str!("data/openkruise.yaml")),
    ("opentelemetry", include_str!("data/opentelemetry.yaml")),
    ("prometheus", include_str!("data/prometheus.yaml")),
    ("rabbitmq", include_str!("data/rabbitmq.yaml")),
    ("sealed-secrets", include_str!("data/sealed-secrets.yaml")),
    (
        "secrets-store-csi",
        include_str!("data/secrets-store-csi.yaml"),
    ),
    ("spark", include_str!("data/spark.yaml")),
    ("strimzi", include_str!("data/strimzi.yaml")),
    ("tekton", include_str!("data/tekton.yaml")),
    ("tofu", include_str!("data/tofu.yaml")),
    (
        "vault-secrets-operator",
        include_str!("data/vault-secrets-operator.yaml"),
    ),
    ("volcano", include_str!("data/volcano.yaml")),
];

/// Their names, as a message lists them.
pub(super) fn names() -> String {
    let names: Vec<&str> = PROJECTS.iter().map(|(name, _)| *name).collect();
    names.join(", ")
}
