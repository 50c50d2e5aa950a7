//! Every sort of field with what it finds, as a table.

use serde_json::value::RawValue;

use super::{Around, Sighting, sightings};
use crate::{
    catalogue::{Catalogue, Content},
    reference::{Reference, Target},
};

/// What the field finds in the object: path, namespace if it is another, and target.
fn seen(field: &str, object: &str) -> Vec<String> {
    let file = format!(
        "about: a\nkinds: [{{group: g, kind: K, resource: ks, versions: [v1], fields: [{field}]}}]\n\
         controllers: {{operator: {{namespace: ops, serviceAccount: op}}, flagged: {{namespace: ops, serviceAccount: fl, defaultServiceAccount: df}}}}"
    );
    let mut catalogue = Catalogue::embedded().unwrap();
    catalogue
        .add("f", &file)
        .unwrap_or_else(|bad| panic!("{bad}"));
    let Content::Fields(fields) = &catalogue.find("g", "K").unwrap().content else {
        panic!("no fields");
    };
    let object: &RawValue = serde_json::from_str(object).unwrap();
    let controller = |name: &str| catalogue.identity(name);
    let around = Around {
        catalogue: &catalogue,
        controller: &controller,
        asks: &|_| true,
        steers: &|annotation| annotation == "profile.example/role",
        is_bound: &|user| user == "system:serviceaccount:own:bound",
    };
    let found = sightings(around, fields, object, "own".into());
    let reference = |reference: &Reference<'_>| {
        let namespace = reference.namespace.as_ref().map(|ns| format!("{ns}/"));
        let target = match &reference.target {
            Target::Object { resource, name } => format!("{resource} {name}"),
            Target::Taints(toleration) => toleration.to_string(),
        };
        format!(
            "{}: {}{target}",
            reference.path,
            namespace.unwrap_or_default()
        )
    };
    let line = |sighting: Sighting<'_>| match sighting {
        Sighting::ConfigMap {
            path,
            namespace,
            name,
            key,
            otherwise,
        } => format!(
            "{path}: {key} of {namespace}/{name}, or {:?}",
            otherwise.as_ref().map(reference)
        ),
        Sighting::Made(held, uid) => format!("{}, made for {uid}", reference(&held)),
        Sighting::Reference(held) => reference(&held),
        Sighting::Malformed(held, why) => format!("{} malformed: {why}", held.path),
        Sighting::Lost(path, why) => format!("{path} lost: {why}"),
        Sighting::Credential {
            path,
            namespace,
            token,
            certificate,
        } => {
            let token = token.map(|token| (token.audience.to_string(), token.seconds()));
            let signer = certificate.map(|held| held.signer_name.to_string());
            format!("{path}: {namespace} {token:?} {signer:?}")
        }
        Sighting::Opaque(path, what) => format!("{path} opaque: {what}"),
        Sighting::PodSpec {
            base,
            spec,
            account,
            namespace,
        } => {
            format!("{base}: {namespace} pod of {} ({account})", spec.account())
        }
    };
    found.into_iter().map(line).collect()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a long table is not a long thought")]
fn every_sort_of_field_is_seen() {
    for (field, object, expected) in [
        (
            "{path: s.a, serviceAccount: {}}",
            r#"{"s":{"a":"x"}}"#,
            &["s.a: serviceaccounts x"][..],
        ),
        ("{path: s.a, serviceAccount: {}}", r#"{"s":{}}"#, &[]),
        (
            r#"{path: metadata.name, serviceAccount: {made: "x-{}-y"}}"#,
            r#"{"metadata":{"name":"a","uid":"u"}}"#,
            &["metadata.name: serviceaccounts x-a-y, made for u"],
        ),
        (
            "{path: s.a, serviceAccount: {}}",
            r#"{"s":{"a":7}}"#,
            &["s.a malformed: serviceaccounts must be named by a text"],
        ),
        (
            "{path: s.a, serviceAccount: {absent: default}}",
            "{}",
            &["s.a: serviceaccounts default"],
        ),
        (
            "{path: s.a, serviceAccount: {absent: {controller: operator}}}",
            r#"{"s":{"a":""}}"#,
            &["s.a: ops/serviceaccounts op"],
        ),
        (
            "{path: s.a, serviceAccount: {absent: {controller: flagged}}}",
            "{}",
            &["s.a: serviceaccounts df"],
        ),
        (
            "{path: s.a, serviceAccount: {absent: {account: runner}}}",
            "{}",
            &["s.a: serviceaccounts runner"],
        ),
        (
            "{path: s.a, serviceAccount: {absent: {account: runner}, in: {controller: operator}}}",
            "{}",
            &["s.a: ops/serviceaccounts runner"],
        ),
        (
            "{path: s.r, serviceAccount: {configMap: {key: k}, absent: {controller: operator}}}",
            r#"{"s":{"r":{"name":"m"}}}"#,
            &["s.r: k of own/m, or Some(\"s.r: ops/serviceaccounts op\")"],
        ),
        (
            "{path: s.r, serviceAccount: {configMap: {key: k}}}",
            r#"{"s":{"r":{"name":"m"}}}"#,
            &["s.r: k of own/m, or None"],
        ),
        (
            "{path: s.r, serviceAccount: {configMap: {key: k}}}",
            r#"{"s":{"r":{"name":7}}}"#,
            &["s.r malformed: serviceaccounts must be named by a text"],
        ),
        (
            "{path: s.r, serviceAccount: {configMap: {key: k}, absent: default}}",
            "{}",
            &[],
        ),
        (
            "{path: s.a, controller: operator}",
            r#"{"s":{"a":{"region":"x"}}}"#,
            &["s.a: ops/serviceaccounts op"],
        ),
        (
            "{path: s.a, controller: operator}",
            r#"{"s":{"a":{}}}"#,
            &[],
        ),
        (
            "{path: s.a, serviceAccount: {in: {controller: operator}}}",
            r#"{"s":{"a":"x"}}"#,
            &["s.a: ops/serviceaccounts x"],
        ),
        (
            "{path: s.r, serviceAccount: {name: n, in: {field: ns}}}",
            r#"{"s":{"r":{"n":"x","ns":"b"}}}"#,
            &["s.r: b/serviceaccounts x"],
        ),
        (
            "{path: s.r, serviceAccount: {name: n, in: {field: ns}}}",
            r#"{"s":{"r":{"n":"x","ns":"own"}}}"#,
            &["s.r: serviceaccounts x"],
        ),
        (
            "{path: s.a, serviceAccount: {form: 'namespace:name'}}",
            r#"{"s":{"a":"b:x"}}"#,
            &["s.a: b/serviceaccounts x"],
        ),
        (
            "{path: s.a, serviceAccount: {in: {path: s.ns}}}",
            r#"{"s":{"a":"x","ns":"b"}}"#,
            &["s.a: b/serviceaccounts x"],
        ),
        (
            "{path: 's.l[]', object: {of: as.g}}",
            r#"{"s":{"l":[{"name":"x","namespace":"b"},{"name":"y"},{"namespace":"c"}]}}"#,
            &["s.l[0]: b/as.g x", "s.l[2]: c/as.g *"],
        ),
        (
            "{path: 's.l[]', object: {of: as.g, name: ., form: namespace/name}}",
            r#"{"s":{"l":["b/x","y","own/z"]}}"#,
            &["s.l[0]: b/as.g x"],
        ),
        (
            "{path: s.o, object: {kind: kind, of: {A: as.g, B: secrets}}}",
            r#"{"s":{"o":{"kind":"B","name":"x"}}}"#,
            &["s.o: secrets x"],
        ),
        (
            "{path: s.o, object: {kind: kind, of: {A: as.g, B: secrets}}}",
            r#"{"s":{"o":{"kind":"C","name":"x"}}}"#,
            &["s.o malformed: the kind is none that is known here"],
        ),
        (
            "{path: s.o, object: {kind: kind, of: {Z: zs.g, A: as.g}, name: n, namespace: ns}}",
            r#"{"s":{"o":{"n":"x","ns":"b"}}}"#,
            &["s.o: b/zs.g x"],
        ),
        (
            "{path: 's.l[].r[]', object: {of: as.g, namespace: none, cluster: true}, when: [{'s.l[].kind': C}]}",
            r#"{"s":{"l":[{"kind":"D","r":[{"name":"x"}]},{"kind":"C","r":[{"name":"y"},{"name":"z"}]}]}}"#,
            &["s.l[1].r[0]: as.g y", "s.l[1].r[1]: as.g z"],
        ),
        (
            "{path: s.o, object: {of: as.g, check: scaleTargets, namespace: none}}",
            r#"{"s":{"o":{"name":"x","none":"b"}}}"#,
            &["s.o: as.g x"],
        ),
        (
            "{path: 's.m.*.a', serviceAccount: {absent: default}, unless: ['s.m.*.b']}",
            r#"{"s":{"m":{"p":{"b":1},"q":{}}}}"#,
            &["s.m.q.a: serviceaccounts default"],
        ),
        (
            "{path: 's.l[].a', serviceAccount: {}, when: [{'s.other[].a': v}]}",
            r#"{"s":{"l":[{"a":"x"}],"other":[{},{"a":"v"}]}}"#,
            &["s.l[0].a: serviceaccounts x"],
        ),
        (
            "{path: s.o, object: {of: as.g, cluster: true}}",
            r#"{"s":{"o":{"name":"x"}}}"#,
            &["s.o: as.g x"],
        ),
        (
            "{path: s.o, object: {of: as.g, check: scaleTargets, name: .}}",
            r#"{"s":{"o":"x"}}"#,
            &["s.o: as.g x"],
        ),
        // What a check asks about is asked by it, wherever it is named.
        (
            "{path: s.o, object: {of: serviceaccounts, name: .}}",
            r#"{"s":{"o":"x"}}"#,
            &["s.o: serviceaccounts x"],
        ),
        (
            "{path: s.o, object: {of: nodes, name: ., namespace: none}}",
            r#"{"s":{"o":"x"}}"#,
            &["s.o: nodes x"],
        ),
        (
            "{path: s.m, manifest: {}}",
            r#"{"s":{"m":{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"x","annotations":{"profile.example/role":"r"}}}}}"#,
            &["s.m.metadata.annotations[\"profile.example/role\"]: own/serviceaccounts x"],
        ),
        (
            "{path: 's.m[]', manifest: {}}",
            r#"{"s":{"m":[{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"bound"}},
                {"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"free"}}]}}"#,
            &["s.m[0].metadata.name: own/serviceaccounts bound"],
        ),
        (
            "{path: s.m, manifest: {}}",
            r#"{"s":{"m":{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","metadata":{"name":"x"},
                "spec":{"signerName":"kubernetes.io/kube-apiserver-client","request":"?"}}}}"#,
            &["s.m lost: spec.request holds no certificate request in PEM"],
        ),
        (
            "{path: s.n, namespace: {}}",
            r#"{"s":{"n":"b"}}"#,
            &["s.n: b/namespaces b"],
        ),
        ("{path: s.n, namespace: {}}", r#"{"s":{"n":"own"}}"#, &[]),
        (
            "{path: s.v, opaque: values}",
            r#"{"s":{"v":{"a":1}}}"#,
            &["s.v opaque: values"],
        ),
        ("{path: s.v, opaque: values}", r#"{"s":{"v":{}}}"#, &[]),
        (
            "{path: s.i, identity: aws}",
            r#"{"s":{"i":"arn"}}"#,
            &["s.i: cloudidentities.usher.dev aws:arn"],
        ),
        (
            "{path: 's.m.*.spec', podSpec: {}}",
            r#"{"s":{"m":{"a":{"spec":{"serviceAccountName":"x"}}}}}"#,
            &["s.m.a.spec: own pod of x (true)"],
        ),
        (
            "{path: s, podSpec: {in: {controller: operator}}}",
            r#"{"s":{"serviceAccountName":"x"}}"#,
            &["s: ops pod of x (true)"],
        ),
        (
            "{path: s, podSpec: {account: false}}",
            r#"{"s":{"tolerations":[],"x":1}}"#,
            &["s: own pod of default (false)"],
        ),
        (
            "{path: 's.m[]', manifest: {}}",
            r#"{"s":{"m":[{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"b"},"spec":{"serviceAccountName":"x"}},
             {"apiVersion":"g/v1","kind":"K","s":{"m":[{"kind":"Pod","apiVersion":"v1","spec":{}}]}},{"apiVersion":"v1","kind":"Other"},"text",{}]}}"#,
            &[
                "s.m[0].metadata.namespace: b/namespaces b",
                "s.m[0].spec: b pod of x (true)",
                "s.m[1].s.m[0].spec: own pod of default (true)",
                "s.m[3] opaque: an object that is written as text",
            ],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"spec:\n  template:\n    spec:\n      serviceAccountName: x\n      tolerations: [{operator: Exists}]"}}"#,
            &["s.p: serviceaccounts x", "s.p: every taint"],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"[{\"op\":\"add\",\"path\":\"/spec/serviceAccountName\",\"value\":\"x\"}]"}}"#,
            &["s.p: serviceaccounts x"],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"- op: add\n  path: /spec/tolerations/-\n  value: {key: k, operator: Exists}"}}"#,
            &["s.p: taint \"k\""],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"a: [nodeName"}}"#,
            &["s.p lost: it is a patch that cannot be read"],
        ),
        (
            "{path: s.m, manifest: {}}",
            r#"{"s":{"m":{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","spec":{"serviceAccountName":"x"}}]}}}"#,
            &["s.m.items[0].spec: own pod of x (true)"],
        ),
        (
            "{path: s.m, manifest: {}}",
            r#"{"s":{"m":{"apiVersion":"v1","kind":"List","items":{"apiVersion":"v1","kind":"Pod"}}}}"#,
            &["s.m lost: its items are no list"],
        ),
        (
            "{path: s.m, manifest: {}}",
            r#"{"s":{"m":{"apiVersion":"v1","kind":"List"}}}"#,
            &[],
        ),
        // A patch, which only as its controller writes it says the whole template.
        (
            "{path: 's.m[]', manifest: {}}",
            r#"{"s":{"m":[
                {"apiVersion":"apps/v1","kind":"ControllerRevision","data":{"spec":{"template":{"$patch":"replace","spec":{"serviceAccountName":"x","containers":[]}}}}},
                {"apiVersion":"apps/v1","kind":"ControllerRevision","data":{"spec":{"template":{"spec":{"serviceAccountName":"x","containers":[]}}}}}]}}"#,
            &[
                "s.m[0].data.spec.template.spec: own pod of x (true)",
                "s.m[1] lost: the object cannot be read: data.spec.template has no \"$patch\": \"replace\", so that it says only a part",
            ],
        ),
        // In the namespace of the object that holds the patch.
        (
            "{path: 's.m[]', manifest: {}}, {path: s.p, patch: {}}",
            r#"{"s":{"m":[{"apiVersion":"g/v1","kind":"K","metadata":{"namespace":"b"},"s":{"p":"spec: {nodeName: node-1}"}}]}}"#,
            &[
                "s.m[0].metadata.namespace: b/namespaces b",
                "s.m[0].s.p: b/nodes node-1",
            ],
        ),
        // What cannot set anything is not read.
        ("{path: s.p, patch: {}}", r#"{"s":{"p":"a: [b"}}"#, &[]),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"\"node\\x4eame\": gpu-1\n"}}"#,
            &["s.p: nodes gpu-1"],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"!!binary bm9kZU5hbWU=: gpu-1\n"}}"#,
            &["s.p: nodes gpu-1"],
        ),
        // A field that nothing asks about may be anything.
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":{"spec":{"automountServiceAccountToken":"{{ no }}"}}}}"#,
            &[],
        ),
        // Wherever in the list, and whatever is between the documents.
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"- {op: add, path: /spec/tolerations/17, value: {operator: Exists}}"}}"#,
            &["s.p: every taint"],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"a: 1\n---\nspec: {serviceAccountName: x}\n"}}"#,
            &["s.p: serviceaccounts x"],
        ),
        // What they set inside of lists, by merging and by operations.
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":{"spec":{"containers":[{"envFrom":[{"secretRef":{"name":"a"}},{"configMapRef":{"name":"b"}}]}],"imagePullSecrets":[{"name":"c"}]}}}}"#,
            &["s.p: secrets a", "s.p: configmaps b", "s.p: secrets c"],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":[{"op":"add","path":"/spec/initContainers/0/env/-","value":{"valueFrom":{"secretKeyRef":{"name":"a"}}}},
                {"op":"replace","path":"/spec/volumes/12/secret/secretName","value":"b"},
                {"op":"add","path":"/spec/nodeSelector/a.b~1c","value":"d"},
                {"op":"add","path":"/spec/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms/0/matchExpressions/0/values/-","value":"e"},
                {"op":"remove","path":"/spec/volumes/0"},
                {"op":"test","path":"/spec/volumes/1/secret/secretName","value":"x"},
                {"op":"move","from":"/metadata/name","path":"/spec/volumes/2/secret/secretName"}]}}"#,
            &[
                "s.p: secrets a",
                "s.p: secrets b",
                "s.p: nodelabels.usher.dev a.b/c=d",
                // Of a requirement whose rest stands elsewhere.
                "s.p: nodelabels.usher.dev *",
                "s.p opaque: a patch that sets what stands elsewhere",
            ],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":"spec: {volumes: [{secret: {secretName: a}}, {rbd: 7}], nodeSelector: {k: 7}}"}}"#,
            &[
                "s.p: secrets a",
                "s.p malformed: the object cannot be read: invalid type: integer `7`, expected a map",
                "s.p malformed: the object cannot be read: invalid type: integer `7`, expected text at line 1 column 1",
            ],
        ),
        // What they set does not stand in the patch.
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":[{"op":"copy","from":"/a","path":"/spec/serviceAccountName"},{"op":"move","from":"/a","path":"/b"}]}}"#,
            &[
                "s.p opaque: a patch that sets what stands elsewhere",
                "s.p opaque: a patch that sets what stands elsewhere",
            ],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":[{"op":"replace","path":"/spec/tolerations/0/operator","value":"Exists"}]}}"#,
            &["s.p opaque: a patch of a part of a toleration"],
        ),
        (
            "{path: s.p, patch: {}}",
            r#"{"s":{"p":[{"op":"remove","path":"/spec/tolerations/0"},{"op":"test","path":"/nodeName","value":"n"}]}}"#,
            &[],
        ),
        // What cannot be read leads to a question that nobody can answer, never to none.
        (
            "{path: s.r, serviceAccount: {name: n}}",
            r#"{"s":{"r":{"n":7}}}"#,
            &["s.r malformed: serviceaccounts must be named by a text"],
        ),
        (
            "{path: s.r, serviceAccount: {name: n}}",
            r#"{"s":{"r":["x"]}}"#,
            &["s.r malformed: serviceaccounts must be named by a text"],
        ),
        (
            "{path: s.r, serviceAccount: {name: n, in: {field: ns}}}",
            r#"{"s":{"r":{"n":"x","ns":"own","ns":"b"}}}"#,
            &["s.r malformed: serviceaccounts must be named by a text"],
        ),
        (
            "{path: s.a, serviceAccount: {in: {path: s.ns}}}",
            r#"{"s":{"a":"x","ns":["b"]}}"#,
            &["s.a malformed: serviceaccounts must be named by a text"],
        ),
        (
            "{path: s.o, object: {of: as.g}}",
            r#"{"s":{"o":{"name":"x","namespace":"own","namespace":"b"}}}"#,
            &["s.o malformed: as.g must be named by a text"],
        ),
        (
            "{path: s.o, object: {of: as.g}}",
            r#"{"s":{"o":{"name":7}}}"#,
            &[],
        ),
        (
            "{path: s.o, object: {of: as.g}}",
            r#"{"s":{"o":{"name":7,"namespace":"b"}}}"#,
            &["s.o malformed: as.g must be named by a text"],
        ),
        (
            "{path: s.m, manifest: {}}",
            r#"{"s":{"m":{"apiVersion":"v1","kind":"Pod","metadata":{},"metadata":{"namespace":"b"}}}}"#,
            &["s.m lost: its namespace cannot be read"],
        ),
        (
            "{path: s.a, serviceAccount: {}, when: [{s.k.kind: C}]}",
            r#"{"s":{"a":"x","k":{"kind":"C","kind":"D"}}}"#,
            &["s.a lost: the object cannot be read: \"kind\" stands there twice"],
        ),
        (
            "{path: s.a, serviceAccount: {}, when: [{s.k.kind: C}, s.none]}",
            r#"{"s":{"a":"x","k":7}}"#,
            &[],
        ),
        // The first as it is written.
        (
            "{path: s.o, object: {kind: kind, of: {B: bs.g, A: as.g}, cluster: true}}",
            r#"{"s":{"o":{"name":"x"}}}"#,
            &["s.o: bs.g x"],
        ),
        ("{path: s.v, opaque: values}", r#"{"s":{"v":{ }}}"#, &[]),
        (
            "{path: s.a, serviceAccount: {}, unless: [s.k]}",
            r#"{"s":{"a":"x","k":{"b":1}}}"#,
            &[],
        ),
        (
            "{path: s.a, serviceAccount: {}, when: [{s.k: v}]}",
            r#"{"s":{"a":"x","k":"v"}}"#,
            &["s.a: serviceaccounts x"],
        ),
        (
            "{path: 's.l[].a', serviceAccount: {}, unless: [{.: other}]}",
            r#"{"s":{"l":[{"a":"x"},{"a":"other"}]}}"#,
            &["s.l[0].a: serviceaccounts x"],
        ),
        (
            "{path: 's.l[]', object: {of: cs.g, cluster: true}, when: [{.kind: C}]}",
            r#"{"s":{"l":[{"kind":"C","name":"x"},{"kind":"D","name":"y"}]}}"#,
            &["s.l[0]: cs.g x"],
        ),
        (
            "{path: 's.l[].a', serviceAccount: {}}",
            r#"{"s":{"l":{}}}"#,
            &["s.l lost: the object cannot be read: invalid type: map, expected a sequence"],
        ),
    ] {
        assert_eq!(seen(field, object), expected, "{field}: {object}");
    }
}

#[test]
fn depth_and_number_are_bounded() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
    let object = format!(
        r#"{{"s":{{"free":{deep},"a":"x","p":{{"q":{}}},"l":{{"q":{}}}}}}}"#,
        r#"{"a":"#.repeat(60) + "1" + &"}".repeat(60),
        "[".repeat(60) + "1" + &"]".repeat(60)
    );
    assert_eq!(
        seen("{path: s.a, serviceAccount: {}}", &object),
        ["s.a: serviceaccounts x"]
    );
    assert_eq!(
        seen("{path: s.p, patch: {}}, {path: s.l, patch: {}}", &object),
        [
            "s.p opaque: a patch that nests too deep",
            "s.l opaque: a patch that nests too deep"
        ]
    );
    let many = format!(r#"{{"s":{{"l":[{}"x"]}}}}"#, r#""x","#.repeat(5000));
    let lost = seen("{path: 's.l[]', serviceAccount: {}}", &many);
    assert_eq!(
        lost,
        ["s.l[] lost: no more than 1000 places of s.l[] are looked at"]
    );
    let manifests = |objects: &str| seen("{path: s.m, manifest: {}}", objects);
    let list = |items: &str| format!(r#"{{"apiVersion":"v1","kind":"List","items":[{items}]}}"#);
    let pod = r#"{"apiVersion":"v1","kind":"Pod","spec":{}}"#;
    assert_eq!(
        manifests(&format!(r#"{{"s":{{"m":{}}}}}"#, list(&list(pod)))),
        ["s.m.items[0].items[0] lost: objects stand too deep in objects"]
    );
    // What is left out is said, once, wherever the last that is looked at stands.
    let pods = |number| {
        let pods = vec![pod; number].join(",");
        manifests(&format!(r#"{{"s":{{"m":[{pods}]}}}}"#))
    };
    assert_eq!(pods(2000), pods(2005)[..2000]);
    assert_eq!(
        pods(2005)[2000..],
        [" lost: no more than 2000 references are looked at"]
    );
}
