//! Way T5: annotations of a namespace, which give its pods tolerations (admission plugin PodTolerationRestriction).

use super::Tenants;

const WEBHOOK: &str = "validate-namespaces.usher.dev";

#[test]
fn a_namespace_gives_its_pods_tolerations() {
    let tenants = Tenants::new("namespaces");
    tenants.may("get,patch,update", "namespaces");
    for key in ["defaultTolerations", "tolerationsWhitelist"] {
        let annotation = format!(
            "scheduler.alpha.kubernetes.io/{key}=[{{\"key\":\"gpu\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}}]"
        );
        let annotate = |team: &crate::real::cluster::Team| {
            team.run(&["annotate", "namespace", &team.namespace, &annotation])
        };
        annotate(&tenants.free).passes();
        annotate(&tenants.guarded).refused_by(
            WEBHOOK,
            "ways-namespaces-jane may not tolerate taint \"gpu\" with effect NoSchedule in namespace ways-namespaces",
        );
    }
    let guarded = &tenants.guarded;
    guarded
        .run(&["label", "namespace", &guarded.namespace, "color=blue"])
        .passes();
    guarded
        .run(&["annotate", "namespace", &guarded.namespace, "color=blue"])
        .passes();
    guarded.grant("tolerations.usher.dev/gpu:NoSchedule");
    let annotation = "scheduler.alpha.kubernetes.io/defaultTolerations=[{\"key\":\"gpu\",\"operator\":\"Exists\",\"effect\":\"NoSchedule\"}]";
    guarded
        .run(&["annotate", "namespace", &guarded.namespace, annotation])
        .passes();
}
