//! What is asked of the API server, in the terms of the engine.

use serde_json::value::RawValue;

use crate::{
    catalogue::Content,
    reference::{Requester, Text},
};

/// What is asked of the API server, in the terms of the engine. Made of an AdmissionReview or of a manifest.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The uid of the review; empty offline.
    pub uid: Text<'a>,
    /// What is done.
    pub operation: Operation<'a>,
    /// The kind of the object.
    pub kind: KindRef<'a>,
    /// The subresource; empty for the object itself.
    pub subresource: Text<'a>,
    /// The namespace; empty for a cluster-scoped object.
    pub namespace: Text<'a>,
    /// The name; empty where the API server has not made one yet.
    pub name: Text<'a>,
    /// Who asks.
    pub requester: Requester<'a>,
    /// The object as it would be stored.
    pub object: Option<&'a RawValue>,
    /// The object as it is stored now.
    pub old: Option<&'a RawValue>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// Makes the type, its words and how it is read of one table.
macro_rules! operations {
    ($($(#[doc = $does:literal])+ $operation:ident $word:literal)+) => {
        /// What is done to the object: every operation that Kubernetes has (`k8s.io/api/admission/v1`, `Operation`).
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Operation<'a> {
            $($(#[doc = $does])+ $operation,)+
            /// None that Kubernetes has: refused.
            Unknown(Text<'a>),
        }

        impl Operation<'_> {
            /// As Kubernetes writes it.
            pub fn word(&self) -> &str {
                match self {
                    $(Self::$operation => $word,)+
                    Self::Unknown(word) => word,
                }
            }
        }

        impl<'a> From<Text<'a>> for Operation<'a> {
            fn from(text: Text<'a>) -> Self {
                match &*text {
                    $($word => Self::$operation,)+
                    _ => Self::Unknown(text),
                }
            }
        }
    };
}

operations! {
    /// A connection is opened: exec, attach, proxy.
    Connect "CONNECT"
    /// The object is new.
    Create "CREATE"
    /// The object goes away.
    Delete "DELETE"
    /// The object changes.
    Update "UPDATE"
}

/// A kind, with its group and version. A review that leaves one out is none: Kubernetes always writes the three
/// (`k8s.io/apimachinery/pkg/apis/meta/v1`, `GroupVersionKind`), and a group that is not there must not be the core group.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct KindRef<'a> {
    /// The API group; empty for the core group.
    #[serde(borrow)]
    pub group: Text<'a>,
    /// The version.
    #[serde(borrow)]
    pub version: Text<'a>,
    /// The kind.
    #[serde(borrow)]
    pub kind: Text<'a>,
}

impl Operation<'_> {
    /// Those by which something of a kind can come to be used: the API server is told to ask about these.
    pub fn judged(content: &Content) -> &'static [Operation<'static>] {
        match content {
            Content::Connection(_) | Content::Named(_) => &[Operation::Connect],
            Content::Binding(_) | Content::TokenRequest(_) => &[Operation::Create],
            Content::Account(_)
            | Content::Fields(_)
            | Content::NamespaceTolerations
            | Content::PodSpec(_)
            | Content::SigningRequest
            | Content::TokenSecret => &[Operation::Create, Operation::Update],
            // Without it, its set runs another.
            Content::Revision(_) => &[Operation::Create, Operation::Update, Operation::Delete],
        }
    }
}
