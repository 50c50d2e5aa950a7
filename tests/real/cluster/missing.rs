//! Pods that should get something and do not, because their service account is not as it must be: never in silence.

use std::{net::SocketAddr, thread::sleep, time::Duration};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde_json::{Value, json};

use super::{KINDS, Team, injection::eventually, injection::json_of, manifest, usher};
use crate::real::{
    controlplane::plane,
    server::{
        Changed, changed,
        client::{Client, trusting},
        metric,
    },
};

/// Sends a review straight to `/mutate` of the running Usher: the API server itself refuses the pod of an account that
/// is not there before it asks any webhook. Between that look and Usher's own, an account may go.
fn ask(review: &Value) -> Changed {
    let address = SocketAddr::from(([127, 0, 0, 1], usher().port()));
    let authority = CertificateDer::from_pem_slice(plane().ca_pem().as_bytes()).unwrap();
    let mut client = Client::connect(address, &trusting(&authority)).unwrap();
    let response = client
        .post("/mutate?timeout=5s", review.to_string().as_bytes())
        .unwrap();
    changed(review, &response)
}

fn counted(line: &str) -> f64 {
    metric(
        SocketAddr::from(([127, 0, 0, 1], usher().health_port())),
        line,
    )
}

/// The review of a pod that asks for the profile `aws-irsa`.
fn asking(namespace: &str, name: &str) -> Value {
    let mut review = crate::real::server::pod("jane", "later");
    review["request"]["namespace"] = json!(namespace);
    let metadata = json!({"name": name, "namespace": namespace, "annotations": {"usher.dev/inject": "aws-irsa"}});
    review["request"]["object"]["metadata"] = metadata;
    review
}

#[test]
fn an_account_that_is_not_there_is_told_of_in_every_way() {
    let team = Team::new("inject-missing");
    let review = asking("inject-missing", "web");
    let said = ask(&review);
    assert!(said.allowed, "{said:?}");
    assert_eq!(
        said.warnings,
        [
            "service account \"later\" was not found; profile \"vault\" is injected without what its annotations may change",
            "profile \"aws-irsa\" is not injected: service account \"later\" was not found",
        ]
    );
    let patched = said.patched.unwrap();
    assert_eq!(patched["spec"]["volumes"].as_array().unwrap().len(), 1);
    let event = eventually("the event", || team.told().first().cloned());
    let expected = json!({
        "apiVersion": "v1", "kind": "Pod", "namespace": "inject-missing", "name": "web",
    });
    assert_eq!(event["involvedObject"], expected);
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["source"]["component"], "usher");
    assert_eq!(
        event["message"],
        "profile \"aws-irsa\" is not injected: service account \"later\" was not found"
    );
    // As people see it.
    let seen = team.run(&["get", "events"]).stdout;
    let at_it = team.run(&["events", "--for=pod/web"]).stdout;
    assert!(at_it.contains("NotInjected"), "{at_it}");
    let line = seen.lines().find(|line| line.contains("NotInjected"));
    assert!(
        line.is_some_and(|line| line.contains("pod/web") && line.contains("was not found")),
        "{seen}"
    );
    assert!(counted("usher_injections_total{profile=\"aws-irsa\",result=\"missed\"}") >= 1.0);
    assert!(counted("usher_events_total{result=\"written\"}") >= 1.0);
    assert!(counted("usher_objects_read_total{result=\"absent\"}") >= 1.0);

    // Again and again: one event. Another pod: one more. A dry run: none.
    for _ in 0..20 {
        assert_eq!(ask(&review).warnings.len(), 2);
    }
    let mut dry = asking("inject-missing", "dry");
    dry["request"]["dryRun"] = json!(true);
    assert_eq!(ask(&dry).warnings.len(), 2);
    ask(&asking("inject-missing", "other"));
    eventually("the second event", || (team.told().len() > 1).then_some(()));
    sleep(Duration::from_millis(300));
    let mut about: Vec<String> = team
        .told()
        .iter()
        .map(|event| event["involvedObject"]["name"].as_str().unwrap().to_owned())
        .collect();
    about.sort();
    assert_eq!(about, ["other", "web"]);

    // The account comes a moment later: the very next pod has all.
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: later, namespace: inject-missing, \
                   annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::1:role/a'}}";
    plane().apply(account).unwrap();
    let said = ask(&review);
    assert!(said.allowed && said.warnings.is_empty(), "{said:?}");
    let patched = said.patched.unwrap();
    assert_eq!(patched["spec"]["volumes"].as_array().unwrap().len(), 2);
    assert!(
        patched.to_string().contains("arn:aws:iam::1:role/a"),
        "{patched}"
    );
}

#[test]
fn what_controllers_make_is_told_of_at_what_made_it() {
    let team = Team::new("inject-owner");
    let deployment = manifest(KINDS[4].1, "api", "")
        .replace("spec: {selector", "spec: {replicas: 3, selector")
        .replace(
            "{labels: {app: api}}, spec",
            "{labels: {app: api}, annotations: {usher.dev/inject: aws-irsa}}, spec",
        );
    assert!(deployment.contains("replicas: 3") && deployment.contains("aws-irsa"));
    team.create(&deployment, &[]).passes();
    eventually("three pods", || {
        let pods = team.run(&["get", "pods", "-o", "name"]).stdout;
        (pods.lines().count() == 3).then_some(())
    });
    eventually("the event", || team.told().first().cloned());
    sleep(Duration::from_millis(300));
    let told = team.told();
    let [event] = &*told else { panic!("{told:?}") };
    let sets = json_of(&team.run(&["get", "replicasets", "-o", "json"]));
    let made = &sets["items"][0]["metadata"];
    let about = &event["involvedObject"];
    assert_eq!(
        (&about["kind"], &about["apiVersion"]),
        (&json!("ReplicaSet"), &json!("apps/v1"))
    );
    assert_eq!(
        (&about["name"], &about["uid"]),
        (&made["name"], &made["uid"])
    );
    // So that it is where its owner looks.
    let described = team.run(&["describe", "replicaset"]).stdout;
    assert!(described.contains("NotInjected"), "{described}");

    // A pod that has no name yet is told of at its account.
    let pod = manifest(KINDS[0].1, "gen", "").replace(
        "{name: gen}",
        "{generateName: gen-, annotations: {usher.dev/inject: aws-irsa}}",
    );
    team.create(&pod, &[]).passes();
    eventually("the event at the account", || {
        let told = team.told();
        told.into_iter()
            .find(|event| event["involvedObject"]["kind"] == "ServiceAccount")
    });
    let seen = team.run(&["events", "--for=serviceaccount/default"]).stdout;
    assert!(seen.contains("NotInjected"), "{seen}");
}
