//! What people and programs read: findings as text and as JSON.

mod json;
mod tally;
mod text;

pub use json::Json;
pub use tally::{Tally, count};
pub use text::Text;

use usher_core::{
    catalogue::Catalogue,
    engine::{Finding, Verdict},
    manifest::{Object, Place, Source},
};

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
}

impl Judged<'_> {
    /// Where a finding's field stands, and whether it is written there at all.
    fn place(&self, finding: &Finding<'_>) -> (Place, bool) {
        self.object.node.find(finding.reference.path.steps())
    }

    /// Why the object cannot be judged, and where; `None` if it can.
    fn broken(&self, catalogue: &Catalogue) -> Option<(String, Place)> {
        let why = self.verdict.broken.as_ref()?;
        let request = self.verdict.request;
        let kind = catalogue.find(&request.kind.group, &request.kind.kind);
        // The same reading once more, for the place: it is needed only here.
        if let (Some(kind), Some(object)) = (kind, request.object)
            && let Some(bad) = kind.unreadable(object)
        {
            let (what, bytes) = bad.detail();
            let place = self.object.node.at_json(bytes.saturating_sub(1));
            return Some((format!("the object cannot be read: {what}"), place));
        }
        Some((why.clone(), self.object.node.place))
    }
}
