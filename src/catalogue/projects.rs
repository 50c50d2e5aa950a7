/// The projects that ship with Usher, in alphabetical order: name, and file of the catalogue.
pub(super) const PROJECTS: &[(&str, &str)] = &[
    ("agent-sandbox", include_str!("agent-sandbox.yaml")),
    ("arc", include_str!("arc.yaml")),
    ("cert-manager", include_str!("cert-manager.yaml")),
    ("cnpg", include_str!("cnpg.yaml")),
    ("crossplane", include_str!("crossplane.yaml")),
    ("eck", include_str!("eck.yaml")),
    ("external-secrets", include_str!("external-secrets.yaml")),
    ("kro", include_str!("kro.yaml")),
    ("kserve", include_str!("kserve.yaml")),
    ("olm", include_str!("olm.yaml")),
    ("openkruise", include_str!("openkruise.yaml")),
    ("opentelemetry", include_str!("opentelemetry.yaml")),
    ("prometheus", include_str!("prometheus.yaml")),
    ("secrets-store-csi", include_str!("secrets-store-csi.yaml")),
    ("strimzi", include_str!("strimzi.yaml")),
];
