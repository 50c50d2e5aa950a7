//! The metadata of an object: who it is, who owns it, and what is written on it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::seek::{BadObject, at_beside, parse};
use crate::reference::Text;

/// Annotations or labels. A value that is no text (Kubernetes has none) is kept as it is.
pub(crate) type Texts<'a> = HashMap<Text<'a>, &'a RawValue>;

/// The metadata of an object (`k8s.io/apimachinery/pkg/apis/meta/v1 ObjectMeta`). A text that is absent is empty. Owners,
/// annotations and labels are read when somebody asks for them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Its name; empty while the API server is to make one.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Its uid; empty while it is not stored.
    #[serde(borrow, default)]
    pub uid: Text<'a>,
    /// Since when it is being deleted; empty if it is not.
    #[serde(borrow, default)]
    pub deletion_timestamp: Text<'a>,
    #[serde(borrow, default)]
    annotations: Option<&'a RawValue>,
    #[serde(borrow, default)]
    labels: Option<&'a RawValue>,
    #[serde(borrow, default)]
    owner_references: Option<&'a RawValue>,
}

/// An owner, as an object names it (`OwnerReference`).
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner<'a> {
    /// Its group and version.
    #[serde(borrow, default)]
    pub api_version: Text<'a>,
    /// Its kind.
    #[serde(borrow, default)]
    pub kind: Text<'a>,
    /// Its name.
    #[serde(borrow, default)]
    pub name: Text<'a>,
    /// Its uid.
    #[serde(borrow, default)]
    pub uid: Text<'a>,
    #[serde(default)]
    controller: Option<bool>,
}

impl Owner<'_> {
    /// Its group, empty for the core group, and its version.
    pub(crate) fn group_and_version(&self) -> (&str, &str) {
        let version = &*self.api_version;
        version.split_once('/').unwrap_or(("", version))
    }
}

impl<'a> Metadata<'a> {
    /// The metadata of an object; empty if there is none. An error if the object is no map, or its metadata is none.
    pub(crate) fn of(object: &'a RawValue) -> Result<Self, BadObject> {
        #[derive(Deserialize)]
        struct Object<'a> {
            #[serde(borrow, default)]
            metadata: Option<Metadata<'a>>,
        }

        let object: Object<'a> = parse(object)?;
        Ok(object.metadata.unwrap_or_default())
    }

    /// The same, and the part of the object at a path of keys, in one walk: most of the time that a request takes is spent on walks
    /// over texts.
    pub(crate) fn and_part<T: Deserialize<'a>>(
        object: &'a RawValue,
        keys: &[Box<str>],
    ) -> Result<(Self, Option<T>), BadObject> {
        let (part, metadata) = at_beside::<T, Self>(object, keys, "metadata")?;
        Ok((metadata.unwrap_or_default(), part))
    }

    /// The annotations; none if nothing stands there.
    pub(crate) fn annotations(&self) -> Result<Option<Texts<'a>>, BadObject> {
        self.annotations.map(parse).transpose()
    }

    /// The labels; none if nothing stands there.
    pub(crate) fn labels(&self) -> Result<Option<Texts<'a>>, BadObject> {
        self.labels.map(parse).transpose()
    }

    /// Its owners.
    pub(crate) fn owners(&self) -> Result<Vec<Owner<'a>>, BadObject> {
        self.owner_references.map_or_else(|| Ok(Vec::new()), parse)
    }

    /// The owners that are its controllers: at most one, if the API server has seen the object.
    pub(crate) fn controllers(&self) -> Result<Vec<Owner<'a>>, BadObject> {
        let mut owners = self.owners()?;
        owners.retain(|owner| owner.controller == Some(true));
        Ok(owners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_not_there_is_empty() {
        for json in ["{}", r#"{"metadata":null}"#] {
            assert!(
                Metadata::of(object(json)).unwrap().name.is_empty(),
                "{json}"
            );
        }
        let nothing = r#"{"metadata":{"name":null,"annotations":null,"ownerReferences":null}}"#;
        for json in [r#"{"metadata":{}}"#, nothing] {
            let metadata = Metadata::of(object(json)).unwrap();
            assert!(
                metadata.name.is_empty() && metadata.deletion_timestamp.is_empty(),
                "{json}"
            );
            assert!(metadata.annotations().unwrap().is_none(), "{json}");
            assert!(metadata.labels().unwrap().is_none(), "{json}");
            assert!(metadata.controllers().unwrap().is_empty(), "{json}");
        }
    }

    #[test]
    fn only_controllers_count_as_owners() {
        let json = r#"{"metadata":{"uid":"u","labels":{"a":"b"},"ownerReferences":[
            {"apiVersion":"v1","kind":"A","name":"a","uid":"1"},{"kind":"B","name":"b","controller":false},
            {"apiVersion":"apps/v1","kind":"C","name":"c","uid":"3","controller":true}]}}"#;
        let metadata = Metadata::of(object(json)).unwrap();
        let owners = metadata.controllers().unwrap();
        let names: Vec<&str> = owners.iter().map(|owner| &*owner.name).collect();
        assert_eq!((names, &*metadata.uid), (vec!["c"], "u"));
        assert_eq!(metadata.labels().unwrap().unwrap().len(), 1);
    }

    #[test]
    fn a_part_comes_with_the_metadata_beside_it() {
        let read = |json| {
            let keys = ["spec".into(), "metadata".into()];
            let read = Metadata::and_part::<Text<'_>>(object(json), &keys);
            read.map(|(metadata, part)| {
                (metadata.name.to_string(), part.map(|part| part.to_string()))
            })
            .map_err(|bad| bad.to_string())
        };
        let both = Ok(("a".to_owned(), Some("b".to_owned())));
        assert_eq!(
            read(r#"{"metadata":{"name":"a"},"spec":{"metadata":"b"}}"#),
            both
        );
        assert_eq!(
            read(r#"{"spec":{"metadata":"b"},"x":1,"metadata":{"name":"a"}}"#),
            both
        );
        for json in ["{}", "null", r#"{"metadata":null,"spec":null}"#] {
            assert_eq!(read(json), Ok((String::new(), None)), "{json}");
        }
        for (json, why) in [
            (
                r#"{"metadata":{},"metadata":{}}"#,
                "\"metadata\" stands there twice",
            ),
            (
                r#"{"metadata":null,"metadata":{"name":"a"}}"#,
                "\"metadata\" stands there twice",
            ),
            (r#"{"spec":{},"spec":{}}"#, "\"spec\" stands there twice"),
            (r#"{"metadata":[]}"#, "invalid type"),
            ("[]", "invalid type"),
        ] {
            let bad = read(json).unwrap_err();
            assert!(bad.contains(why), "{json}: {bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for json in [
            "[]",
            r#"{"metadata":[]}"#,
            r#"{"metadata":{},"metadata":{}}"#,
            r#"{"metadata":{"uid":1}}"#,
        ] {
            assert!(Metadata::of(object(json)).is_err(), "{json}");
        }
        let metadata = r#"{"metadata":{"annotations":[],"labels":1,"ownerReferences":{}}}"#;
        let metadata = Metadata::of(object(metadata)).unwrap();
        assert!(metadata.annotations().is_err() && metadata.labels().is_err());
        assert!(metadata.controllers().is_err());
    }
}
