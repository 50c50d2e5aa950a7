//! The findings as text, for people.

use std::{
    io::{self, Write},
    ops::Range,
};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Judged, Report, Style, Tally};
use usher_core::{
    engine::{Ending, Finding, Outcome},
    reference::{Mode, shown},
    yaml::{BadYaml, Place, Position, Source},
};

/// Columns of a screen.
const WIDTH: usize = 100;
/// The most that is shown of a line before and behind what matters, in characters.
const AROUND: usize = 150;

/// Findings for people: place, what, the source line with the field marked, and what would make it pass.
struct Text<'w> {
    to: Box<dyn Write + 'w>,
    style: Style,
    /// Whether anything was said.
    spoke: bool,
}

/// Starts the text.
pub(super) fn open<'w>(to: Box<dyn Write + 'w>, style: Style) -> Box<dyn Report + 'w> {
    Box::new(Text {
        to,
        style,
        spoke: false,
    })
}

impl Report for Text<'_> {
    fn object(&mut self, judged: &Judged<'_>) -> io::Result<()> {
        if let Some((why, place)) = judged.broken() {
            let what = format!("{} {}: {why}", judged.object.kind, judged.object.name);
            let entry = Entry {
                place,
                level: Level::ERROR,
                word: "refused".to_owned(),
                remedy: why
                    .ends_with("expected text")
                    .then(|| "if text is meant, quote it".to_owned()),
                what,
            };
            self.entry(judged.source, &entry)?;
        }
        let mut findings: Vec<&Finding<'_>> = judged.verdict.findings.iter().collect();
        findings.sort_by_key(|finding| judged.place(finding).0.start);
        for finding in findings {
            let waived = finding.exemption.map(|exemption| &exemption.name);
            let (level, word) = match (finding.mode, waived) {
                _ if finding.outcome.is_allowed() => continue,
                (_, Some(exemption)) if self.style.verbose => {
                    (Level::NOTE, format!("exempted by {}", shown(exemption)))
                }
                (Mode::Audit, None) if self.style.verbose => (Level::INFO, "audit".to_owned()),
                (_, Some(_)) | (Mode::Audit | Mode::Off, _) => continue,
                (Mode::Warn, None) => (Level::WARNING, "warning".to_owned()),
                (Mode::Enforce, None) => (Level::ERROR, "refused".to_owned()),
            };
            let (place, written) = judged.place(finding);
            // Where it is written, the line below shows the field.
            let what = if written {
                format!("{finding:#}")
            } else {
                finding.to_string()
            };
            let entry = Entry {
                place,
                level,
                word,
                what,
                remedy: remedy(finding),
            };
            self.entry(judged.source, &entry)?;
        }
        Ok(())
    }

    /// What was found before comes before the error, also where both go to one terminal.
    fn error(&mut self, _: &BadYaml) -> io::Result<()> {
        self.to.flush()
    }

    fn finish(mut self: Box<Self>, tally: &Tally, _: &[Ending<'_>]) -> io::Result<()> {
        if self.spoke {
            writeln!(self.to)?;
        }
        writeln!(self.to, "{tally}")?;
        self.to.flush()
    }
}

impl Text<'_> {
    fn entry(&mut self, source: &Source, entry: &Entry) -> io::Result<()> {
        self.spoke = true;
        let Entry {
            place,
            level,
            word,
            what,
            remedy,
        } = entry;
        let Position { line, column } = place.position();
        let (file, what) = (shown(&source.name), shown(what));
        writeln!(self.to, "{file}:{line}:{column}: {word}: {what}")?;
        let remedy = remedy.as_deref().map(shown);
        let (shown, marked) = line_of(source.text(), *place);
        let fits = |remedy: &str| {
            let before = line.to_string().len() + 3;
            let until = shown
                .get(..marked.end)
                .map_or(0, |text| text.chars().count());
            before + until + 1 + remedy.chars().count() <= WIDTH
        };
        let beside = remedy.as_deref().filter(|remedy| fits(remedy));
        let below = remedy.as_deref().filter(|remedy| !fits(remedy));
        let annotation = AnnotationKind::Primary.span(marked).label(beside);
        let mut group = Group::with_level(level.clone()).element(
            Snippet::source(shown)
                .line_start(line)
                .annotation(annotation),
        );
        if let Some(remedy) = below {
            group = group.element(level.clone().no_name().message(remedy));
        }
        let renderer = if self.style.colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        writeln!(self.to, "{}", renderer.term_width(WIDTH).render(&[group]))
    }
}

/// What there is to say about one place.
struct Entry {
    place: Place,
    level: Level<'static>,
    word: String,
    what: String,
    remedy: Option<String>,
}

/// What would make it pass.
fn remedy(finding: &Finding<'_>) -> Option<String> {
    match &finding.outcome {
        Outcome::Denied { missing, .. } => Some(format!("needs {missing}")),
        Outcome::Unknown(why) if why.is_not_given() => {
            Some("give its manifest with --objects".to_owned())
        }
        _ => None,
    }
}

/// The line that a place starts in, cut to what matters, and where in it the place lies. Looks no further around it than
/// it shows: a manifest may be one long line.
fn line_of(text: &str, place: Place) -> (String, Range<usize>) {
    let byte = |at: u32| usize::try_from(at).unwrap_or(usize::MAX).min(text.len());
    let in_line = |c: &char| !matches!(c, '\n' | '\r');
    let start = byte(place.start);
    let (before, after) = text.split_at_checked(start).unwrap_or((text, ""));
    let inside = byte(place.end).saturating_sub(start).max(1);
    let mut marked = String::new();
    let mut behind = String::new();
    for (at, c) in after.char_indices().take_while(|(_, c)| in_line(c)) {
        if at < inside && marked.len() < AROUND {
            marked.push(c);
        } else if behind.len() < AROUND {
            behind.push(c);
        } else {
            break;
        }
    }
    let marked = marked.trim_end();
    let mut head: Vec<char> = before
        .chars()
        .rev()
        .take_while(in_line)
        .take(AROUND + 1)
        .collect();
    if head.len() > AROUND {
        head.pop();
        head.push('…');
    }
    let mut shown: String = head.into_iter().rev().collect();
    let range = shown.len()..shown.len() + marked.len();
    shown.push_str(marked);
    shown.push_str(&behind);
    (shown, range)
}
