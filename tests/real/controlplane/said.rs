//! What a program said when it had run, and what Usher said through it.

use std::process::Output;

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            success: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Said {
    /// It passed, and Usher said nothing.
    #[track_caller]
    pub(crate) fn passes(&self) {
        assert!(self.success && !self.stderr.contains("may not"), "{self:?}");
    }

    /// Usher refused it, with these words.
    #[track_caller]
    pub(crate) fn refused(&self, words: &str) {
        self.refused_by("validate.usher.dev", words);
    }

    /// Usher refused it through this one of its registrations, with these words.
    #[track_caller]
    pub(crate) fn refused_by(&self, webhook: &str, words: &str) {
        self.denial(webhook);
        assert!(self.stderr.contains(words), "{words}: {self:?}");
    }

    /// The whole message with which Usher refused it through this one of its registrations.
    #[track_caller]
    pub(crate) fn denial(&self, webhook: &str) -> &str {
        let head = format!("admission webhook \"{webhook}\" denied the request: ");
        let message = self.stderr.split_once(&head).map(|(_, rest)| rest.trim());
        match message {
            Some(message) if !self.success => message,
            _ => panic!("not refused by {webhook}: {self:?}"),
        }
    }
}
