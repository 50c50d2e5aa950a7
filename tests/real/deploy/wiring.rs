//! The files name each other: registration, service, pod, certificate, and the flags of the program.

use super::{installed, is_registration, kustomize, of_kind};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn registrations_service_and_certificate_name_each_other() {
    let objects = installed();
    let service = of_kind(objects, "Service");
    let deployment = of_kind(objects, "Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let certificates = kustomize("certs");
    for object in &certificates {
        assert_eq!(object["apiVersion"], "cert-manager.io/v1");
        assert_eq!(object["metadata"]["namespace"], "usher-system");
    }
    let named = |kind: &str, name: &Value| {
        let mut all = certificates.iter();
        all.find(|object| object["kind"] == kind && &object["metadata"]["name"] == name)
            .unwrap_or_else(|| panic!("no {kind} {name}"))
    };

    // The way of a request: registration, service, port of the pod, port that usher listens on.
    let registrations = objects.iter().filter(|object| is_registration(object));
    let webhooks = registrations.flat_map(|registration| {
        let webhooks = registration["webhooks"].as_array().unwrap();
        webhooks.iter().map(move |webhook| (registration, webhook))
    });
    for (registration, webhook) in webhooks {
        let client = &webhook["clientConfig"]["service"];
        assert_eq!(client["name"], service["metadata"]["name"]);
        assert_eq!(client["namespace"], service["metadata"]["namespace"]);
        assert_eq!(client["port"], service["spec"]["ports"][0]["port"]);
        // The certificate is for the name that the API server calls, and its authority is the one that is filled in.
        let annotation = registration["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
            .as_str()
            .unwrap();
        let (namespace, name) = annotation.split_once('/').unwrap();
        let certificate = named("Certificate", &json!(name));
        assert_eq!(certificate["metadata"]["namespace"], namespace);
        let host = format!(
            "{}.{}.svc",
            client["name"].as_str().unwrap(),
            client["namespace"].as_str().unwrap()
        );
        assert_eq!(certificate["spec"]["dnsNames"], json!([host]));
        // And it comes to rest where the pods look for it.
        let volumes = deployment["spec"]["template"]["spec"]["volumes"]
            .as_array()
            .unwrap();
        let tls = volumes
            .iter()
            .find(|volume| volume["name"] == "tls")
            .unwrap();
        assert_eq!(
            tls["secret"]["secretName"],
            certificate["spec"]["secretName"]
        );
    }
    assert_eq!(
        service["spec"]["selector"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
    let port_of = |name: &Value| {
        let mut ports = container["ports"].as_array().unwrap().iter();
        ports.find(|port| &port["name"] == name).unwrap()["containerPort"].to_string()
    };
    let flag = |name: &str| {
        let mut args = container["args"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str);
        args.find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
            .unwrap()
    };
    assert!(flag("--bind").ends_with(&format!(
        ":{}",
        port_of(&service["spec"]["ports"][0]["targetPort"])
    )));
    for probe in ["readinessProbe", "livenessProbe"] {
        assert!(
            flag("--health-bind").ends_with(&format!(
                ":{}",
                port_of(&container[probe]["httpGet"]["port"])
            )),
            "{probe}"
        );
    }
    let mounted = |path: &str| {
        let mut mounts = container["volumeMounts"].as_array().unwrap().iter();
        mounts.any(|mount| Path::new(path).parent() == mount["mountPath"].as_str().map(Path::new))
    };
    assert!(mounted(flag("--tls-cert")) && mounted(flag("--tls-key")) && mounted(flag("--config")));
    let file = Path::new(flag("--config"))
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    assert!(of_kind(objects, "ConfigMap")["data"].get(file).is_some());

    // Every certificate has its issuer, and the authority is where the issuer looks for it.
    for certificate in certificates
        .iter()
        .filter(|object| object["kind"] == "Certificate")
    {
        named("Issuer", &certificate["spec"]["issuerRef"]["name"]);
    }
    let authority = named("Certificate", &json!("usher-ca"));
    assert_eq!(
        named("Issuer", &json!("usher-ca"))["spec"]["ca"]["secretName"],
        authority["spec"]["secretName"]
    );
}

#[test]
fn usher_knows_every_flag_of_the_deployment() {
    let deployment = of_kind(installed(), "Deployment");
    let args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
        .as_array()
        .unwrap();
    let help = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args([args[0].as_str().unwrap(), "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for arg in &args[1..] {
        let flag = arg.as_str().unwrap().split('=').next().unwrap();
        assert!(
            help.contains(&format!("{flag} <")),
            "{flag} is not in\n{help}"
        );
    }
}

/// certs/README.md says how the authority gets into every entry of the registrations without cert-manager.
#[test]
fn the_overlay_of_the_certificates_page_fills_the_authority_in_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("certs/README.md")).unwrap();
    let (_, behind) = page.split_once("mkdir -p my-usher\n").unwrap();
    let (overlay, _) = behind.split_once("\nEND\n").unwrap();
    let script = format!("mkdir -p my-usher\n{overlay}\nEND\n");
    let folder = tempfile::tempdir().unwrap();
    for name in ["deploy", "webhook-config"] {
        fs::create_dir(folder.path().join(name)).unwrap();
        for file in fs::read_dir(root.join(name)).unwrap() {
            let file = file.unwrap();
            let copy = folder.path().join(name).join(file.file_name());
            fs::copy(file.path(), copy).unwrap();
        }
    }
    fs::write(folder.path().join("ca.crt"), "the authority").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script]).current_dir(folder.path());
    assert!(shell.status().unwrap().success());
    let objects = kustomize(folder.path().join("my-usher").to_str().unwrap());
    assert_eq!(objects.len(), installed().len());
    let registrations = objects.iter().filter(|object| is_registration(object));
    let entries: Vec<&Value> = registrations
        .flat_map(|object| object["webhooks"].as_array().unwrap())
        .collect();
    assert!(entries.len() > 2);
    for webhook in entries {
        let authority = &webhook["clientConfig"]["caBundle"];
        assert_eq!(authority, "dGhlIGF1dGhvcml0eQ==", "{}", webhook["name"]);
    }
}
