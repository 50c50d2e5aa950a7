//! The table of ways.

use k8s_openapi::api::rbac::v1::PolicyRule;

/// A right that leads round the webhook: a row of [`WAYS`].
#[derive(Debug)]
pub struct Way {
    /// Its name, in reports and on the command line.
    pub name: &'static str,
    /// What whoever holds it can do, in a sentence.
    pub gives: &'static str,
    /// What to do about it, in a sentence.
    pub remedy: &'static str,
    /// Whether it only counts in namespaces that the configuration excludes, for the webhook guards it in all others.
    pub guarded: bool,
    /// Whether it holds all others.
    pub(super) is_all: bool,
    /// Any of these rights is the way.
    pub rights: &'static [Right],
}

/// Verbs on a resource.
#[derive(Debug)]
pub struct Right {
    pub(super) group: &'static str,
    pub(super) resources: &'static [&'static str],
    pub(super) verbs: &'static [&'static str],
    /// Whether the resources belong to no namespace: then no RoleBinding gives it.
    cluster: bool,
}

/// Every verb that acts as somebody else: the old one, and those of constrained impersonation, which Kubernetes 1.36 has on
/// by default (`apiserver/pkg/endpoints/filters/impersonation/mode.go`).
const IMPERSONATE: &[&str] = &[
    "impersonate",
    "impersonate:serviceaccount",
    "impersonate:user-info",
    "impersonate:arbitrary-node",
    "impersonate:associated-node",
];

/// Every right that leads round a webhook, the widest first.
pub static WAYS: &[Way] = &[
    Way {
        name: "everything",
        gives: "Every verb on every resource: the administrator of that scope.",
        remedy: "Bind it to nobody but administrators; give others a role that names what they need.",
        guarded: false,
        is_all: true,
        rights: &[Right {
            group: "*",
            resources: &["*"],
            verbs: &["*"],
            cluster: false,
        }],
    },
    Way {
        name: "impersonate",
        gives: "Acts as another account by a header, without its token. The request then looks like the account's own.",
        remedy: "Take it out of edit and admin: usher generate hardened-roles. For people who debug, bind it for a while.",
        guarded: false,
        is_all: false,
        rights: &[
            Right {
                group: "",
                resources: &["serviceaccounts"],
                verbs: IMPERSONATE,
                cluster: false,
            },
            Right {
                group: "",
                resources: &["users", "groups"],
                verbs: IMPERSONATE,
                cluster: true,
            },
            Right {
                group: "authentication.k8s.io",
                resources: &["serviceaccounts"],
                verbs: IMPERSONATE,
                cluster: false,
            },
            Right {
                group: "authentication.k8s.io",
                resources: &["users", "groups", "uids", "userextras", "nodes"],
                verbs: IMPERSONATE,
                cluster: true,
            },
        ],
    },
    Way {
        name: "secrets",
        gives: "Reads Secrets, and with them the tokens that stand in Secrets of type kubernetes.io/service-account-token.",
        remedy: "Delete such Secrets (usher scan lists them), or take the right away: usher generate hardened-roles --without secrets.",
        guarded: false,
        is_all: false,
        rights: &[Right {
            group: "",
            resources: &["secrets"],
            verbs: &["get", "list", "watch"],
            cluster: false,
        }],
    },
    Way {
        name: "token-requests",
        gives: "Asks for tokens of accounts in a namespace that Usher does not guard.",
        remedy: "Bind it in the namespaces that need it, with resourceNames.",
        guarded: true,
        is_all: false,
        rights: &[Right {
            group: "",
            resources: &["serviceaccounts/token"],
            verbs: &["create"],
            cluster: false,
        }],
    },
    Way {
        name: "workloads",
        gives: "Runs pods, or gets into them, in a namespace that Usher does not guard: as any account there.",
        remedy: "Bind it in the namespaces that need it, not in the whole cluster.",
        guarded: true,
        is_all: false,
        rights: &[
            Right {
                group: "",
                resources: &[
                    "pods",
                    "pods/exec",
                    "pods/attach",
                    "pods/ephemeralcontainers",
                    "replicationcontrollers",
                ],
                verbs: &["create", "update", "patch"],
                cluster: false,
            },
            Right {
                group: "apps",
                resources: &["deployments", "replicasets", "statefulsets", "daemonsets"],
                verbs: &["create", "update", "patch"],
                cluster: false,
            },
            Right {
                group: "batch",
                resources: &["jobs", "cronjobs"],
                verbs: &["create", "update", "patch"],
                cluster: false,
            },
        ],
    },
    Way {
        name: "nodes-proxy",
        gives: "Reaches kubelets, and by them any pod of a node: exec included.",
        remedy: "Give monitoring nodes/metrics and nodes/stats instead (KubeletFineGrainedAuthz).",
        guarded: false,
        is_all: false,
        rights: &[Right {
            group: "",
            resources: &["nodes/proxy"],
            verbs: &["get", "create", "update", "patch"],
            cluster: true,
        }],
    },
    Way {
        name: "bind",
        gives: "Binds roles whose rights the binder does not hold, use on any account among them.",
        remedy: "Name the roles that may be bound, with resourceNames.",
        guarded: false,
        is_all: false,
        rights: &[Right {
            group: "rbac.authorization.k8s.io",
            resources: &["roles", "clusterroles"],
            verbs: &["bind"],
            cluster: false,
        }],
    },
    Way {
        name: "escalate",
        gives: "Writes roles with rights that the writer does not hold.",
        remedy: "Give it to nobody but administrators.",
        guarded: false,
        is_all: false,
        rights: &[Right {
            group: "rbac.authorization.k8s.io",
            resources: &["roles", "clusterroles"],
            verbs: &["escalate"],
            cluster: false,
        }],
    },
    Way {
        name: "certificates",
        gives: "Approves or signs client certificates, of which one can bear the name of any account.",
        remedy: "Name the signers, with resourceNames; leave kubernetes.io/kube-apiserver-client out.",
        guarded: false,
        is_all: false,
        rights: &[
            Right {
                group: "certificates.k8s.io",
                resources: &[
                    "certificatesigningrequests/approval",
                    "certificatesigningrequests/status",
                ],
                verbs: &["update", "patch"],
                cluster: true,
            },
            Right {
                group: "certificates.k8s.io",
                resources: &["signers"],
                verbs: &["approve", "sign"],
                cluster: true,
            },
        ],
    },
    Way {
        name: "csi-drivers",
        gives: "Has kubelets hand a driver the tokens of all pods with a volume of it (tokenRequests of a CSIDriver).",
        remedy: "Give it to nobody but administrators and the installers of drivers, with resourceNames.",
        guarded: false,
        is_all: false,
        rights: &[Right {
            group: "storage.k8s.io",
            resources: &["csidrivers"],
            verbs: &["create", "update", "patch"],
            cluster: true,
        }],
    },
    Way {
        name: "webhooks",
        gives: "Takes Usher's registration away, or has another webhook change what Usher has seen.",
        remedy: "Give it to nobody but administrators and the installers of webhooks, with resourceNames.",
        guarded: false,
        is_all: false,
        rights: &[Right {
            group: "admissionregistration.k8s.io",
            resources: &[
                "validatingwebhookconfigurations",
                "mutatingwebhookconfigurations",
                "mutatingadmissionpolicies",
                "mutatingadmissionpolicybindings",
            ],
            verbs: &["create", "update", "patch", "delete", "deletecollection"],
            cluster: true,
        }],
    },
];

impl Way {
    /// The way of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WAYS.iter().find(|way| way.name == name)
    }

    /// Whether a rule of RBAC holds it, bound in the whole cluster or in one namespace.
    pub fn is_in(&self, rule: &PolicyRule, whole_cluster: bool) -> bool {
        let mut rights = self.rights.iter();
        rights.any(|right| (whole_cluster || !right.cluster) && right.is_in(rule))
    }
}

impl Right {
    /// Whether a rule gives some of it (`pkg/apis/rbac/v1/evaluation_helpers.go`).
    fn is_in(&self, rule: &PolicyRule) -> bool {
        let groups = rule.api_groups.as_deref().unwrap_or_default();
        let resources = rule.resources.as_deref().unwrap_or_default();
        has(groups, self.group)
            && self.verbs.iter().any(|verb| has(&rule.verbs, verb))
            && self
                .resources
                .iter()
                .any(|wanted| covers(resources, wanted))
    }
}

/// Whether a list holds this word, or the star that stands for all.
pub(super) fn has(list: &[String], word: &str) -> bool {
    list.iter().any(|held| held == "*" || held == word)
}

/// The same of resources, where `*/sub` stands for a subresource of every resource.
pub(super) fn covers(resources: &[String], wanted: &str) -> bool {
    let below = wanted.split_once('/').map(|(_, sub)| sub);
    resources.iter().any(|held| {
        held == "*"
            || held == wanted
            || below.is_some_and(|below| held.strip_prefix("*/") == Some(below))
    })
}
