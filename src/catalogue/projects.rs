/// The projects that ship with Usher, in alphabetical order: name, and file of the catalogue.
pub(super) const PROJECTS: &[(&str, &str)] = &[
    ("flagger", include_str!("flagger.yaml")),
    ("flux", include_str!("flux.yaml")),
    ("flux-operator", include_str!("flux-operator.yaml")),
    ("keda", include_str!("keda.yaml")),
    ("tofu", include_str!("tofu.yaml")),
];
