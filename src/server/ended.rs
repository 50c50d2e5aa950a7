//! How a request ended, and why a connection did.

/// How a request ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    /// The requester may go on.
    Allowed,
    /// It could not be judged.
    Error,
    /// The requester may not.
    Refused,
}

impl Ended {
    pub(super) const ALL: [Self; 3] = [Self::Allowed, Self::Error, Self::Refused];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Error => "error",
            Self::Refused => "refused",
        }
    }
}

/// Why the server ended a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refused {
    /// The limit was reached, and it had been idle for longest.
    Evicted,
    /// The TLS handshake failed, or took too long.
    Handshake,
    /// The header of a request took too long.
    Header,
    /// No request came for too long.
    Idle,
    /// It spoke plain HTTP where TLS is spoken.
    Plain,
}

impl Refused {
    pub(super) const ALL: [Self; 5] = [
        Self::Evicted,
        Self::Handshake,
        Self::Header,
        Self::Idle,
        Self::Plain,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Handshake => "handshake",
            Self::Header => "header",
            Self::Idle => "idle",
            Self::Plain => "plain",
        }
    }
}
