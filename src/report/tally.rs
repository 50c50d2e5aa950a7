//! The findings in numbers.

use std::fmt;

use serde::Serialize;

use usher_core::{
    engine::{Passed, Verdict},
    reference::Mode,
};

/// What came of it, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Files that were read.
    pub files: usize,
    /// Of these, those that hold no Kubernetes object.
    pub skipped: usize,
    /// Inputs that could not be read.
    pub errors: usize,
    /// Objects.
    pub objects: usize,
    /// Of these, those of a kind and namespace that are judged.
    pub judged: usize,
    /// Of these, those that cannot be judged, and are refused.
    pub broken: usize,
    /// References that were asked about.
    pub references: usize,
    /// References that are allowed by a grant.
    pub allowed: usize,
    /// References that are refused.
    pub refused: usize,
    /// References that would be refused, in mode warn.
    pub warned: usize,
    /// References that would be refused, in mode audit.
    pub audited: usize,
    /// References that an exemption waives.
    pub exempted: usize,
}

impl Tally {
    /// Counts a verdict; says whether there was anything to judge.
    pub fn add(&mut self, verdict: &Verdict<'_>) -> bool {
        self.objects += 1;
        if matches!(verdict.passed, Some(Passed::Kind | Passed::Namespace)) {
            return false;
        }
        self.judged += 1;
        self.broken += usize::from(verdict.broken.is_some());
        self.references += verdict.findings.len();
        let allowed = |finding: &&usher_core::engine::Finding<'_>| finding.outcome.is_allowed();
        self.allowed += verdict.findings.iter().filter(allowed).count();
        self.refused += verdict.at(Mode::Enforce).count();
        self.warned += verdict.at(Mode::Warn).count();
        self.audited += verdict.at(Mode::Audit).count();
        self.exempted += verdict.waived().count();
        true
    }

    /// Whether anything is refused.
    pub fn is_refused(&self) -> bool {
        self.refused + self.broken > 0
    }
}

/// A number of things, each called `one`: `1 file`, `11 files`.
pub fn count(number: usize, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// `11 files, 23 objects, 31 references: 29 allowed, 2 refused`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&count(self.files, "file"))?;
        if self.skipped > 0 {
            write!(f, " ({} without objects)", self.skipped)?;
        }
        write!(f, ", {}", count(self.objects, "object"))?;
        if self.judged < self.objects {
            write!(f, " ({} judged)", self.judged)?;
        }
        write!(
            f,
            ", {}: {} allowed, {} refused",
            count(self.references, "reference"),
            self.allowed,
            self.refused
        )?;
        for (number, what) in [
            (self.warned, "warned about"),
            (self.audited, "audited"),
            (self.exempted, "exempted"),
        ] {
            if number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        if self.broken > 0 {
            write!(f, "; {} refused unread", count(self.broken, "object"))?;
        }
        if self.errors > 0 {
            write!(f, "; {}", count(self.errors, "error"))?;
        }
        Ok(())
    }
}
