//! Way 16: a client certificate that bears the name of an account.

use k8s_openapi::ByteString;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::json;

use super::Tenants;
use crate::real::controlplane::{Said, feed, plane};

const WEBHOOK: &str = "validate-accounts.usher.dev";

/// A request for a client certificate of this name.
fn request(request: &str, name: &str) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    let pem = params.serialize_request(&key).unwrap().pem().unwrap();
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": request},
        "spec": {
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
            "request": ByteString(pem.into_bytes()),
        }
    });
    object.to_string()
}

/// Lets the tenant ask for certificates and approve them.
const ROLE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: ways-certificates}
rules:
  - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests], verbs: [create, get]}
  - {apiGroups: [certificates.k8s.io], resources: [certificatesigningrequests/approval], verbs: [update, patch]}
  - {apiGroups: [certificates.k8s.io], resources: [signers], resourceNames: [kubernetes.io/kube-apiserver-client], verbs: [approve]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: ways-certificates}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ways-certificates}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ways-certificates-jane}]
";

#[test]
fn a_client_certificate_bears_the_name_of_an_account() {
    // What belongs to no namespace is guarded everywhere: that the way works is shown by the administrator, who may all.
    let guarded = Tenants::new("certificates").guarded;
    plane().apply(ROLE).unwrap();
    let account = "system:serviceaccount:ways-certificates:deployer";
    let ask = |name: &str, of: &str| -> Said {
        let mut command = guarded.kubectl();
        let create = command.args(["create", "-f", "-"]);
        feed(create, &request(name, of)).unwrap().into()
    };
    let approve = |name: &str| guarded.run(&["certificate", "approve", name]);
    let refused =
        "may not use serviceaccount \"deployer\" in namespace ways-certificates (spec.request)";
    plane().apply(&request("ways-given", account)).unwrap();
    plane()
        .run(&["certificate", "approve", "ways-given"])
        .unwrap();
    plane().apply(&request("ways-asked", account)).unwrap();

    ask("ways-refused", account).refused_by(WEBHOOK, refused);
    approve("ways-asked").refused_by(WEBHOOK, refused);
    // One's own name is nobody else's.
    ask("ways-own", &guarded.user).passes();
    approve("ways-own").passes();
    guarded.grant("serviceaccounts/deployer");
    ask("ways-allowed", account).passes();
    approve("ways-asked").passes();
}
