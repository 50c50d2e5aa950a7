//! What people and programs read: findings in the formats of [`FORMATS`].
//!
//! Here a manifest's journey ends: a [`Judged`] is one object with its [`Verdict`], and a [`Report`] prints it
//! at the line of the file that each finding is about.

mod json;
mod tally;
mod text;

pub use tally::{Tally, count};

use std::io::{self, Write};

use usher_core::{
    catalogue::Catalogue,
    engine::{Ending, Finding, Verdict},
    manifest::Object,
    yaml::{BadYaml, Place, Source},
};

/// Every format of a report. A new one is a file of this folder and a row here.
pub const FORMATS: &[Format] = &[
    Format {
        name: "json",
        open: json::open,
    },
    Format {
        name: "text",
        open: text::open,
    },
];

/// How a report looks.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// Starts a report.
    pub open: Open,
}

/// Starts a report that goes to this writer.
pub type Open = for<'w> fn(Box<dyn Write + 'w>, Style) -> Box<dyn Report + 'w>;

/// What the reader of a report wants.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether the reader is a terminal with colours.
    pub colour: bool,
    /// Whether to write also what has no effect: findings in mode audit, and waived ones.
    pub verbose: bool,
}

/// A report that is being written, piece by piece, so that nothing piles up.
pub trait Report {
    /// Writes what there is to say about an object.
    fn object(&mut self, judged: &Judged<'_>) -> io::Result<()>;

    /// An input cannot be read, which the caller says when this is done.
    fn error(&mut self, bad: &BadYaml) -> io::Result<()>;

    /// Ends the report. The exemptions that have ended or soon will are said by the caller, too.
    fn finish(self: Box<Self>, tally: &Tally, endings: &[Ending<'_>]) -> io::Result<()>;
}

/// An object of a manifest with its verdict.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'j> {
    /// The text that it stands in.
    pub source: &'j Source,
    /// The object.
    pub object: &'j Object<'j, 'j>,
    /// The namespace that was asked about.
    pub namespace: &'j str,
    /// The verdict.
    pub verdict: &'j Verdict<'j>,
    /// The kinds that it was judged by.
    pub catalogue: &'j Catalogue,
}

impl Judged<'_> {
    /// Where a finding's field stands, and whether it is written there at all.
    fn place(&self, finding: &Finding<'_>) -> (Place, bool) {
        self.object.node.find(finding.reference.path.steps())
    }

    /// Why the object cannot be judged, and where; `None` if it can.
    fn broken(&self) -> Option<(String, Place)> {
        let why = self.verdict.broken.as_ref()?;
        let request = self.verdict.request;
        let kind = self.catalogue.find(&request.kind.group, &request.kind.kind);
        // The same reading once more, for the place: it is needed only here.
        if let (Some(kind), Some(object)) = (kind, request.object)
            && let Some(bad) = kind.unreadable(object)
        {
            let (what, bytes) = bad.detail();
            let place = self.object.node.at_json(bytes.saturating_sub(1));
            return Some((format!("the object cannot be read: {what}"), place));
        }
        Some((why.to_string(), self.object.node.place))
    }
}
