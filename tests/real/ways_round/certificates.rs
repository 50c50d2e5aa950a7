//! Way 16: a client certificate that bears the name of an account.

use std::fs;

use k8s_openapi::ByteString;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Value, json};

use super::Tenants;
use crate::real::{
    cluster::eventually,
    controlplane::{Said, feed, plane},
};

const WEBHOOK: &str = "validate-accounts.usher.dev";

/// A request for a client certificate of this name, with the key.
fn request(request: &str, name: &str) -> (String, KeyPair) {
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
    (object.to_string(), key)
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
        feed(create, &request(name, of).0).unwrap().into()
    };
    let approve = |name: &str| guarded.run(&["certificate", "approve", name]);
    let refused =
        "may not use serviceaccount \"deployer\" in namespace ways-certificates (spec.request)";
    let (asked, key) = request("ways-given", account);
    plane().apply(&asked).unwrap();
    plane()
        .run(&["certificate", "approve", "ways-given"])
        .unwrap();
    // Whoever has the certificate is the account, though no token was ever asked for.
    let of_request = ["get", "csr", "ways-given", "-o", "json"];
    let issued = eventually("the certificate is issued", || {
        let object: Value = serde_json::from_str(&plane().run(&of_request).unwrap()).unwrap();
        let certificate = object["status"].get("certificate")?.clone();
        Some(serde_json::from_value::<ByteString>(certificate).unwrap())
    });
    let [crt_file, key_file] = ["crt", "key"].map(|end| plane().dir().join(format!("given.{end}")));
    fs::write(&crt_file, issued.0).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let mut kubectl = plane().kubectl();
    kubectl.arg("--client-certificate").arg(crt_file);
    kubectl.arg("--client-key").arg(key_file);
    kubectl.args([
        "auth",
        "whoami",
        "-o",
        "jsonpath={.status.userInfo.username}",
    ]);
    let said = Said::from(kubectl.output().unwrap());
    assert_eq!(said.stdout, account, "{said:?}");
    plane().apply(&request("ways-asked", account).0).unwrap();

    ask("ways-refused", account).refused_by(WEBHOOK, refused);
    approve("ways-asked").refused_by(WEBHOOK, refused);
    // One's own name is nobody else's.
    ask("ways-own", &guarded.user).passes();
    approve("ways-own").passes();
    guarded.grant("serviceaccounts/deployer");
    ask("ways-allowed", account).passes();
    approve("ways-asked").passes();
}
