//! What a namespace gives to all of its pods.

use crate::{
    engine::{
        answer::Answers,
        bounds::TOLERATIONS,
        case::Pod,
        unknown::Unknown,
        verdict::{Finding, Outcome},
    },
    object::{NamespaceAnnotation, PodSpec},
    reference::{Check, Path, Reference, Target, Toleration},
};

/// The findings about annotations that give pods tolerations, or limit theirs. What has to wait for a fact is left out: the
/// case notes the fact.
pub(super) fn annotated<'a: 'f, 'f>(
    answers: &Answers<'a, 'f>,
    annotations: &[NamespaceAnnotation],
) -> Vec<Finding<'a>> {
    let case = &answers.case;
    if case.is_off(Check::Tolerations) {
        return Vec::new();
    }
    let no_pod = PodSpec::default();
    let itself = Pod::described(&no_pod, case.request.namespace.clone(), true);
    let mut findings = Vec::new();
    for NamespaceAnnotation { key, tolerations } in annotations {
        let annotation = format!("metadata.annotations[\"{key}\"]");
        let at = |index| Path::new(format!("{annotation}[{index}]"), "");
        let reference = |path, toleration| Reference {
            check: Check::Tolerations,
            path,
            target: Target::Taints(toleration),
            namespace: None,
        };
        let unknown = |path, why| {
            let outcome = Outcome::Unknown(why);
            case.finding(&itself, reference(path, Toleration::default()), outcome)
        };
        match tolerations {
            Err(why) => {
                let path = Path::new(annotation.clone(), "");
                findings.push(unknown(path, Unknown::Lost(why.to_string())));
            }
            Ok(said) => {
                for (index, toleration) in said.iter().take(TOLERATIONS).enumerate() {
                    let reference = reference(at(index), toleration.clone());
                    findings.extend(answers.finding(&itself, reference));
                }
                if said.len() > TOLERATIONS {
                    let why = Unknown::TooMany(TOLERATIONS, "tolerations");
                    findings.push(unknown(at(TOLERATIONS), why));
                }
            }
        }
    }
    findings
}
