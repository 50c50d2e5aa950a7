//! The pod template that a `ControllerRevision` keeps.

use serde::de::Error as _;
use serde_json::value::RawValue;

use super::{
    keys::misspelled,
    pod::PodSpec,
    seek::{BadObject, at, fields, parse},
};
use crate::reference::Text;

/// The pod spec at `keys` of a `ControllerRevision`, if that is all that the revision says.
///
/// Its `data` is a strategic merge patch, which the controller of a StatefulSet lays over the whole object and reads without
/// regard to capital letters (`pkg/controller/statefulset/stateful_set_utils.go`, `ApplyRevision`). So only what that
/// controller itself writes (`getPatch`) can be read: `spec.template`, which replaces the one that is there, and may be
/// `spec.volumeClaimTemplates`. An error names anything else.
pub(crate) fn revised<'a>(
    object: &'a RawValue,
    keys: &[Box<str>],
) -> Result<PodSpec<'a>, BadObject> {
    let bad = |what: String| BadObject::from(serde_json::Error::custom(what));
    let part = |keys: &[Box<str>]| {
        let found = at::<&RawValue>(object, keys)?;
        found.ok_or_else(|| bad(format!("there is no {}", keys.join("."))))
    };
    let only = |keys: &[Box<str>], known: &[&str]| {
        let held = fields(part(keys)?)?;
        let mut unknown = held.keys().filter(|key| !known.contains(&&***key));
        let unknown = unknown
            .next()
            .map(|key| format!("{}.{key}", keys.join(".")));
        unknown.map_or(Ok(()), |path| {
            Err(bad(format!("{path} is no part of a pod template")))
        })
    };
    let template: [Box<str>; 3] = ["data".into(), "spec".into(), "template".into()];
    let [root, spec, _] = &template;
    only(std::slice::from_ref(root), &["spec"])?;
    let parts = &["template", "volumeClaimTemplates"];
    only(&[root.clone(), spec.clone()], parts)?;
    only(&template, &["$patch", "metadata", "spec"])?;
    let directive: Option<Text<'_>> = at(part(&template)?, &["$patch".into()])?;
    if directive.as_deref() != Some("replace") {
        let what = "data.spec.template has no \"$patch\": \"replace\", so that it says only a part";
        return Err(bad(what.to_owned()));
    }
    let path = keys.join(".");
    if let Some(key) = misspelled(&parse(part(keys)?)?) {
        return Err(bad(format!(
            "{path}{key} has other capitals than the API gives it"
        )));
    }
    at(object, keys)?.ok_or_else(|| bad(format!("there is no {path}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data: &str) -> Result<String, String> {
        let object = RawValue::from_string(format!("{{\"data\":{data}}}")).unwrap();
        let keys = ["data", "spec", "template", "spec"].map(Box::from);
        let spec = revised(&object, &keys).map_err(|bad| bad.to_string())?;
        Ok(spec.account().to_string())
    }

    fn template(spec: &str) -> String {
        let metadata = r#"{"creationTimestamp":null,"labels":{"App":"x"}}"#;
        format!(
            r#"{{"spec":{{"template":{{"$patch":"replace","metadata":{metadata},"spec":{spec}}}}}}}"#
        )
    }

    #[test]
    fn what_the_controller_writes_is_read() {
        let whole = r#"{"serviceAccountName":"ci","containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1"}},
            "ports":[{"containerPort":80,"protocol":"TCP"}],"livenessProbe":{"httpGet":{"port":"web"},"periodSeconds":0}}],
            "nodeSelector":{"Disk":"ssd"},"volumes":[{"name":"v","emptyDir":{}}],"securityContext":{}}"#;
        assert_eq!(read(&template(whole)).unwrap(), "ci");
        let claims =
            template(whole).replacen("{\"spec\":{", "{\"spec\":{\"volumeClaimTemplates\":[],", 1);
        assert_eq!(read(&claims).unwrap(), "ci");
        assert_eq!(read(&template("{\"containers\":[]}")).unwrap(), "default");
        // Of a Kubernetes that is newer than this.
        let newer = whole.replacen('{', r#"{"hostnameOverride":"h","later":{"Deep":[1]},"#, 1);
        assert_eq!(read(&template(&newer)).unwrap(), "ci");
    }

    #[test]
    fn whatever_else_the_patch_says_is_an_error() {
        let plain = template(r#"{"serviceAccountName":"ci","containers":[]}"#);
        let cases = [
            ("null".to_owned(), "there is no data"),
            ("{}".to_owned(), "there is no data.spec"),
            ("[]".to_owned(), "invalid type"),
            (
                r#"{"spec":{}}"#.to_owned(),
                "there is no data.spec.template",
            ),
            (plain.replace("\"$patch\":\"replace\",", ""), "$patch"),
            (plain.replace("\"replace\"", "\"delete\""), "$patch"),
            // It would be laid over the set itself: its namespace, its name.
            (
                plain.replacen('{', "{\"metadata\":{\"namespace\":\"b\"},", 1),
                "data.metadata",
            ),
            (
                plain.replacen('{', "{\"$patch\":\"replace\",", 1),
                "data.$patch",
            ),
            (plain.replacen('{', "{\"Spec\":{},", 1), "data.Spec"),
            (
                plain.replacen("{\"template\"", "{\"selector\":{},\"template\"", 1),
                "data.spec.selector",
            ),
            (
                plain.replacen("{\"template\"", "{\"Template\":{},\"template\"", 1),
                "data.spec.Template",
            ),
            // The controller reads these as fields; so does nobody else.
            (
                plain.replace(
                    "\"containers\"",
                    "\"serviceaccountname\":\"a\",\"containers\"",
                ),
                "template.spec.serviceaccountname",
            ),
            (
                plain.replace("\"containers\"", "\"toleration\u{17f}\":[],\"containers\""),
                "template.spec.toleration\u{17f}",
            ),
            (
                plain.replace(
                    "\"spec\":{\"service",
                    "\"Spec\":{\"containers\":[]},\"spec\":{\"service",
                ),
                "template.Spec",
            ),
            (
                plain.replace(
                    "\"containers\"",
                    "\"volumes\":[{\"Secret\":{}}],\"containers\"",
                ),
                "template.spec.volumes[0].Secret",
            ),
            (
                plain.replace(
                    "\"containers\"",
                    "\"serviceAccountName\":\"a\",\"containers\"",
                ),
                "duplicate",
            ),
            (template("null"), "there is no data.spec.template.spec"),
            (template("[]"), "invalid type"),
        ];
        for (data, why) in cases {
            let said = read(&data).unwrap_err();
            assert!(said.contains(why), "{data}: {said}");
        }
    }
}
