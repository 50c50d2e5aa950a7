//! Reviews of pods of any size.

use serde_json::{Value, json, value::RawValue};

fn raw(value: &Value) -> Box<RawValue> {
    RawValue::from_string(value.to_string()).unwrap()
}

/// A pod as it comes from a user, in the AdmissionReview of an API server.
#[derive(Clone, Copy)]
pub(crate) struct Review {
    /// Which one: user, account, names and uids are made of it.
    pub(crate) number: usize,
    /// Environment variables of each of the three containers: they set the size.
    pub(crate) variables: usize,
    /// Whether a label of a stored pod is changed; otherwise the pod is new.
    pub(crate) update: bool,
}

impl Review {
    /// A new pod, 9 KB as JSON.
    pub(crate) const SMALL: Self = Self::sized(6);
    /// A new pod, 12.5 KB as JSON.
    pub(crate) const MIDDLE: Self = Self::sized(15);
    /// A new pod, 184 KB as JSON.
    pub(crate) const LARGE: Self = Self::sized(458);

    const fn sized(variables: usize) -> Self {
        Self {
            number: 0,
            variables,
            update: false,
        }
    }

    /// As many different reviews of this size as wanted, numbered on from this one.
    pub(crate) fn many(self, count: usize) -> Vec<String> {
        (self.number..self.number + count)
            .map(|number| Self { number, ..self }.json())
            .collect()
    }

    /// The AdmissionReview.
    pub(crate) fn json(self) -> String {
        let old = if self.update {
            self.pod("before")
        } else {
            Value::Null
        };
        let operation = if self.update { "UPDATE" } else { "CREATE" };
        let object = self.pod("after");
        self.envelope("Pod", (operation, ""), &self.user(), &object, &old)
    }

    /// The same pod as its controller makes it for a ReplicaSet: the review, and the ReplicaSet.
    pub(crate) fn made(self) -> (String, Box<RawValue>) {
        let who = json!({
            "username": "system:serviceaccount:kube-system:replicaset-controller",
            "uid": "7f8b6a3c-5f6e-4d0c-9d7e-0d2f5a1c9b11",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
        });
        let uid = "c1b7a0de-0c7b-4c2c-a3b3-7d1a2a9b7f01";
        let mut pod = self.pod("after");
        let owner = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": "shop", "namespace": super::cluster::namespace(self.number), "uid": uid},
            "spec": {"replicas": 500, "template": {"metadata": pod.get("metadata"), "spec": pod.get("spec")}},
        });
        let owners = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "shop", "uid": uid,
            "controller": true, "blockOwnerDeletion": true,
        }]);
        let metadata = pod.get_mut("metadata").and_then(Value::as_object_mut);
        metadata
            .unwrap()
            .insert("ownerReferences".to_owned(), owners);
        let review = self.envelope("Pod", ("CREATE", ""), &who, &pod, &Value::Null);
        (review, raw(&owner))
    }

    /// A connection into the same pod, as `kubectl exec` asks for one: the review, and the pod.
    pub(crate) fn exec(self) -> (String, Box<RawValue>) {
        let options = json!({
            "kind": "PodExecOptions", "apiVersion": "v1", "stdin": true, "stdout": true, "tty": true,
            "container": "web", "command": ["sh"],
        });
        let how = ("CONNECT", "exec");
        let review = self.envelope("PodExecOptions", how, &self.user(), &options, &Value::Null);
        (review, raw(&self.pod("after")))
    }

    /// A Secret that holds no token, of the same user.
    pub(crate) fn secret(self) -> String {
        let value = "c2VjcmV0".repeat(64);
        let secret = json!({
            "kind": "Secret", "apiVersion": "v1", "type": "Opaque",
            "metadata": {"name": "shop", "namespace": super::cluster::namespace(self.number), "labels": {"app.kubernetes.io/name": "shop"}},
            "data": {"password": value, "user": value},
        });
        self.envelope(
            "Secret",
            ("CREATE", ""),
            &self.user(),
            &secret,
            &Value::Null,
        )
    }

    fn user(self) -> Value {
        let n = self.number;
        json!({
            "username": super::cluster::user(n),
            "groups": super::cluster::groups(n),
            "extra": {"authentication.kubernetes.io/credential-id": [format!("X509SHA256={n:064x}")]},
        })
    }

    /// A review of something of the core group: its kind, operation and subresource, who asks, and what it was before.
    fn envelope(
        self,
        kind: &str,
        (operation, subresource): (&str, &str),
        who: &Value,
        object: &Value,
        old: &Value,
    ) -> String {
        let n = self.number;
        let resource = if kind == "Secret" { "secrets" } else { "pods" };
        let resource = json!({"group": "", "version": "v1", "resource": resource});
        let kind = json!({"group": "", "version": "v1", "kind": kind});
        json!({
            "kind": "AdmissionReview",
            "apiVersion": "admission.k8s.io/v1",
            "request": {
                "uid": format!("30882d2b-4359-4689-88b4-{n:012x}"),
                "kind": kind,
                "resource": resource,
                "subResource": subresource,
                "requestKind": kind,
                "requestResource": resource,
                "name": format!("shop-{n}"),
                "namespace": super::cluster::namespace(n),
                "operation": operation,
                "userInfo": who,
                "object": object,
                "oldObject": old,
                "dryRun": false,
                "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-create"},
            },
        })
        .to_string()
    }

    fn pod(self, release: &str) -> Value {
        let n = self.number;
        let account = super::cluster::account(n);
        let names = ["web", "proxy", "exporter"];
        let containers: Vec<Value> = names.iter().map(|name| self.container(name)).collect();
        let managed: serde_json::Map<String, Value> = names
            .iter()
            .map(|name| (format!("k:{{\"name\":\"{name}\"}}"), self.managed()))
            .collect();
        json!({
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {
                "name": format!("shop-{n}"),
                "namespace": super::cluster::namespace(n),
                "uid": format!("4309856c-15cc-4644-b44f-{n:012x}"),
                "creationTimestamp": "2026-11-21T02:43:32Z",
                "labels": {"app.kubernetes.io/name": "shop", "app.kubernetes.io/part-of": "store", "release": release},
                "annotations": {"note": "he said \"go\", so we went"},
                "managedFields": [{
                    "manager": "kubectl-create", "operation": "Update", "apiVersion": "v1",
                    "time": "2026-11-21T02:43:32Z", "fieldsType": "FieldsV1",
                    "fieldsV1": {
                        "f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}, "f:release": {}}},
                        "f:spec": {
                            "f:containers": managed, "f:dnsPolicy": {}, "f:enableServiceLinks": {},
                            "f:restartPolicy": {}, "f:schedulerName": {}, "f:securityContext": {},
                            "f:serviceAccount": {}, "f:serviceAccountName": {}, "f:tolerations": {},
                            "f:terminationGracePeriodSeconds": {},
                        },
                    },
                }],
            },
            "spec": {
                "volumes": [
                    {"name": "config", "configMap": {"name": "shop", "defaultMode": 420}},
                    {"name": "kube-api-access-qlgtt", "projected": {"defaultMode": 420, "sources": [
                        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef":
                            {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
                    ]}},
                ],
                "containers": containers,
                "restartPolicy": "Always",
                "terminationGracePeriodSeconds": 30,
                "dnsPolicy": "ClusterFirst",
                "serviceAccountName": account,
                "serviceAccount": account,
                "securityContext": {"runAsNonRoot": true, "fsGroup": 2000},
                "schedulerName": "default-scheduler",
                "tolerations": [
                    {"key": "dedicated", "operator": "Equal", "value": account, "effect": "NoSchedule"},
                    {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                        "tolerationSeconds": 300},
                    {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
                        "tolerationSeconds": 300},
                ],
                "priority": 0,
                "enableServiceLinks": true,
                "preemptionPolicy": "PreemptLowerPriority",
            },
            "status": {"phase": "Pending", "qosClass": "Burstable"},
        })
    }

    fn container(self, name: &str) -> Value {
        let probe = |path: &str| {
            json!({"httpGet": {"path": path, "port": 8080, "scheme": "HTTP"}, "timeoutSeconds": 1,
                "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3})
        };
        let variables: Vec<Value> = (0..self.variables)
            .map(|at| json!({"name": format!("SETTING_{at}"), "value": format!("https://{name}-{at}.example.test")}))
            .collect();
        json!({
            "name": name,
            "image": format!("registry.example.test/store/{name}:1.{}", self.number),
            "args": ["--listen=:8080", "--config=/etc/shop/config.yaml"],
            "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
            "env": variables,
            "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
            "volumeMounts": [
                {"name": "config", "mountPath": "/etc/shop"},
                {"name": "kube-api-access-qlgtt", "readOnly": true,
                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"},
            ],
            "livenessProbe": probe("/livez"),
            "readinessProbe": probe("/readyz"),
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        })
    }

    fn managed(self) -> Value {
        let variables: serde_json::Map<String, Value> = (0..self.variables)
            .map(|at| {
                let key = format!("k:{{\"name\":\"SETTING_{at}\"}}");
                (key, json!({".": {}, "f:name": {}, "f:value": {}}))
            })
            .chain([(".".to_owned(), json!({}))])
            .collect();
        json!({
            ".": {}, "f:args": {}, "f:env": variables, "f:image": {}, "f:imagePullPolicy": {}, "f:name": {},
            "f:livenessProbe": {".": {}, "f:failureThreshold": {}, "f:httpGet": {".": {}, "f:path": {}}},
            "f:ports": {".": {}, "k:{\"containerPort\":8080,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}},
            "f:resources": {".": {}, "f:limits": {".": {}, "f:memory": {}}, "f:requests": {".": {}, "f:cpu": {}}},
            "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}, "f:volumeMounts": {".": {}},
        })
    }
}
