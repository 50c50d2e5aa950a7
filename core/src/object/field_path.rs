//! Paths of the catalogue: with stars for the items of lists and the values of maps, and every place that they lead to.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, HashMap, hash_map::Entry},
    rc::Rc,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::seek::{BadObject, fields, parse};
use crate::reference::{Text, Written, read, write_key};

/// How many places one path of one object may lead to. Nobody writes so many; more would be work without bound.
const PLACES: usize = 1000;

/// A path of the catalogue: keys with dots between them, `[]` for every item of a list, `.*` for every value of a map,
/// and `["a.b"]` for a key that holds a dot.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct FieldPath {
    text: Box<str>,
    steps: Vec<Step>,
}

impl JsonSchema for FieldPath {
    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "keys with dots between them, [] for every item of a list, .* for every value of a map, [\"a.b\"] for a key that holds a dot",
        })
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into every item of a list.
    Items,
    /// Into the value of this key.
    Key(Box<str>),
    /// Into every value of a map.
    Values,
}

/// The objects and lists that paths have led through, each taken apart once, however many paths lead through it.
#[derive(Debug, Default)]
pub(crate) struct Memo<'o> {
    objects: RefCell<HashMap<usize, Members<'o>>>,
    lists: RefCell<HashMap<usize, Items<'o>>>,
}

type Members<'o> = BTreeMap<Text<'o>, &'o RawValue>;
type Items<'o> = Rc<[&'o RawValue]>;

impl<'o> Memo<'o> {
    /// What stands at a key of an object; none if nothing does, or `null`, or if the object is `null` itself.
    fn member(&self, value: &'o RawValue, key: &str) -> Result<Option<&'o RawValue>, BadObject> {
        if value.get() == "null" {
            return Ok(None);
        }
        let mut known = self.objects.borrow_mut();
        // No two values begin at the same place of one text.
        let members = match known.entry(value.get().as_ptr().addr()) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => free.insert(fields(value)?),
        };
        let member = members.get(key).copied();
        Ok(member.filter(|member| member.get() != "null"))
    }

    /// The items of a list.
    fn items(&self, value: &'o RawValue) -> Result<Items<'o>, BadObject> {
        let mut known = self.lists.borrow_mut();
        Ok(match known.entry(value.get().as_ptr().addr()) {
            Entry::Occupied(held) => held.get().clone(),
            Entry::Vacant(free) => {
                let items: Vec<&RawValue> = parse(value)?;
                free.insert(items.into()).clone()
            }
        })
    }
}

/// Where a path leads in an object.
#[derive(Clone, Debug)]
pub struct Place<'o> {
    /// The path, with indices and keys in place of the stars.
    pub path: String,
    /// What stands there; none if nothing does, or `null`.
    pub value: Option<&'o RawValue>,
    /// The items of lists and values of maps on the way there.
    trail: Vec<&'o RawValue>,
}

/// What a walk has found.
#[derive(Default)]
struct Found<'o> {
    places: Vec<Place<'o>>,
    /// Whether places where nothing stands are left out.
    only_there: bool,
}

/// The text is no path.
#[derive(Debug, thiserror::Error)]
#[error(
    "\"{0}\" is no path: keys with dots between them, [] for the items of a list, .* for the values of a map"
)]
pub struct BadPath(String);

/// A path leads nowhere that can be read.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The object is none that it could lead into.
    #[error(transparent)]
    Bad(#[from] BadObject),
    /// What stands at a place on its way is nothing that it could lead into.
    #[error("the object cannot be read: {}", why.detail().0)]
    At {
        /// The place.
        place: String,
        /// Why not.
        why: BadObject,
    },
    /// It leads to too many places.
    #[error("no more than {PLACES} places of {0} are looked at")]
    Many(Box<str>),
}

impl TryFrom<String> for FieldPath {
    type Error = BadPath;

    fn try_from(text: String) -> Result<Self, BadPath> {
        let steps = steps(&text).ok_or_else(|| BadPath(text.clone()))?;
        Ok(Self {
            steps,
            text: text.into(),
        })
    }
}

fn steps(text: &str) -> Option<Vec<Step>> {
    let steps = read(text).map(|step| match step? {
        Written::Index(_) => None,
        Written::Items => Some(Step::Items),
        Written::Key(key) => Some(Step::Key(key.into())),
        Written::Values => Some(Step::Values),
    });
    let steps: Vec<Step> = steps.collect::<Option<_>>()?;
    (!steps.is_empty()).then_some(steps)
}

impl FieldPath {
    /// Steps as they are written.
    pub fn written(steps: &[Step]) -> String {
        let mut text = String::new();
        for step in steps {
            match step {
                Step::Items => text.push_str("[]"),
                Step::Key(key) => write_key(&mut text, key),
                Step::Values => text.push_str(".*"),
            }
        }
        text
    }

    /// As it is written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Step by step.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The keys up to the first star: what decides whether anything below has changed.
    pub(crate) fn head(&self) -> Vec<Box<str>> {
        let keys = self.steps.iter().map_while(|step| match step {
            Step::Key(key) => Some(key.clone()),
            Step::Items | Step::Values => None,
        });
        keys.collect()
    }

    /// What is left of it behind these keys, if it leads through them.
    pub(crate) fn below(&self, keys: &[Box<str>]) -> Option<&[Step]> {
        let (way, rest) = self.steps.split_at_checked(keys.len())?;
        let mut pairs = way.iter().zip(keys);
        pairs
            .all(|(step, key)| matches!(step, Step::Key(held) if held == key))
            .then_some(rest)
    }

    /// What is left of it behind another path, if it can lead through a place of that: a key may be one of a map.
    pub(crate) fn behind(&self, other: &Self) -> Option<&[Step]> {
        let (way, rest) = self.steps.split_at_checked(other.steps.len())?;
        let mut pairs = way.iter().zip(&other.steps);
        let may_meet = |(step, of): (&Step, &Step)| match (step, of) {
            (Step::Values, Step::Key(_)) | (Step::Key(_), Step::Values) => true,
            (step, of) => step == of,
        };
        pairs.all(may_meet).then_some(rest)
    }

    /// The keys up to the first star of this key beside its last one, if that is the `spec` of something within the object.
    pub(crate) fn beside_spec(&self, key: &str) -> Option<Vec<Box<str>>> {
        let (Step::Key(last), way) = self.steps.split_last()? else {
            return None;
        };
        if **last != *"spec" || way.is_empty() {
            return None;
        }
        let mut keys = self.head();
        if keys.len() == self.steps.len() {
            keys.pop();
            keys.push(key.into());
        }
        Some(keys)
    }

    /// Every place that it leads to. Where the way ends early nothing stands at the end of it, but below a list or map that
    /// is not there is no place at all.
    pub(crate) fn find<'o>(
        &self,
        object: &'o RawValue,
        memo: &Memo<'o>,
    ) -> Result<Vec<Place<'o>>, Lost> {
        let mut found = Found::default();
        self.walk(&self.steps, object, Place::of(object), memo, &mut found)?;
        Ok(found.places)
    }

    /// Every place of it where something stands, if this is what stands at its first key.
    pub(super) fn find_there<'o>(
        &self,
        first: &'o RawValue,
        memo: &Memo<'o>,
    ) -> Result<Vec<Place<'o>>, Lost> {
        let Some((Step::Key(key), rest)) = self.steps.split_first() else {
            return Ok(Vec::new());
        };
        let start = Place {
            path: joined(String::new(), key),
            ..Place::of(first)
        };
        let mut found = Found {
            only_there: true,
            ..Found::default()
        };
        self.walk(rest, first, start, memo, &mut found)?;
        Ok(found.places)
    }

    /// Whether it leads through the same items of lists or maps as another path, as far as the ways are the same.
    pub(crate) fn shares_items(&self, other: &Self) -> bool {
        let pairs = self.steps.iter().zip(&other.steps);
        let mut same = pairs.take_while(|(step, of)| step == of);
        same.any(|(step, _)| !matches!(step, Step::Key(_)))
    }

    /// Every place that it leads to from the items that another path went through on its way to a place: as far as the ways
    /// are the same, it leads through the same items.
    pub(crate) fn find_beside<'o>(
        &self,
        object: &'o RawValue,
        other: &Self,
        place: &Place<'o>,
        memo: &Memo<'o>,
    ) -> Result<Vec<Place<'o>>, Lost> {
        let pairs = self.steps.iter().zip(&other.steps).enumerate();
        let same = pairs.take_while(|(_, (step, of))| step == of);
        let stars = same.filter(|(_, (step, _))| !matches!(step, Step::Key(_)));
        let common = stars.map(|(index, _)| index).zip(&place.trail).last();
        let (from, steps) = match common {
            Some((star, item)) => (*item, self.steps.get(star + 1..).unwrap_or_default()),
            None => (object, &*self.steps),
        };
        let mut found = Found::default();
        self.walk(steps, from, Place::of(from), memo, &mut found)?;
        Ok(found.places)
    }

    fn walk<'o>(
        &self,
        steps: &[Step],
        value: &'o RawValue,
        mut at: Place<'o>,
        memo: &Memo<'o>,
        found: &mut Found<'o>,
    ) -> Result<(), Lost> {
        let Some((step, rest)) = steps.split_first() else {
            if found.places.len() == PLACES {
                return Err(Lost::Many(self.text.clone()));
            }
            at.value = Some(value);
            found.places.push(at);
            return Ok(());
        };
        match step {
            Step::Key(key) => {
                let member = memo.member(value, key);
                let member = member.map_err(|why| at.lost(why))?;
                at.path = joined(at.path, key);
                if let Some(value) = member {
                    return self.walk(rest, value, at, memo, found);
                }
                let mut keys = rest.iter();
                if !found.only_there && keys.all(|step| matches!(step, Step::Key(_))) {
                    at.path = rest.iter().fold(at.path, |path, step| match step {
                        Step::Key(key) => joined(path, key),
                        Step::Items | Step::Values => path,
                    });
                    at.value = None;
                    found.places.push(at);
                }
                Ok(())
            }
            Step::Items | Step::Values if value.get() == "null" => Ok(()),
            Step::Items => {
                let items = memo.items(value).map_err(|why| at.lost(why))?;
                let mut items = items.iter().enumerate();
                items.try_for_each(|(index, item)| {
                    let at = at.item(format!("{}[{index}]", at.path), item);
                    self.walk(rest, item, at, memo, found)
                })
            }
            Step::Values => {
                let values = fields(value).map_err(|why| at.lost(why))?;
                let mut values = values.into_iter();
                values.try_for_each(|(key, value)| {
                    let at = at.item(joined(at.path.clone(), &key), value);
                    self.walk(rest, value, at, memo, found)
                })
            }
        }
    }
}

impl<'o> Place<'o> {
    /// The place of an object itself.
    fn of(object: &'o RawValue) -> Self {
        Self {
            path: String::new(),
            value: Some(object),
            trail: Vec::new(),
        }
    }

    /// That what stands there is nothing that a path could lead into.
    fn lost(&self, why: BadObject) -> Lost {
        let place = self.path.clone();
        Lost::At { place, why }
    }

    /// The place of an item in it.
    fn item(&self, path: String, item: &'o RawValue) -> Self {
        let mut trail = self.trail.clone();
        trail.push(item);
        Self {
            path,
            value: Some(item),
            trail,
        }
    }
}

/// A path with one more key.
fn joined(mut path: String, key: &str) -> String {
    write_key(&mut path, key);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, json: &str) -> Result<Vec<(String, Option<String>)>, String> {
        let path = FieldPath::try_from(path.to_owned()).unwrap();
        let object: &RawValue = serde_json::from_str(json).unwrap();
        let found = path
            .find(object, &Memo::default())
            .map_err(|lost| lost.to_string())?;
        let place =
            |place: Place<'_>| (place.path, place.value.map(|value| value.get().to_owned()));
        Ok(found.into_iter().map(place).collect())
    }

    #[test]
    fn a_path_leads_to_every_place() {
        let object = r#"{"a":{"b":[{"c":1},{"c":null},{}],"m":{"x.y":{"c":2},"z":{"c":3}}},"k":{"p/q":null},"n":[null,[1]]}"#;
        let found = |path, expected: &[(&str, Option<&str>)]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|(path, value)| ((*path).to_owned(), value.map(str::to_owned)))
                .collect();
            assert_eq!(places(path, object).unwrap(), expected, "{path}");
        };
        found(
            "a.b[].c",
            &[
                ("a.b[0].c", Some("1")),
                ("a.b[1].c", None),
                ("a.b[2].c", None),
            ],
        );
        found(
            "a.m.*.c",
            &[("a.m[\"x.y\"].c", Some("2")), ("a.m.z.c", Some("3"))],
        );
        found("k[\"p/q\"]", &[("k[\"p/q\"]", None)]);
        found("a.none.deep", &[("a.none.deep", None)]);
        found("a.none[].deep", &[]);
        found("k.*.*", &[]);
        found("n[][]", &[("n[1][0]", Some("1"))]);
        assert!(places("a.b.c", object).is_err());
        assert!(places("a[]", object).is_err());
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(PLACES));
        assert!(
            places("a[]", &many)
                .unwrap_err()
                .contains("no more than 1000")
        );
    }

    #[test]
    fn what_is_no_path_is_an_error() {
        for text in [
            "", ".", "a..b", "a.", "a[0]", "a[", "a*", "a b", "a[]b", "a[\"b",
        ] {
            assert!(FieldPath::try_from(text.to_owned()).is_err(), "{text}");
        }
        let path = FieldPath::try_from("a.b[].c.*".to_owned()).unwrap();
        assert_eq!(path.head(), ["a".into(), "b".into()]);
    }
}
