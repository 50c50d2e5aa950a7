//! Way 23: a pod that waits is bound to a node, whatever the taints of the node.

use super::Tenants;
use crate::real::controlplane::{Said, feed, plane};

const WEBHOOK: &str = "validate-bindings.usher.dev";

#[test]
fn a_pod_is_bound_to_a_node() {
    let tenants = Tenants::new("binding");
    tenants.may("create", "pods/binding");
    tenants.may("create", "bindings");
    tenants.pod("web", "");
    tenants.pod("api", "");
    let bind = |team: &crate::real::cluster::Team, pod: &str, path: &str| -> Said {
        let path = format!("/api/v1/namespaces/{}/{path}", team.namespace);
        let mut command = team.kubectl();
        command.args(["create", "--raw", &path, "-f", "-"]);
        let binding = format!(
            "{{\"apiVersion\": \"v1\", \"kind\": \"Binding\", \"metadata\": {{\"name\": \"{pod}\"}}, \
             \"target\": {{\"apiVersion\": \"v1\", \"kind\": \"Node\", \"name\": \"tainted\"}}}}"
        );
        feed(&mut command, &binding).unwrap().into()
    };
    for (pod, path) in [("web", "pods/web/binding"), ("api", "bindings")] {
        bind(&tenants.free, pod, path).passes();
        bind(&tenants.guarded, pod, path).refused_by(
            WEBHOOK,
            "ways-binding-jane may not use node \"tainted\" in namespace ways-binding (target.name)",
        );
    }
    let bound = |namespace: &str| {
        plane()
            .run(&[
                "-n",
                namespace,
                "get",
                "pods",
                "-o",
                "jsonpath={.items[*].spec.nodeName}",
            ])
            .unwrap()
    };
    assert_eq!(bound("unguarded-binding").trim(), "tainted tainted");
    assert_eq!(bound("ways-binding").trim(), "");
    tenants.guarded.grant("nodes/tainted");
    bind(&tenants.guarded, "web", "pods/web/binding").passes();
}
