/// The projects that ship with Usher, in alphabetical order: name, and file of the catalogue.
pub(super) const PROJECTS: &[(&str, &str)] = &[
    ("argo-events", include_str!("argo-events.yaml")),
    ("argo-rollouts", include_str!("argo-rollouts.yaml")),
    ("argo-workflows", include_str!("argo-workflows.yaml")),
    ("argocd", include_str!("argocd.yaml")),
    ("jobset", include_str!("jobset.yaml")),
    ("knative", include_str!("knative.yaml")),
    ("kubeflow", include_str!("kubeflow.yaml")),
    ("kuberay", include_str!("kuberay.yaml")),
    ("kueue", include_str!("kueue.yaml")),
    ("lws", include_str!("lws.yaml")),
    ("spark", include_str!("spark.yaml")),
    ("tekton", include_str!("tekton.yaml")),
    ("volcano", include_str!("volcano.yaml")),
];
