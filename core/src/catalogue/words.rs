//! Fields in words, for the pages of the documentation.

use std::fmt;

use super::condition::{Is, Part};
use super::field::{Absent, ConfigMapKey, Field, Kinds, Of, PodSpecField, Sort, Within};
use crate::object::FieldPath;

/// What is asked, in words.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sort {
            Sort::Account(account) => {
                f.write_str("use on serviceaccounts")?;
                if let Some(ConfigMapKey { key }) = &account.config_map {
                    write!(f, ", named by {key} of this config map")?;
                }
                within(f, account.within.as_ref())?;
                if let Some(made) = &account.made {
                    let name = made.name("…");
                    write!(f, " {name}, if one is there that was not made for this")?;
                }
                match &account.absent {
                    None => {}
                    Some(Absent::Default) => f.write_str("; without a name: default")?,
                    Some(Absent::Account(name)) => write!(f, "; without a name: {name}")?,
                    Some(Absent::Controller(name)) => {
                        write!(f, "; without a name: that of {}", &**name)?;
                    }
                }
            }
            Sort::Identity(family) => write!(f, "use on cloudidentities.usher.dev {family}:…")?,
            Sort::Manifest => f.write_str("an object, judged as what it is")?,
            Sort::Namespace => f.write_str("use on namespaces, in that namespace")?,
            Sort::Object(object) => {
                let names: Vec<String> = match &object.of {
                    Of::One(name) => vec![name.0.to_string()],
                    Of::ByKind(Kinds(kinds)) => {
                        kinds.iter().map(|(_, name)| name.0.to_string()).collect()
                    }
                };
                write!(f, "use on {}", names.join(" or "))?;
                within(f, object.within.as_ref())?;
                if object.cluster {
                    f.write_str(", of the whole cluster")?;
                }
            }
            Sort::Opaque(what) => write!(f, "not looked into: {what}")?,
            Sort::Patch(patch) => {
                f.write_str("a patch: what it sets that a pod spec could hold")?;
                if let Some(placeholder) = &patch.placeholder {
                    write!(
                        f,
                        "; with {placeholder} in it, not all of it is looked into"
                    )?;
                }
                if patch.any_case {
                    f.write_str("; in small letters or in capitals")?;
                }
            }
            Sort::PodSpec(PodSpecField {
                account,
                within: there,
            }) => {
                f.write_str(if *account {
                    "a pod spec"
                } else {
                    "a pod spec without an account"
                })?;
                within(f, there.as_ref())?;
            }
            Sort::Controller(name) => {
                write!(
                    f,
                    "use on serviceaccounts, that of {}, which acts as itself",
                    &**name
                )?;
            }
        }
        for (word, conditions) in [("if", &self.when), ("unless", &self.unless)] {
            for condition in conditions {
                let dot = if condition.relative { "." } else { "" };
                let path = condition.path.as_ref().map_or("", FieldPath::text);
                write!(f, ", {word} {dot}{path}")?;
                match &condition.is {
                    None => {}
                    Some(Is::Text(is)) => write!(f, " is {is}")?,
                    Some(Is::Part(Part::Begins(start))) => write!(f, " begins with {start}")?,
                    Some(Is::Part(Part::KeyHolds(part))) => {
                        write!(f, " has a key with {part} in it")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn within(f: &mut fmt::Formatter<'_>, within: Option<&Within>) -> fmt::Result {
    match within {
        None => Ok(()),
        Some(Within::Controller(name)) => write!(f, " in the namespace of {}", &**name),
        Some(Within::Field(field)) => write!(f, " in the namespace that .{field} names"),
        Some(Within::Path(path)) => write!(f, " in the namespace that {} names", path.text()),
    }
}
