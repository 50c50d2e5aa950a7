use usher::{
    catalogue::Catalogue,
    engine::{Facts, Judgement, Need, Policy, World, judge},
    review::{read, respond},
    rights::Rights,
};

/// Everything that a request is judged by.
pub(crate) struct Judging {
    catalogue: Catalogue,
    policy: Policy,
    rights: Rights,
}

impl Judging {
    /// The default policy over these rights.
    pub(crate) fn by(rights: Rights) -> Self {
        Self {
            catalogue: Catalogue::embedded().unwrap(),
            policy: Policy::default(),
            rights,
        }
    }

    /// From the bytes of a review to the bytes of its answer, and whether it allows. The access review that comes
    /// before a denial answers no, and costs nothing.
    pub(crate) fn answer(&self, review: &[u8]) -> (bool, Vec<u8>) {
        let world = World {
            catalogue: &self.catalogue,
            policy: &self.policy,
            rights: &self.rights,
            today: jiff::civil::date(2026, 11, 21),
        };
        let request = read(review).unwrap();
        let mut facts = Facts::default();
        loop {
            match judge(&request, &world, &facts) {
                Judgement::Verdict(verdict) => return (verdict.allowed(), respond(&verdict)),
                Judgement::Needs(needs) => {
                    for need in needs {
                        match need {
                            Need::Review(question) => facts.review(question, Ok(None)),
                            Need::Object(at) => facts.object(at, Ok(None)),
                        }
                    }
                }
            }
        }
    }
}
