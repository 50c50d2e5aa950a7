//! The endpoints of the webhook: one row for each.

/// Which endpoint was called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hook {
    /// What is to be changed in an object.
    Mutate,
    /// Whether an object is admitted.
    Validate,
}

impl Hook {
    /// Every endpoint.
    pub const ALL: [Self; 2] = [Self::Validate, Self::Mutate];

    /// Where it is served; without the slash it is what metrics call it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Mutate => "/mutate",
            Self::Validate => "/validate",
        }
    }
}
