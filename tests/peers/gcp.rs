//! `pfnet-research/gcp-workload-identity-federation-webhook`.

use serde_json::{Value, json};

use super::{
    Difference, Outcome, Row, body, containers, folder, is_taken, judge, mount, names, push,
    rows_of, token_volume,
};
use crate::support::injected::account;

const PATH: &str = "/var/run/secrets/sts.googleapis.com/serviceaccount";
const VOLUME: &str = "gcp-iam-token";

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn the_rows_of_gcp() {
    let folder = folder("gcp-workload-identity-federation-webhook");
    let file = rows_of(&folder.join("cases.json"));
    let mode = file["constants"]["defaultMode_in_test_octal"]
        .as_str()
        .unwrap();
    let mode = i64::from_str_radix(mode, 8).unwrap();
    let cases = file["cases"].as_array().unwrap();
    let rows: Vec<Row> = cases
        .iter()
        .map(|case| row(case, &file["constants"], mode))
        .collect();
    judge("gcp", &rows);
}

fn row(case: &Value, constants: &Value, mode: i64) -> Row {
    let (input, expect) = (&case["input"], &case["expect"]);
    let settings = &input["sa_config"];
    let mut annotations = json!({
        "cloud.google.com/workload-identity-provider": constants["provider"],
        "cloud.google.com/service-account-email":
            settings["email"].as_str().unwrap_or("sa@demo.iam.gserviceaccount.com"),
    });
    if let Some(audience) = settings["audience"].as_str() {
        annotations["cloud.google.com/audience"] = audience.into();
    }
    if let Some(seconds) = settings["expirationSeconds"].as_i64() {
        annotations["cloud.google.com/token-expiration"] = seconds.to_string().into();
    }
    let some = |list: &str| match &input[list] {
        Value::Null => json!([{"name": "ctr", "image": "busybox"}]),
        given => given.clone(),
    };
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": "default", "annotations": {}},
        "spec": {
            "serviceAccountName": "sa",
            "initContainers": some("init_containers"),
            "containers": some("containers"),
            "volumes": [],
        },
    });
    if let Some(held) = input.get("pod_annotations") {
        pod["metadata"]["annotations"] = held.clone();
    }
    if let Some(held) = input.get("volumes") {
        pod["spec"]["volumes"] = held.clone();
    }
    let audience = settings["audience"]
        .as_str()
        .unwrap_or("sts.googleapis.com");
    let mut wanted = token_volume(VOLUME, audience, 86_400, "token");
    wanted["projected"]["defaultMode"] = mode.into();
    let theirs = if expect["error"] == true {
        Outcome::Refused(String::new())
    } else {
        let mounted = &expect["init_and_main_containers_get_mount"];
        assert!(mounted == true || is_taken(&pod, &wanted), "{case:#}");
        let mut theirs = pod.clone();
        for volume in expect["volumes_contain"].as_array().unwrap() {
            let list = theirs["spec"]["volumes"].as_array_mut().unwrap();
            list.retain(|held| held["name"] != volume["name"]);
            list.push(volume.clone());
        }
        for container in containers(&mut theirs) {
            if names(&container["volumeMounts"]).contains(&VOLUME) {
                let list = container["volumeMounts"].as_array_mut().unwrap();
                list.retain(|held| held["name"] != VOLUME);
            }
            push(container, "volumeMounts", mount(VOLUME, PATH));
        }
        Outcome::Pod(theirs)
    };
    let ours = is_taken(&pod, &wanted)
        .then(|| (Difference::Taken, Outcome::Refused(format!("\"{VOLUME}\""))));
    let ours = ours.or_else(|| {
        let Outcome::Pod(theirs) = &theirs else {
            return None;
        };
        // What only its own set-up container needs.
        let mut without = theirs.clone();
        let list = without["spec"]["volumes"].as_array_mut().unwrap();
        list.retain(|held| {
            held["name"] != "gcloud-config" && held["name"] != "external-credential-config"
        });
        (without != *theirs).then_some((Difference::Setup, Outcome::Pod(without)))
    });
    Row {
        name: case["name"].as_str().unwrap().to_owned(),
        profile: json!({"preset": "gcp-workload-identity", "volume": {"defaultMode": mode}}),
        accounts: vec![account("default", "sa", &annotations)],
        body: body(&pod, "default"),
        theirs,
        ours,
        drawn: None,
        warning: None,
    }
}
