//! Puts documents together from the events of the scanner.

use std::{borrow::Cow, collections::HashMap, rc::Rc};

use serde_json::value::RawValue;
use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::{
    BadYaml, Node, Place, Source, Value,
    map::{Key, MapBuilder, NO_KEY, Wrong},
    scalar::{self, Scalar},
    scan::{Indented, is_outdented, scanner},
    source::end_of,
};

/// What one document may be at the most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Values; each costs up to 100 bytes of memory.
    pub(super) nodes: usize,
    /// Anchors.
    pub(super) anchors: usize,
    /// Bytes of JSON that aliases bring in.
    pub(super) aliased: usize,
    /// Nesting, aliases resolved. Kubernetes itself has nothing deeper than 30.
    pub(super) depth: usize,
}

const LIMITS: Limits = Limits {
    nodes: 4_000_000,
    anchors: 100_000,
    aliased: 16 << 20,
    depth: 255,
};

/// The documents of a text, one at a time. Empty ones are left out; after an error comes nothing more.
pub struct Documents<'t> {
    source: &'t Source,
    limits: Limits,
    refused: Option<BadYaml>,
    parts: std::vec::IntoIter<(&'t str, Place)>,
    parser: Option<(Parser<'t, StrInput<'t>>, Place)>,
    /// How many documents were read.
    read: usize,
    /// The text that is read in place of the source's, and how many documents of it were read there already.
    indented: Option<(&'t Indented, usize)>,
}

impl Source {
    /// The documents of the text: YAML documents, or JSON documents one after the other.
    pub fn documents(&self) -> Documents<'_> {
        self.documents_within(LIMITS)
    }

    pub(super) fn documents_within(&self, limits: Limits) -> Documents<'_> {
        let json = json_documents(self.text());
        let refused = if json.is_none() {
            self.foreign_break()
        } else {
            None
        };
        let parts = json.unwrap_or_else(|| vec![(self.text(), Place::default())]);
        Documents {
            source: self,
            limits,
            refused,
            parts: parts.into_iter(),
            parser: None,
            read: 0,
            indented: None,
        }
    }

    /// YAML 1.1, and so kubectl, ends lines where YAML 1.2 does not: a comment could hide a field.
    fn foreign_break(&self) -> Option<BadYaml> {
        let foreign = ['\u{85}', '\u{2028}', '\u{2029}'];
        let text = self.text();
        let (before, after) = text.split_at(text.find(foreign)?);
        let code = u32::from(after.chars().next()?);
        let what = format!(
            "line break U+{code:04X}, which programs read differently: write \"\\u{code:04x}\" in double quotes"
        );
        Some(self.error(end_of(before), what))
    }
}

/// The JSON documents of a text, each with what stands before it; `None` if it is YAML.
fn json_documents(text: &str) -> Option<Vec<(&str, Place)>> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut parts = Vec::new();
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let (mut line, mut counted) = (1, 0);
    while let Some(part) = stream.next() {
        let part = part.ok()?.get();
        let start = stream.byte_offset() - part.len();
        let before = text.get(counted..start)?;
        let end = end_of(before);
        // What stands in the first line of a part stands behind the last line of the part before.
        line += end.line - 1;
        let tail = text.get(..start)?.rsplit('\n').next().unwrap_or_default();
        let column = if parts.is_empty() || end.line > 1 {
            end.column - 1
        } else {
            tail.chars().count()
        };
        parts.push((
            part,
            Place {
                start: u32::try_from(start).ok()?,
                end: 0,
                line: u32::try_from(line - 1).ok()?,
                column: u32::try_from(column).ok()?,
            },
        ));
        line += part.bytes().filter(|byte| *byte == b'\n').count();
        counted = stream.byte_offset();
    }
    Some(parts)
}

impl<'t> Iterator for Documents<'t> {
    type Item = Result<Node<'t>, BadYaml>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(refused) = self.refused.take() {
            self.parts = Vec::new().into_iter();
            return Some(Err(refused));
        }
        loop {
            let (parser, base) = match &mut self.parser {
                Some(running) => running,
                empty => {
                    let (text, base) = self.parts.next()?;
                    empty.insert((scanner(text), base))
                }
            };
            let indented = self.indented.map(|(indented, _)| indented);
            let mut composer = Composer::new(*base, self.limits, indented);
            match composer.document(parser) {
                Ok(Some(node)) => {
                    if let Some((_, again @ 1..)) = &mut self.indented {
                        *again -= 1;
                        continue;
                    }
                    self.read += 1;
                    if !node.is_null() {
                        return Some(Ok(node));
                    }
                }
                Ok(None) => self.parser = None,
                Err(_) if composer.outdented && self.indented.is_none() => {
                    let indented = self.source.indented();
                    self.indented = Some((indented, self.read));
                    self.parser = Some((scanner(indented.text()), Place::default()));
                }
                Err((place, what)) => {
                    self.parser = None;
                    self.parts = Vec::new().into_iter();
                    let what = self.template(place).unwrap_or(what);
                    return Some(Err(self.source.error(place.position(), what)));
                }
            }
        }
    }
}

impl Documents<'_> {
    /// Says so, if what cannot be read is the template of a manifest.
    fn template(&self, place: Place) -> Option<String> {
        let start = usize::try_from(place.start).ok()?;
        let text = self.source.text().get(start.checked_sub(1)?..)?;
        let what = "\"{{\": this is a template, render it first";
        (text.starts_with("{{") || text.starts_with(" {{")).then(|| what.to_owned())
    }
}

/// Puts one document together.
struct Composer<'t> {
    base: Place,
    indented: Option<&'t Indented>,
    /// Whether it ended at a line that stands no deeper than its key.
    outdented: bool,
    limits: Limits,
    open: Vec<Frame<'t>>,
    anchors: HashMap<usize, Anchored<'t>>,
    nodes: usize,
    aliased: usize,
}

/// A list or map that is not complete.
struct Frame<'t> {
    place: Place,
    anchor: usize,
    content: Content<'t>,
    /// The nesting inside.
    height: usize,
    /// Bytes of JSON inside, about.
    weight: usize,
}

enum Content<'t> {
    List(Vec<Node<'t>>),
    Map(MapBuilder<'t>),
}

#[derive(Clone)]
struct Anchored<'t> {
    node: Rc<Node<'t>>,
    height: usize,
    weight: usize,
}

impl<'t> Composer<'t> {
    fn new(base: Place, limits: Limits, indented: Option<&'t Indented>) -> Self {
        Self {
            base,
            indented,
            outdented: false,
            limits,
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            aliased: 0,
        }
    }

    /// The next document; `None` at the end of the text.
    fn document(
        &mut self,
        parser: &mut Parser<'t, StrInput<'t>>,
    ) -> Result<Option<Node<'t>>, Wrong> {
        let mut root = None;
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                self.outdented = is_outdented(&error);
                self.scan_error(&error)
            })?;
            let place = self.place(&span);
            let done = match event {
                Event::Scalar(text, style, anchor, tag) => {
                    let plain = style == ScalarStyle::Plain;
                    let tag = tag.as_deref().map(tag_name);
                    self.scalar(text, plain, tag.as_deref(), anchor, place)?
                }
                Event::Alias(anchor) => self.alias(anchor, place)?,
                Event::SequenceStart(_, anchor, _) => {
                    self.start(place, anchor, Content::List(Vec::new()))?;
                    None
                }
                Event::MappingStart(_, anchor, _) => {
                    self.start(place, anchor, Content::Map(MapBuilder::default()))?;
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => self.end(place)?,
                Event::DocumentEnd => return Ok(root.or(Some(null(place)))),
                Event::StreamEnd => return Ok(None),
                Event::UnresolvedAlias(name) => {
                    return Err((place, format!("there is no anchor \"&{name}\" before this")));
                }
                _ => None,
            };
            root = done.or(root);
        }
        Ok(None)
    }

    fn scalar(
        &mut self,
        text: Cow<'t, str>,
        plain: bool,
        tag: Option<&str>,
        anchor: usize,
        place: Place,
    ) -> Result<Option<Node<'t>>, Wrong> {
        let is_key = self.wants_key();
        if is_key && (tag == Some("merge") || (tag.is_none() && plain && text == "<<")) {
            return self.key(Key::Merge, place);
        }
        let weight = text.len() + 3;
        let scalar = scalar::read(text, plain, tag).map_err(|what| (place, what))?;
        if is_key && anchor == 0 {
            let key = Key::of(scalar).map_err(|what| (place, what))?;
            return self.key(key, place);
        }
        let value = match scalar {
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Null => Value::Null,
            Scalar::Number(number) => Value::Number(number),
            Scalar::Text(text) => Value::Text(text),
        };
        self.put(Node { place, value }, anchor, 0, weight)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<Option<Node<'t>>, Wrong> {
        let Some(Anchored {
            node,
            height,
            weight,
        }) = self.anchors.get(&anchor).cloned()
        else {
            return Err((place, "the anchor contains itself".to_owned()));
        };
        self.aliased += weight;
        if self.aliased > self.limits.aliased {
            let what = format!(
                "aliases blow this document up to more than {} MiB: write it out",
                self.limits.aliased >> 20
            );
            return Err((place, what));
        }
        let value = Value::Shared(node);
        self.put(Node { place, value }, 0, height, weight)
    }

    fn start(&mut self, place: Place, anchor: usize, content: Content<'t>) -> Result<(), Wrong> {
        if self.wants_key() {
            return Err((place, NO_KEY.to_owned()));
        }
        self.deep(0, place)?;
        self.open.push(Frame {
            place,
            anchor,
            content,
            height: 0,
            weight: 2,
        });
        Ok(())
    }

    fn end(&mut self, end: Place) -> Result<Option<Node<'t>>, Wrong> {
        let Some(frame) = self.open.pop() else {
            return Ok(None);
        };
        let value = match frame.content {
            Content::List(mut items) => {
                items.shrink_to_fit();
                Value::List(items)
            }
            Content::Map(map) => Value::Map(map.finish()?),
        };
        let place = Place {
            end: end.end,
            ..frame.place
        };
        self.put(
            Node { place, value },
            frame.anchor,
            frame.height + 1,
            frame.weight,
        )
    }

    /// Puts a complete value where it belongs; gives it back if it is the document itself.
    fn put(
        &mut self,
        mut node: Node<'t>,
        anchor: usize,
        height: usize,
        weight: usize,
    ) -> Result<Option<Node<'t>>, Wrong> {
        self.deep(height, node.place)?;
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let most = self.limits.nodes;
            let what = format!("one document has more than {most} values: split it");
            return Err((node.place, what));
        }
        if anchor != 0 {
            let place = node.place;
            let node_ = Rc::new(node);
            let held = Anchored {
                node: node_.clone(),
                height,
                weight,
            };
            self.anchors.insert(anchor, held);
            if self.anchors.len() > self.limits.anchors {
                let most = self.limits.anchors;
                let what = format!("one document has more than {most} anchors: split it");
                return Err((place, what));
            }
            node = Node {
                place,
                value: Value::Shared(node_),
            };
        }
        if self.wants_key() {
            let key = Key::of_node(&node).map_err(|what| (node.place, what))?;
            return self.key(key, node.place);
        }
        let Some(frame) = self.open.last_mut() else {
            return Ok(Some(node));
        };
        frame.height = frame.height.max(height);
        frame.weight += weight;
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map(map) => map.value(node)?,
        }
        Ok(None)
    }

    fn key(&mut self, key: Key<'t>, place: Place) -> Result<Option<Node<'t>>, Wrong> {
        if let Some(frame) = self.open.last_mut()
            && let Content::Map(map) = &mut frame.content
        {
            frame.weight += match &key {
                Key::Merge => 0,
                Key::Text(text) => text.len() + 4,
            };
            map.key(key, place);
            Ok(None)
        } else {
            Err((place, NO_KEY.to_owned()))
        }
    }

    fn wants_key(&self) -> bool {
        let innermost = self.open.last().map(|frame| &frame.content);
        matches!(innermost, Some(Content::Map(map)) if map.wants_key())
    }

    fn deep(&self, height: usize, place: Place) -> Result<(), Wrong> {
        if self.open.len() + height > self.limits.depth {
            return Err((place, self.too_deep()));
        }
        Ok(())
    }

    /// Where a piece of this part stands in the whole text.
    fn place(&self, span: &Span) -> Place {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let bytes = span.byte_range().unwrap_or_default();
        let line = narrow(span.start.line());
        let (mut start, mut end, mut column) = (bytes.start, bytes.end, span.start.col());
        if let Some(indented) = self.indented {
            start -= indented.before(start);
            end -= indented.before(end);
            column -= indented.beside(span.start.line(), column);
        }
        let column = narrow(column) + 1;
        Place {
            start: self.base.start + narrow(start),
            end: self.base.start + narrow(end),
            line: self.base.line + line,
            column: if line == 1 {
                self.base.column + column
            } else {
                column
            },
        }
    }

    fn scan_error(&self, error: &ScanError) -> Wrong {
        use granit_parser::ErrorKind;
        let what = match error.kind() {
            ErrorKind::RecursionLimitExceeded => self.too_deep(),
            ErrorKind::DirectiveDisallowed => {
                "a directive (%) changes how the rest is read: remove it".to_owned()
            }
            ErrorKind::UnknownAnchor => "there is no such anchor before this alias".to_owned(),
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar => {
                "not readable: a tab, where YAML wants spaces".to_owned()
            }
            // The scanner quotes a character as `c'.
            kind => match kind.to_string().split_once('`') {
                Some((before, quoted)) => {
                    let quoted = quoted.strip_suffix('\'').unwrap_or(quoted);
                    format!("not readable: {before}\"{quoted}\"")
                }
                None => format!("not readable: {kind}"),
            },
        };
        (self.place(&Span::empty(*error.marker())), what)
    }

    fn too_deep(&self) -> String {
        format!("nested deeper than {} levels", self.limits.depth)
    }
}

fn null<'t>(place: Place) -> Node<'t> {
    Node {
        place,
        value: Value::Null,
    }
}

/// The part behind `!!`, or `!` for any other tag.
fn tag_name(tag: &granit_parser::Tag) -> Cow<'static, str> {
    tag.suffix_in_namespace("tag:yaml.org,2002:")
        .map_or(Cow::Borrowed("!"), |name| Cow::Owned(name.into_owned()))
}
