//! What a pod reads and how it chooses its nodes: every field of a pod spec that the API server itself knows for one is asked
//! about or argued away, and each of them is shown on the real API server, in every list of containers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use usher_core::object::{FIELDS, PATHS, PodField, PodPath, Says, Step};

use super::{Tenants, WEBHOOK};
use crate::real::{
    cluster::{KINDS, Team, eventually, manifest},
    controlplane::{Said, feed, plane},
};

/// Ends of paths that name something which is no secret, config map, account or node of the cluster, or where something else asks.
/// The lists of containers are one here.
const ARGUED: &[(&str, &str)] = &[
    (
        "automountServiceAccountToken",
        "whether the account's token is mounted",
    ),
    ("azureDisk.diskName", "a disk, as the cloud calls it"),
    ("azureFile.shareName", "a share, as the cloud calls it"),
    ("cephfs.secretFile", "a file of the node"),
    ("claims[].name", "a claim of the pod"),
    (
        "clusterTrustBundle.name",
        "certificates that everybody may read",
    ),
    ("clusterTrustBundle.signerName", "the same"),
    ("containers[].name", "its own name"),
    ("dataSource.name", "a snapshot or a claim of the namespace"),
    (
        "dataSourceRef.name",
        "the same; of another namespace with a ReferenceGrant of that",
    ),
    ("dnsConfig.options[].name", "an option"),
    ("env[].name", "its own name"),
    ("fileKeyRef.volumeName", "a volume of the pod"),
    ("flocker.datasetName", "a data set, as the store calls it"),
    ("gcePersistentDisk.pdName", "a disk, as the cloud calls it"),
    ("httpHeaders[].name", "a header"),
    ("iscsi.initiatorName", "who the node says that it is"),
    ("nodeAffinityPolicy", "how the spreading counts nodes"),
    ("nodeTaintsPolicy", "the same"),
    ("os.name", "an operating system"),
    (
        "persistentVolumeClaim.claimName",
        "a claim of the namespace",
    ),
    ("podCertificate.signerName", "the check tokens asks"),
    ("ports[].name", "its own name"),
    ("resizePolicy[].resourceName", "a resource such as cpu"),
    ("resourceClaims[].name", "its own name"),
    (
        "resourceClaims[].resourceClaimName",
        "a claim of the namespace",
    ),
    (
        "resourceClaims[].resourceClaimTemplateName",
        "a template of the namespace",
    ),
    ("resourceFieldRef.containerName", "a container of the pod"),
    ("scaleIO.volumeName", "a volume, as the store calls it"),
    ("schedulingGates[].name", "its own name"),
    (
        "schedulingGroup.podGroupName",
        "a group of pods of the namespace",
    ),
    ("storageos.volumeName", "a volume, as the store calls it"),
    ("sysctls[].name", "a parameter of the kernel"),
    ("targetContainerName", "a container of the pod"),
    ("volumeClaimTemplate.metadata.generateName", "its own name"),
    ("volumeClaimTemplate.metadata.name", "its own name"),
    (
        "volumeClaimTemplate.metadata.ownerReferences[].name",
        "its owner, which is the pod",
    ),
    (
        "volumeClaimTemplate.spec.storageClassName",
        "a class that everybody may use",
    ),
    (
        "volumeClaimTemplate.spec.volumeAttributesClassName",
        "the same",
    ),
    (
        "volumeClaimTemplate.spec.volumeName",
        "a volume, which must want the claim, too",
    ),
    ("volumeDevices[].name", "a volume of the pod"),
    ("volumeMounts[].name", "a volume of the pod"),
    ("volumes[].name", "its own name"),
    (
        "vsphereVolume.storagePolicyName",
        "a policy, as the cloud calls it",
    ),
    (
        "windowsOptions.gmsaCredentialSpecName",
        "the webhook of windows-gmsa asks, with the verb use",
    ),
    (
        "windowsOptions.runAsUserName",
        "a user inside of the container",
    ),
];

/// Every field of a pod spec, by its path in the words of the table, with the names of the types on the way and its own.
fn fields() -> BTreeMap<String, Vec<String>> {
    let text = plane()
        .run(&["get", "--raw", "/openapi/v3/api/v1"])
        .unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut found = BTreeMap::new();
    let schemas = &document["components"]["schemas"];
    walk(schemas, "io.k8s.api.core.v1.PodSpec", "", &[], &mut found);
    found
}

fn walk(
    schemas: &Value,
    name: &str,
    path: &str,
    types: &[String],
    found: &mut BTreeMap<String, Vec<String>>,
) {
    let short = name.rsplit('.').next().unwrap().to_owned();
    let types = [types, &[short]].concat();
    let schema = &schemas[name];
    let Some(properties) = schema["properties"].as_object() else {
        found.insert(path.to_owned(), types);
        return;
    };
    for (key, property) in properties {
        let path = match path {
            "" => key.clone(),
            path => format!("{path}.{key}"),
        };
        let (path, inner) = match (&property["items"], &property["additionalProperties"]) {
            (Value::Object(_), _) => (format!("{path}[]"), &property["items"]),
            (_, Value::Object(_)) => (format!("{path}.*"), &property["additionalProperties"]),
            _ => (path, property),
        };
        let target = inner["$ref"]
            .as_str()
            .or(inner["allOf"][0]["$ref"].as_str());
        match target {
            Some(target) => {
                let target = target.rsplit('/').next().unwrap();
                walk(schemas, target, &path, &types, found);
            }
            None => _ = found.insert(path, types.clone()),
        }
    }
}

/// Whether a field could name something that is asked about: by its own key, or as a part of a choice of nodes.
fn may_name(path: &str, types: &[String]) -> bool {
    let key = path.rsplit('.').find(|key| *key != "*").unwrap();
    let lower = key.to_ascii_lowercase();
    let words = ["secret", "configmap", "serviceaccount", "node"];
    key == "name"
        || key.ends_with("Name")
        || words.iter().any(|word| lower.contains(word))
        || types.iter().any(|name| name == "NodeSelectorRequirement")
}

/// Whether this row asks about a field.
fn asks(row: &PodPath, path: &str) -> bool {
    match row.says {
        Says::Expression | Says::Field | Says::Labels => path.starts_with(row.path.text()),
        Says::PullSecret => path.strip_suffix(".name") == Some(row.path.text()),
        Says::ConfigMap | Says::Secret => path == row.path.text(),
    }
}

#[test]
fn every_field_of_the_api_that_names_something_is_asked_about_or_argued_away() {
    let fields = fields();
    let naming = fields.iter().filter(|(path, types)| may_name(path, types));
    let naming: Vec<&str> = naming.map(|(path, _)| &**path).collect();
    let (mut asked, mut argued) = (BTreeSet::new(), BTreeSet::new());
    let mut open = Vec::new();
    for path in &naming {
        let lists = path.replacen("initContainers[]", "containers[]", 1);
        let path_of_any = lists.replacen("ephemeralContainers[]", "containers[]", 1);
        let row = PATHS.iter().find(|row| asks(row, path));
        let reason = ARGUED.iter().find(|(end, _)| path_of_any.ends_with(end));
        match (row, PodField::of_key(path), reason) {
            (Some(row), None, None) => _ = asked.insert(row.path.text()),
            (None, Some(_), None) => {}
            (None, None, Some((end, _))) => _ = argued.insert(*end),
            (None, None, None) => open.push(format!("{path}: nobody asks about it")),
            _ => open.push(format!("{path}: it is asked about, and argued away")),
        }
    }
    assert!(open.is_empty(), "{}", open.join("\n"));
    // Nothing is asked, and nothing argued, that the API does not have.
    let rows: BTreeSet<&str> = PATHS.iter().map(|row| row.path.text()).collect();
    assert_eq!(asked, rows);
    let all: BTreeSet<&str> = ARGUED.iter().map(|(end, _)| *end).collect();
    assert_eq!(argued, all);
    for key in FIELDS.iter().flat_map(PodField::keys) {
        assert!(
            fields
                .keys()
                .any(|path| path.split(['.', '[']).next() == Some(key)),
            "{key}"
        );
    }
    println!(
        "{} fields name something: {} rows, {} argued",
        naming.len(),
        rows.len(),
        all.len()
    );
}

/// What is named in every row.
const NAMED: &str = "precious";

/// What a volume of a row needs beside what is asked about.
fn beside(row: &str) -> Value {
    match row {
        "volumes[].csi.nodePublishSecretRef.name" => json!({"csi": {"driver": "d.example.org"}}),
        "volumes[].flexVolume.secretRef.name" => json!({"flexVolume": {"driver": "example.org/d"}}),
        "volumes[].azureFile.secretName" => json!({"azureFile": {"shareName": "s"}}),
        "volumes[].cephfs.secretRef.name" => json!({"cephfs": {"monitors": ["m"]}}),
        "volumes[].cinder.secretRef.name" => json!({"cinder": {"volumeID": "v"}}),
        "volumes[].iscsi.secretRef.name" => json!({
            "iscsi": {"targetPortal": "192.0.2.1", "iqn": "iqn.2001-04.com.example:s", "lun": 0, "chapAuthSession": true},
        }),
        "volumes[].rbd.secretRef.name" => json!({"rbd": {"monitors": ["m"], "image": "i"}}),
        "volumes[].scaleIO.secretRef.name" => json!({
            "scaleIO": {"gateway": "https://g", "system": "s", "volumeName": "v"},
        }),
        "volumes[].storageos.secretRef.name" => json!({"storageos": {"volumeName": "v"}}),
        _ => json!({}),
    }
}

/// A pod that names something in the field of a row, and an ephemeral container to add, if the row is of those.
fn pod(row: &PodPath, index: usize) -> Value {
    let text = row.path.text();
    let end = match row.says {
        Says::Expression => json!({"key": "pool", "operator": "In", "values": [NAMED]}),
        Says::Field => json!({"key": "metadata.name", "operator": "In", "values": [NAMED]}),
        Says::Labels => json!({"pool": NAMED}),
        Says::PullSecret => json!({ "name": NAMED }),
        Says::ConfigMap | Says::Secret => json!(NAMED),
    };
    let mut spec = row
        .path
        .steps()
        .iter()
        .rev()
        .fold(end, |below, step| match step {
            Step::Items => json!([below]),
            Step::Key(key) => json!({ &**key: below }),
            Step::Values => panic!("{text}"),
        });
    let merge = |at: &mut Value, more: Value| {
        let more: Value = more;
        for (key, value) in more.as_object().unwrap() {
            match (at.get_mut(key).and_then(Value::as_object_mut), value) {
                (Some(held), Value::Object(value)) => held.extend(value.clone()),
                _ => at[key] = value.clone(),
            }
        }
    };
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        if let Some(container) = spec.pointer_mut(&format!("/{list}/0")) {
            let name = list.to_ascii_lowercase();
            merge(container, json!({"name": name, "image": "nginx"}));
        }
    }
    for (pointer, more) in [
        ("/volumes/0", json!({"name": "v"})),
        ("/volumes/0", beside(text)),
        ("/volumes/0/projected/sources/0", json!({})),
        ("/containers/0/env/0", json!({"name": "E"})),
        ("/initContainers/0/env/0", json!({"name": "E"})),
        ("/ephemeralContainers/0/env/0", json!({"name": "E"})),
        (
            "/affinity/nodeAffinity/preferredDuringSchedulingIgnoredDuringExecution/0",
            json!({"weight": 1}),
        ),
    ] {
        if let Some(at) = spec.pointer_mut(pointer) {
            merge(at, more);
        }
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for of in ["secretKeyRef", "configMapKeyRef"] {
            let pointer = format!("/{list}/0/env/0/valueFrom/{of}");
            if let Some(at) = spec.pointer_mut(&pointer) {
                merge(at, json!({"key": "k"}));
            }
        }
    }
    if spec.get("containers").is_none() {
        spec["containers"] = json!([{"name": "c", "image": "nginx"}]);
    }
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": format!("field-{index}")}, "spec": spec})
}

/// Somebody who may write pods in the namespace of a team, and nothing else but these verbs on secrets and config maps.
fn tenant(team: &Team, name: &str, reads: &str) -> String {
    let Team { namespace, .. } = team;
    let user = format!("{namespace}-{name}");
    let rules = [
        (
            "pods",
            "--verb=create,get,update,patch",
            "--resource=pods,pods/ephemeralcontainers",
        ),
        ("reads", reads, "--resource=secrets,configmaps"),
    ];
    for (role, verbs, resources) in rules.iter().filter(|rule| !rule.1.is_empty()) {
        let role = format!("{name}-{role}");
        for args in [
            ["create", "role", &role, verbs, resources].as_slice(),
            &[
                "create",
                "rolebinding",
                &role,
                "--role",
                &role,
                "--user",
                &user,
            ],
        ] {
            plane().run(&[&["-n", namespace], args].concat()).unwrap();
        }
    }
    user
}

/// The pod of a row is sent; an ephemeral container is added to a pod that is there.
fn send(team: &Team, user: &str, pod: &Value) -> Said {
    let path = format!("/api/v1/namespaces/{}/pods", team.namespace);
    let mut command = plane().kubectl_as(user);
    if pod["spec"].get("ephemeralContainers").is_some() {
        let path = format!("{path}/live/ephemeralcontainers?dryRun=All");
        let there = plane().run(&["-n", &team.namespace, "get", "pod", "live", "-o", "json"]);
        let mut live: Value = serde_json::from_str(&there.unwrap()).unwrap();
        live["spec"]["ephemeralContainers"] = pod["spec"]["ephemeralContainers"].clone();
        command.args(["replace", "--raw", &path, "-f", "-"]);
        return feed(&mut command, &live.to_string()).unwrap().into();
    }
    let path = format!("{path}?dryRun=All");
    command.args(["create", "--raw", &path, "-f", "-"]);
    feed(&mut command, &pod.to_string()).unwrap().into()
}

#[test]
fn a_pod_that_names_something_in_a_field() {
    let tenants = Tenants::new("reads");
    tenants.pod("live", "");
    let [free, guarded] = tenants.both();
    let joe = tenant(guarded, "joe", "");
    let stranger = tenant(free, "joe", "");
    let rea = tenant(guarded, "rea", "--verb=get");
    let pods: Vec<(&PodPath, Value)> = PATHS
        .iter()
        .enumerate()
        .map(|(index, row)| (row, pod(row, index)))
        .collect();
    for (row, pod) in &pods {
        let path = row.path.text();
        send(free, &stranger, pod).passes();
        let resource = row.says.resource();
        let target = match row.says {
            Says::Expression | Says::Labels => format!("pool={NAMED}"),
            _ => NAMED.to_owned(),
        };
        let said = send(guarded, &joe, pod);
        assert!(!said.success, "{path}: {said:?}");
        let who = format!(
            "{joe} may not use {} \"{target}\" in namespace ways-reads (spec.",
            resource.singular
        );
        said.refused_by(WEBHOOK, &who);
        let verb = if resource.is_readable() {
            "use or get"
        } else {
            "use"
        };
        let needs = format!("needs: verb {verb} on {resource} \"{target}\" in ways-reads");
        said.refused_by(WEBHOOK, &needs);
        // Who may read it gains nothing.
        let read = send(guarded, &rea, pod);
        assert_eq!(read.success, resource.is_readable(), "{path}: {read:?}");
    }
    let Team { namespace, .. } = guarded;
    let team = Team {
        namespace: namespace.clone(),
        user: joe.clone(),
    };
    for target in [
        "secrets/precious",
        "configmaps/precious",
        "nodes/precious",
        "nodelabels.usher.dev/pool=precious",
    ] {
        team.grant(target);
    }
    for (_, pod) in &pods {
        send(guarded, &joe, pod).passes();
    }
}

/// Way 11: the Secret is there, made by somebody who might.
#[test]
fn a_token_secret_is_mounted() {
    let tenants = Tenants::new("reads-token");
    let [free, guarded] = tenants.both();
    let secret = "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata:\n  name: t\n  namespace: NS\n  \
                  annotations: {kubernetes.io/service-account.name: deployer}";
    let ways = [
        json!({"volumes": [{"name": "v", "secret": {"secretName": "t"}}]}),
        json!({"volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "t"}}]}}]}),
    ];
    let pods = ways.map(|mut spec| {
        spec["containers"] = json!([{"name": "c", "image": "nginx"}]);
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reader"}, "spec": spec})
    });
    let users = tenants.both().map(|team| {
        plane()
            .apply(&secret.replace("NS", &team.namespace))
            .unwrap();
        tenant(team, "joe", "")
    });
    for pod in &pods {
        send(free, &users[0], pod).passes();
        send(guarded, &users[1], pod).refused_by(
            WEBHOOK,
            "ways-reads-token-joe may not use secret \"t\" in namespace ways-reads-token (spec.volumes[0].",
        );
    }
    let team = Team {
        namespace: guarded.namespace.clone(),
        user: users[1].clone(),
    };
    team.grant("secrets/t");
    for pod in &pods {
        send(guarded, &team.user, pod).passes();
    }
}

#[test]
fn what_kubernetes_itself_adds_passes() {
    let tenants = Tenants::new("reads-added");
    let [_, guarded] = tenants.both();
    let joe = tenant(guarded, "joe", "");
    let Team { namespace, .. } = guarded;
    // Both are of the account that every pod runs as.
    plane()
        .run(&["-n", namespace, "create", "secret", "generic", "registry"])
        .unwrap();
    let pulls = r#"{"imagePullSecrets": [{"name": "registry"}]}"#;
    plane()
        .run(&[
            "-n",
            namespace,
            "patch",
            "serviceaccount",
            "default",
            "-p",
            pulls,
        ])
        .unwrap();
    let bare = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}});
    let said = send(guarded, &joe, &bare);
    said.passes();
    let made: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(
        made["spec"]["imagePullSecrets"][0]["name"], "registry",
        "{made}"
    );
    let projected = &made["spec"]["volumes"][0]["projected"]["sources"];
    assert!(projected.to_string().contains("kube-root-ca.crt"), "{made}");
    // To read it is another matter.
    let mut reading = bare;
    reading["spec"]["containers"][0]["envFrom"] = json!([{"secretRef": {"name": "registry"}}]);
    send(guarded, &joe, &reading).refused_by(WEBHOOK, "may not use secret \"registry\"");
}

#[test]
fn controllers_carry_out_what_the_template_reads_and_chooses() {
    let tenants = Tenants::new("reads-made");
    let [_, guarded] = tenants.both();
    plane()
        .apply("apiVersion: v1\nkind: Node\nmetadata: {name: reads-1, labels: {only: reads}}")
        .unwrap();
    let spec = "nodeSelector: {only: reads}, volumes: [{name: v, secret: {secretName: db}}]";
    let kinds = [KINDS[4].1, KINDS[6].1];
    // The role edit holds get on secrets, and nothing on labels of nodes.
    for kind in kinds {
        guarded
            .create(&manifest(kind, "web", spec), &[])
            .refused_by(WEBHOOK, "may not use node label \"only=reads\"");
    }
    guarded.grant("nodelabels.usher.dev/only=reads");
    for kind in kinds {
        guarded.create(&manifest(kind, "web", spec), &[]).passes();
    }
    let pods = eventually("a pod of the Deployment and one of the DaemonSet", || {
        let listed = guarded.run(&["get", "pods", "-o", "json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let pods = listed["items"].as_array().unwrap().clone();
        (pods.len() == 2).then_some(pods)
    });
    let pinned = pods.iter().filter(|pod| {
        let affinity = pod["spec"]["affinity"].to_string();
        affinity.contains("metadata.name") && affinity.contains("reads-1")
    });
    assert_eq!(pinned.count(), 1, "{pods:?}");
    // A tenant does not pin by hand what the controller may.
    let by_hand = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: \
                   [{matchFields: [{key: metadata.name, operator: In, values: [reads-1]}]}]}}}";
    guarded.pod("pinned", by_hand).refused_by(
        WEBHOOK,
        "needs: verb use on nodes \"reads-1\" in ways-reads-made",
    );
}

#[test]
fn a_pod_that_waits_is_told_to_choose() {
    let tenants = Tenants::new("reads-gated");
    let [free, guarded] = tenants.both();
    let choose = |team: &Team, label: &str| {
        let patch = format!("{{\"spec\": {{\"nodeSelector\": {{\"pool\": \"{label}\"}}}}}}");
        team.run(&["patch", "pod", "gated", "-p", &patch])
    };
    for team in tenants.both() {
        // Its account is another's: that is no matter here.
        let namespace = &team.namespace;
        let gated = manifest(
            KINDS[0].1,
            "gated",
            "serviceAccountName: deployer, schedulingGates: [{name: example.org/g}]",
        );
        let gated = gated.replacen(
            "metadata: {name",
            &format!("metadata: {{namespace: {namespace}, name"),
            1,
        );
        plane().apply(&gated).unwrap();
    }
    choose(free, "a").passes();
    choose(guarded, "a").refused_by(
        WEBHOOK,
        "may not use node label \"pool=a\" in namespace ways-reads-gated (spec.nodeSelector.pool)",
    );
    guarded.grant("nodelabels.usher.dev/pool=a");
    choose(guarded, "a").passes();
    guarded.run(&["label", "pod", "gated", "a=b"]).passes();
}

#[test]
fn a_pod_chooses_a_scheduler_of_its_own() {
    let tenants = Tenants::new("schedulers");
    let [free, guarded] = tenants.both();
    let own = "schedulerName: batch";
    free.pod("batch", own).passes();
    guarded.pod("batch", own).refused_by(
        WEBHOOK,
        "ways-schedulers-jane may not use scheduler \"batch\" in namespace ways-schedulers (spec.schedulerName)",
    );
    guarded
        .create(&manifest(KINDS[4].1, "web", own), &[])
        .refused_by(WEBHOOK, "(spec.template.spec.schedulerName)");
    // The one that Kubernetes itself writes in.
    guarded.pod("default", "").passes();
    guarded.grant("schedulers.usher.dev/batch");
    guarded.pod("batch", own).passes();
}
