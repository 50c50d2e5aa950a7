//! Devices (`resource.k8s.io`), which docs/ways-round.md argues out: what this version of Kubernetes takes of them, what it guards by
//! itself, and that none of it leads to a tainted node.

use serde_json::{Value, json};

use super::{Tenants, WEBHOOK};
use crate::real::{
    cluster::{KINDS, Team, manifest},
    controlplane::plane,
};

/// A claim of a device of a class that an administrator has made.
fn claim(name: &str, request: &Value) -> String {
    let mut exactly = json!({"deviceClassName": "gpu"});
    for (key, value) in request.as_object().unwrap() {
        exactly[key] = value.clone();
    }
    json!({
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": name},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": exactly}]}},
    })
    .to_string()
}

#[test]
fn a_claim_of_a_device_is_the_affair_of_kubernetes() {
    let tenants = Tenants::new("devices");
    let guarded = &tenants.guarded;
    plane()
        .apply("apiVersion: resource.k8s.io/v1\nkind: DeviceClass\nmetadata: {name: gpu}\nspec: {}")
        .unwrap();
    // The role edit makes claims of any class, and the taints of devices are tolerated by whoever asks.
    let tolerating = json!({"tolerations": [{"operator": "Exists"}]});
    guarded
        .create(&claim("tolerating", &tolerating), &[])
        .passes();
    let get = [
        "-n",
        &*guarded.namespace,
        "get",
        "resourceclaim",
        "tolerating",
        "-o",
        "json",
    ];
    let made: Value = serde_json::from_str(&plane().run(&get).unwrap()).unwrap();
    assert_eq!(
        made["spec"]["devices"]["requests"][0]["exactly"]["tolerations"],
        json!([{"operator": "Exists"}]),
        "{made}"
    );
    // Devices that others use are guarded by a label of the namespace.
    let admin = claim("admin", &json!({"adminAccess": true}));
    let said = guarded.create(&admin, &[]);
    assert!(
        !said.success && said.stderr.contains("admin access to devices requires the `resource.kubernetes.io/admin-access: true` label"),
        "{said:?}"
    );
    // A quota says how many devices of a class a namespace may claim.
    let Team { namespace, .. } = guarded;
    plane()
        .apply(&format!(
            "apiVersion: v1\nkind: ResourceQuota\nmetadata: {{name: none, namespace: {namespace}}}\n\
             spec: {{hard: {{gpu.deviceclass.resource.k8s.io/devices: 0}}}}"
        ))
        .unwrap();
    let denied = || {
        let said = guarded.create(&claim("denied", &json!({})), &[]);
        let exceeded = said.stderr.contains("exceeded quota: none");
        if said.success {
            guarded.run(&["delete", "resourceclaim", "denied"]).passes();
        }
        exceeded.then_some(())
    };
    crate::real::cluster::eventually("the quota", denied);
    // A pod with the claim tolerates no taint of a node by it, and is asked about those that it names.
    let claims = "resourceClaims: [{name: c, resourceClaimName: tolerating}]";
    guarded.pod("web", claims).passes();
    let tolerates = format!("{claims}, tolerations: [{{key: gpu, operator: Exists}}]");
    guarded
        .create(&manifest(KINDS[0].1, "tolerates", &tolerates), &[])
        .refused_by(WEBHOOK, "needs: verb use on tolerations.usher.dev \"gpu\"");
}
