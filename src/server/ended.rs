//! How a request ended, and why a connection did.

usher_core::words! {
    /// How a request ended.
    #[derive(Clone, Copy, Debug)]
    pub(super) enum Ended,
    fn word {
        /// The requester may go on.
        Allowed = "allowed",
        /// It could not be judged.
        Error = "error",
        /// The requester may not.
        Refused = "refused",
    }
}

usher_core::words! {
    /// Why the server ended a connection.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub(super) enum Refused,
    fn word {
        /// The limit was reached, and it had been idle for longest.
        Evicted = "evicted",
        /// The TLS handshake failed, or took too long.
        Handshake = "handshake",
        /// The header of a request took too long.
        Header = "header",
        /// No request came for too long.
        Idle = "idle",
        /// It spoke plain HTTP where TLS is spoken.
        Plain = "plain",
    }
}
