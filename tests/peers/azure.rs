//! `Azure/azure-workload-identity`.

use serde_json::{Value, json};

use super::{
    Difference, Outcome, Row, body, containers, folder, is_taken, judge, mount, names, push,
    rows_of, token_volume,
};
use crate::support::injected::account;

const PATH: &str = "/var/run/secrets/azure/wi";
const TOKEN: &str = "token/azure-identity-token";
const VOLUME: &str = "azure-identity-token";
const AUTHORITY: &str = "https://login.microsoftonline.com/";

#[test]
#[ignore = "needs USHER_FIXTURES, the test data of other projects"]
fn the_rows_of_azure() {
    let folder = folder("azure-workload-identity");
    let file = rows_of(&folder.join("cases.json"));
    let cases = file["cases"].as_array().unwrap();
    let rows: Vec<Row> = cases.iter().map(|case| row(&named(case))).collect();
    judge("azure", &rows);
}

/// The row with the name of Usher's volume: theirs ends in a hash of the name of the pod, which a test cannot know.
fn named(case: &Value) -> Value {
    let text = case.to_string();
    let mut parts = text.split("azure-workload-identity-reserved-");
    let mut mapped = parts.next().unwrap().to_owned();
    for part in parts {
        mapped.push_str(VOLUME);
        mapped.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit() || c == '-'));
    }
    serde_json::from_str(&mapped).unwrap()
}

/// What the other project would be told.
struct Settings {
    client: String,
    tenant: String,
    authority: String,
    seconds: i64,
}

impl Settings {
    /// The pod as the other project makes it: a volume, and variables and a mount in every container but those.
    fn inject(&self, pod: &Value, skip: &[&str]) -> Value {
        let mut pod = pod.clone();
        let volume = token_volume(VOLUME, "api://AzureADTokenExchange", self.seconds, TOKEN);
        if !names(&pod["spec"]["volumes"]).contains(&VOLUME) {
            push(&mut pod["spec"], "volumes", volume);
        }
        for container in containers(&mut pod) {
            if skip.contains(&container["name"].as_str().unwrap()) {
                continue;
            }
            for (name, value) in [
                ("AZURE_CLIENT_ID", &self.client),
                ("AZURE_TENANT_ID", &self.tenant),
                ("AZURE_FEDERATED_TOKEN_FILE", &format!("{PATH}/{TOKEN}")),
                ("AZURE_AUTHORITY_HOST", &self.authority),
            ] {
                if !value.is_empty() && !names(&container["env"]).contains(&name) {
                    push(container, "env", json!({"name": name, "value": value}));
                }
            }
            push(container, "volumeMounts", mount(VOLUME, PATH));
        }
        pod
    }
}

#[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
fn row(case: &Value) -> Row {
    let group = case["group"].as_str().unwrap();
    let (input, expect) = (&case["input"], &case["expect"]);
    let given = |key: &str, otherwise: &str| input[key].as_str().unwrap_or(otherwise).to_owned();
    let mut settings = Settings {
        client: given("client_id", "clientID"),
        tenant: given("tenant_id", "tenantID"),
        authority: given("authority", AUTHORITY),
        seconds: expect["expirationSeconds"].as_i64().unwrap_or(3600),
    };
    let mut accounts = vec![account(
        "ns1",
        "sa",
        &json!({"azure.workload.identity/client-id": settings.client}),
    )];
    if let Some(annotations) = input["sa_annotations"].as_object() {
        let held = accounts[0]["metadata"]["annotations"]
            .as_object_mut()
            .unwrap();
        held.extend(annotations.clone());
    }
    let whole = input["pod"].as_object().is_some();
    let mut pod = if whole {
        input["pod"].clone()
    } else {
        bare(input)
    };
    // A pod without the label never comes to the other project's webhook: the API server looks for it.
    pod["metadata"]["labels"]["azure.workload.identity/use"] = "true".into();
    if let Some(annotations) = input["pod_annotations"].as_object() {
        pod["metadata"]["annotations"] = json!(annotations);
    }
    let mut skip: Vec<&str> = Vec::new();
    let theirs = match group {
        "expiration" if expect["error"] == true => Outcome::Refused(String::new()),
        "handle-error" => {
            assert_eq!(expect["allowed"], false);
            Outcome::Refused(String::new())
        }
        "expiration" | "skip-containers" => {
            skip.extend(
                expect["skip"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str),
            );
            Outcome::Pod(settings.inject(&pod, &skip))
        }
        "volume" => {
            let mut theirs = settings.inject(&pod, &[]);
            theirs["spec"]["volumes"] = expect["volumes"].clone();
            Outcome::Pod(theirs)
        }
        "env" | "mount" => {
            let field = if group == "env" {
                "env"
            } else {
                "volumeMounts"
            };
            let mut theirs = settings.inject(&pod, &[]);
            theirs["spec"]["containers"][0][field] = expect["container"][field].clone();
            Outcome::Pod(theirs)
        }
        // Of a pod without containers the row asks nothing more, and there is none.
        "containers" if expect["containers"] == json!([]) => Outcome::Pod(pod.clone()),
        "containers" => {
            let mut theirs = settings.inject(&pod, &[]);
            theirs["spec"]["containers"] = expect["containers"].clone();
            let listed = input["skip"].as_array().into_iter().flatten();
            let listed: Vec<&str> = listed.filter_map(Value::as_str).collect();
            let listed = json!({"azure.workload.identity/skip-containers": listed.join(";")});
            theirs["metadata"]["annotations"] = listed.clone();
            pod["metadata"]["annotations"] = listed;
            Outcome::Pod(theirs)
        }
        "handle" => {
            assert_eq!(expect["allowed"], true);
            settings.seconds = 4800;
            Outcome::Pod(settings.inject(&pod, &[]))
        }
        group => panic!("this test does not know rows of {group:?}: {case:#}"),
    };
    if whole {
        let lists = ["service_accounts_cache", "service_accounts_live"];
        accounts = lists
            .iter()
            .flat_map(|list| input[*list].as_array().cloned().unwrap_or_default())
            .collect();
    }
    let known = |name: &str| {
        accounts
            .iter()
            .any(|account| account["metadata"]["name"] == name)
    };
    let proxy = "azure.workload.identity/inject-proxy-sidecar";
    let annotations = &pod["metadata"]["annotations"];
    let wanted = token_volume(
        VOLUME,
        "api://AzureADTokenExchange",
        settings.seconds,
        TOKEN,
    );
    let ours = if is_taken(&pod, &wanted) {
        Some((Difference::Taken, Outcome::Refused(format!("\"{VOLUME}\""))))
    } else if !known(
        pod["spec"]["serviceAccountName"]
            .as_str()
            .unwrap_or("default"),
    ) && annotations.get(proxy).is_none()
        && input["object_text"].is_null()
    {
        Some((Difference::Missing, Outcome::Pod(pod.clone())))
    } else {
        None
    };
    let mut bytes = body(&pod, "ns1");
    if let Some(text) = input["object_text"].as_str() {
        let review = String::from_utf8(bytes).unwrap();
        bytes = review.replace(&pod.to_string(), text).into_bytes();
    }
    Row {
        name: format!("{group}: {}", case["name"].as_str().unwrap()),
        profile: json!({"preset": "azure-workload-identity", "env": [
            {"name": "AZURE_TENANT_ID", "value": settings.tenant},
            {"name": "AZURE_AUTHORITY_HOST", "value": settings.authority},
        ]}),
        accounts,
        body: bytes,
        theirs,
        warning: matches!(ours, Some((Difference::Missing, _))).then_some("was not found"),
        ours,
        drawn: None,
    }
}

/// A pod around what the row is about.
fn bare(input: &Value) -> Value {
    let mut list = input["containers"].clone();
    if !list.is_array() {
        list = match &input["container"] {
            Value::Null => ["container1", "container2", "container3"]
                .map(|name| json!({"name": name, "image": "image"}))
                .into_iter()
                .collect(),
            only => json!([only]),
        };
    }
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": "ns1", "labels": {}},
        "spec": {"serviceAccountName": "sa", "containers": list, "volumes": input["volumes"].as_array().unwrap_or(&Vec::new())},
    })
}
