//! The certificate changes while the server runs, as kubelet and cert-manager change it.

use std::{fs, path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use usher::{
    facts::Offline,
    server::{Certificates, Limits},
};

use super::{Client, Served, client::trusting, mount, offline, pod, write_certificate};

const LOADED: &str = r#"usher_certificate_loads_total{result="loaded"}"#;
const FAILED: &str = r#"usher_certificate_loads_total{result="failed"}"#;
const VALID: &str = "usher_certificate_valid";

/// A server that looks at its certificate all the time.
fn served() -> Served<Offline> {
    let served = Served::start(offline(), Limits::default());
    let (certificates, metrics) = (served.certificates.clone(), served.metrics.clone());
    served.runtime.spawn(async move {
        certificates
            .follow(Duration::from_millis(20), &metrics)
            .await
    });
    served.await_metric(LOADED, 1.0);
    served.await_metric(VALID, 1.0);
    // rcgen's certificates last until the year 4096.
    assert!(served.metric("usher_certificate_expiry_timestamp_seconds") > 6e10);
    served
}

#[test]
fn a_swapped_link_brings_the_new_certificate() {
    let served = served();
    let mut before = served.client();
    let second = mount(served.files.path(), "..2", write_certificate);
    served.await_metric(LOADED, 2.0);
    Client::connect(served.address, &trusting(&second)).unwrap();
    assert!(Client::connect(served.address, &served.trusted).is_err());
    let body = pod("jane", "builder").to_string();
    let response = before.post("/validate", body.as_bytes()).unwrap();
    assert_eq!(response.status, 200, "an open connection goes on");
    // The same once more, and with the old folder gone, as kubelet leaves it.
    let third = mount(served.files.path(), "..3", write_certificate);
    fs::remove_dir_all(served.files.path().join("..2")).unwrap();
    served.await_metric(LOADED, 3.0);
    Client::connect(served.address, &trusting(&third)).unwrap();
    served.await_metric(VALID, 1.0);
    served.await_metric(FAILED, 0.0);
}

#[test]
fn a_bad_certificate_leaves_the_good_one_in_use() {
    type Break = fn(&Path);
    let bad: [(&str, Break); 6] = [
        ("no PEM", |f| fs::write(f.join("tls.crt"), "x").unwrap()),
        ("empty", |f| fs::write(f.join("tls.crt"), "").unwrap()),
        ("cut off", |f| {
            let pem = fs::read(f.join("tls.crt")).unwrap();
            fs::write(f.join("tls.crt"), &pem[..pem.len() / 2]).unwrap();
        }),
        ("no key", |f| fs::write(f.join("tls.key"), "").unwrap()),
        ("another key", |f| {
            let key = KeyPair::generate().unwrap();
            fs::write(f.join("tls.key"), key.serialize_pem()).unwrap();
        }),
        ("nothing", |f| fs::remove_file(f.join("tls.key")).unwrap()),
    ];
    let served = served();
    for (turn, (what, spoil)) in bad.into_iter().enumerate() {
        let version = format!("..bad{turn}");
        mount(served.files.path(), &version, |folder| {
            write_certificate(folder);
            spoil(folder);
        });
        served.await_metric(FAILED, f64::from(u32::try_from(turn).unwrap() + 1));
        served.await_metric(VALID, 0.0);
        let mut client = Client::connect(served.address, &served.trusted).expect(what);
        let body = pod("jane", "builder").to_string();
        assert_eq!(
            client.post("/validate", body.as_bytes()).unwrap().status,
            200
        );
    }
    // What stays bad is said and counted once.
    std::thread::sleep(Duration::from_millis(200));
    served.await_metric(FAILED, 6.0);
    let good = mount(served.files.path(), "..good", write_certificate);
    served.await_metric(VALID, 1.0);
    Client::connect(served.address, &trusting(&good)).unwrap();
}

#[test]
fn a_chain_is_served_whole() {
    let served = served();
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        (params, KeyPair::generate().unwrap())
    };
    let (root, root_key) = authority("root");
    let root_certificate = root.self_signed(&root_key).unwrap();
    let root = Issuer::new(root, root_key);
    let (middle, middle_key) = authority("middle");
    let middle_certificate = middle.signed_by(&middle_key, &root).unwrap();
    let middle = Issuer::new(middle, middle_key);
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&leaf_key, &middle)
        .unwrap();
    mount(served.files.path(), "..chain", |folder| {
        let chain = leaf.pem() + &middle_certificate.pem();
        fs::write(folder.join("tls.crt"), chain).unwrap();
        fs::write(folder.join("tls.key"), leaf_key.serialize_pem()).unwrap();
    });
    served.await_metric(LOADED, 2.0);
    // Only the root is trusted: the one in the middle must come from the server.
    Client::connect(served.address, &trusting(root_certificate.der())).unwrap();
}

#[test]
fn a_bad_pair_at_the_start_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (crt, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let why = || Certificates::load(&crt, &key).unwrap_err().to_string();
    assert!(
        why().contains("cannot read") && why().contains("tls.crt"),
        "{}",
        why()
    );
    write_certificate(folder.path());
    Certificates::load(&crt, &key).unwrap();
    fs::write(&key, "x").unwrap();
    assert!(why().contains("tls.key\" is not PEM"), "{}", why());
    fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(why().contains("cannot be used together"), "{}", why());
    fs::write(&crt, "").unwrap();
    assert!(why().contains("holds no certificate"), "{}", why());
}
