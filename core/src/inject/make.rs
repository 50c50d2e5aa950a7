//! Works out one profile for one pod: from its account and annotations to what comes of it.

use super::{
    account::Annotations,
    content::Content,
    decide::{Decision, decide},
    draft::Draft,
    effect::Effect,
    place::Placing,
    pod::Head,
    profile::{Env, EnvValue, Profile},
    select::{Asks, Chosen},
    subject::Subject,
    survey::Survey,
    values::Values,
    why::{Hindrance, Missed, Passed, Refused},
};

/// Works out one profile for one pod.
pub(super) struct Maker<'a, 's> {
    pub(super) profile: &'a Profile,
    pub(super) subject: &'s Subject<'a>,
    pub(super) head: &'s Head<'a>,
    pub(super) asks: &'s Asks,
    pub(super) account: &'s Annotations<'s>,
}

impl<'a> Maker<'a, '_> {
    /// What comes of the profile; what the pod gets is in the draft then, all of it or nothing.
    pub(super) fn effect(&self, draft: &mut Draft<'a>) -> Effect<'a> {
        let profile = self.profile;
        let name = self.head.spec.account();
        let mut warnings = Vec::new();
        let account = match self.account {
            Ok(known) => Some(known),
            Err(why) => {
                let missed = Missed::Account {
                    account: name.to_owned(),
                    why: why.clone(),
                };
                if depends_on_account(profile) {
                    return Effect::Missed(missed);
                }
                warnings.push(format!(
                    "{missed}; profile \"{}\" is injected without what its annotations may change",
                    profile.name
                ));
                None
            }
        };
        let lacks =
            |key: &&String| account.is_none_or(|known| known.get(key).is_none_or(str::is_empty));
        if let Some(key) = profile.select.account_annotations.iter().find(lacks) {
            let account = name.to_owned();
            return if self.asks.is_for(profile) {
                Effect::Missed(Missed::Annotation { account, key })
            } else {
                Effect::Passed(Passed::AccountAnnotation { account, key })
            };
        }
        let asked = |key: &&String| self.head.annotation(key).is_some();
        if let Some(key) = profile.unsupported.iter().find(asked) {
            let why = Hindrance::Annotation(key);
            return Effect::Refused(Refused { profile, why });
        }
        let values = Values {
            profile,
            head: self.head,
            account,
            seed: self.subject.seed,
        };
        let tokens = match values.tokens(&mut warnings) {
            Ok(tokens) => tokens,
            Err(refused) => return Effect::Refused(refused),
        };
        let content = Content::new(profile, tokens);
        let survey = Survey::of(&content, &Chosen::of(profile, self.head), draft);
        let placing = Placing {
            head: self.head,
            account,
            content,
            seats: &survey.seats,
            warnings,
        };
        match decide(profile, &survey, draft) {
            Decision::Nothing(effect) => effect,
            Decision::Give(volume) => Effect::Given(placing.place(volume, draft)),
        }
    }
}

/// Whether a profile cannot be worked out without the service account.
fn depends_on_account(profile: &Profile) -> bool {
    let from_account = |env: &Env| matches!(env.value, EnvValue::Annotation { .. });
    !profile.select.account_annotations.is_empty() || profile.env.iter().any(from_account)
}
