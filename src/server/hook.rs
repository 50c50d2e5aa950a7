//! The endpoints of the webhook: one row for each.

usher_core::words! {
    /// Which endpoint was called.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub enum Hook,
    /// Where it is served; without the slash it is what metrics call it.
    fn path {
        /// Whether an object is admitted.
        Validate = "/validate",
        /// What is to be changed in an object.
        Mutate = "/mutate",
    }
}
