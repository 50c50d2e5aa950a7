//! From the bytes of a review to the bytes of its answer.

use std::path::Path;

use serde_json::value::RawValue;
use usher::files::configuration;
use usher_core::{
    catalogue::Catalogue,
    config::Settings,
    engine::{Facts, Governed, Judgement, Mutating, Need, Policy, World, mutate},
    review::{read, respond, respond_mutation},
    rights::Rights,
    yaml::Source,
};

/// Everything that a request is judged by.
pub(crate) struct Judging {
    catalogue: Catalogue,
    policy: Policy,
    rights: Rights,
    account: Box<RawValue>,
}

impl Judging {
    /// The default policy over these rights.
    pub(crate) fn by(rights: Rights) -> Self {
        let account = r#"{"metadata":{"annotations":{"eks.amazonaws.com/role-arn":"arn:aws:iam::111122223333:role/r"}}}"#;
        Self {
            catalogue: Catalogue::embedded().unwrap(),
            policy: Policy::default(),
            rights,
            account: RawValue::from_string(account.to_owned()).unwrap(),
        }
    }

    /// The same with this catalogue.
    pub(crate) fn over(self, catalogue: Catalogue) -> Self {
        Self { catalogue, ..self }
    }

    /// This configuration, and nobody's rights.
    pub(crate) fn configured(text: &str) -> Self {
        let source = Source::new("configuration", text.to_owned()).unwrap();
        let Settings { policy, catalogue } = configuration(&source, Path::new("")).unwrap();
        Self {
            catalogue,
            policy,
            ..Self::by(Rights::default())
        }
    }

    /// From the bytes of a review to the bytes of what is to be changed, and whether anything is. Every account has a
    /// role, and costs nothing to read.
    pub(crate) fn change(&self, review: &[u8]) -> (bool, Vec<u8>) {
        let request = read(review).unwrap();
        let mut facts = Facts::default();
        loop {
            match mutate(&request, &self.catalogue, &self.policy, &facts) {
                Mutating::Done(mutation) => {
                    let changed = !mutation.patch.0.is_empty();
                    return (changed, respond_mutation(&mutation));
                }
                Mutating::Needs(needs) => {
                    for need in needs {
                        if let Need::Object(at) = need {
                            facts.object(at, Ok(Some(self.account.clone())));
                        }
                    }
                }
            }
        }
    }

    /// From the bytes of a review to the bytes of its answer, and whether it allows. The access review that comes
    /// before a denial answers no, and costs nothing.
    pub(crate) fn answer(&self, review: &[u8]) -> (bool, Vec<u8>) {
        let (allowed, answer, _) = self.answer_knowing(review, None);
        (allowed, answer)
    }

    /// The same where every object that is looked for is this one, and costs nothing to read; how many were. Whoever looks
    /// for a second one finds nothing.
    pub(crate) fn answer_knowing(
        &self,
        review: &[u8],
        mut object: Option<Box<RawValue>>,
    ) -> (bool, Vec<u8>, usize) {
        let world = World {
            catalogue: &self.catalogue,
            policy: &self.policy,
            rights: &self.rights,
            today: jiff::civil::date(2026, 11, 21),
        };
        let request = read(review).unwrap();
        let (mut facts, mut read_objects) = (Facts::default(), 0);
        let governed = match Governed::of(&request, &world) {
            Ok(governed) => governed,
            Err(verdict) => return (verdict.allowed(), respond(&verdict), read_objects),
        };
        loop {
            match governed.judge(&facts) {
                Judgement::Verdict(verdict) => {
                    return (verdict.allowed(), respond(&verdict), read_objects);
                }
                Judgement::Needs(needs) => {
                    for need in needs {
                        match need {
                            Need::Review(question) => facts.review(question, Ok(None)),
                            Need::Object(at) => {
                                read_objects += 1;
                                facts.object(at, Ok(object.take()));
                            }
                        }
                    }
                }
            }
        }
    }
}
