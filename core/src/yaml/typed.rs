//! Typed values from a document. A mistake is told in words, where it stands.

use std::fmt::{self, Display};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess,
        SeqAccess, Unexpected, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};

use super::{BadYaml, Node, Number, Place, Source, Value, node::Entry};

/// Reads the one document of a text; a text without any reads as nothing at all (`null`).
///
/// Values are those that kubectl would find, with one exception: where text is meant, what stands there without quotes is
/// that text, so that a mode may be called `off`. What is left empty is an empty list or map where one is meant.
pub fn read<T: DeserializeOwned>(source: &Source) -> Result<T, BadYaml> {
    let mut documents = source.documents();
    let document = documents.next().transpose()?.unwrap_or(Node {
        place: Place {
            line: 1,
            column: 1,
            ..Place::default()
        },
        value: Value::Null,
    });
    if let Some(second) = documents.next().transpose()? {
        let what = "there is more than one document: only one is read";
        return Err(source.error(second.place.position(), what));
    }
    document.typed(source)
}

/// The same of a text in memory, which messages call `name`.
pub(crate) fn read_text<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, BadYaml> {
    read(&Source::new(name, text.to_owned())?)
}

impl Node<'_> {
    /// The value as a type, of the text that it was read from.
    pub(crate) fn typed<T: DeserializeOwned>(&self, source: &Source) -> Result<T, BadYaml> {
        T::deserialize(Typed { node: self, source }).map_err(|mistake| {
            let place = mistake.place.unwrap_or(self.place);
            source.error(place.position(), mistake.what)
        })
    }
}

/// A value, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands; the start of an empty text where that is not known.
    pub place: Place,
}

/// What is wrong, and where as soon as somebody knows.
#[derive(Debug)]
struct Mistake {
    place: Option<Place>,
    what: String,
}

impl Mistake {
    /// The innermost place counts.
    fn at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: Display>(what: T) -> Self {
        Self {
            place: None,
            what: what.to_string(),
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = meant(&expected.to_string());
        Self::custom(format_args!("{expected} is meant, and {}", is(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        let expected = meant(&expected.to_string());
        Self::custom(format_args!("{expected} is meant, and there are {length}"))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(match nearest(variant, expected.iter().copied()) {
            Some(near) => format!("there is no \"{variant}\": \"{near}\" is probably meant"),
            None => format!("\"{variant}\" is none of {}", expected.join(", ")),
        })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(match nearest(field, expected.iter().copied()) {
            Some(near) => format!("there is no key \"{field}\": \"{near}\" is probably meant"),
            None => format!(
                "there is no key \"{field}\" here, only {}",
                expected.join(", ")
            ),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key \"{field}\" is missing"))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key \"{field}\" stands there twice"))
    }
}

/// The name that somebody who wrote this probably meant.
pub fn nearest<'k>(written: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let plain = written.to_lowercase();
    known
        .map(|name| (strsim::jaro_winkler(&plain, &name.to_lowercase()), name))
        .filter(|(alike, _)| *alike > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

/// What to write instead, in words: the name that was probably meant, or all that there are.
pub(crate) fn instead(written: &str, known: &[&str]) -> String {
    match nearest(written, known.iter().copied()) {
        Some(near) => format!("\"{near}\" is probably meant"),
        None => format!("there are {}", known.join(", ")),
    }
}

/// What a type wants, in the words of whoever writes YAML.
fn meant(expected: &str) -> String {
    let integer = [
        "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize",
    ];
    match expected {
        "a boolean" => "true or false".to_owned(),
        "a string" | "a borrowed string" | "a character" | "string" => "text".to_owned(),
        "a sequence" => "a list, as [a, b],".to_owned(),
        "a map" | "map" => "a map, as {a: b},".to_owned(),
        _ if integer.contains(&expected) => "a whole number".to_owned(),
        _ if expected.starts_with("struct ") || expected.starts_with("internally tagged") => {
            "a map, as {a: b},".to_owned()
        }
        _ if expected.starts_with("enum ") || expected == "variant identifier" => {
            "one of a few words".to_owned()
        }
        _ if expected.starts_with("tuple") || expected.starts_with("a tuple") => {
            let size = expected.rsplit(' ').next().unwrap_or_default();
            format!("a list of {size}")
        }
        other => other.to_owned(),
    }
}

fn is(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => format!("{value} stands here"),
        Unexpected::Unsigned(number) => format!("{number} stands here"),
        Unexpected::Signed(number) => format!("{number} stands here"),
        Unexpected::Float(number) => format!("{number} stands here"),
        Unexpected::Str(text) => format!("\"{text}\" stands here"),
        Unexpected::Unit | Unexpected::Option => "nothing stands here".to_owned(),
        Unexpected::Seq => "this is a list".to_owned(),
        Unexpected::Map | Unexpected::StructVariant => "this is a map".to_owned(),
        other => format!("this is {other}"),
    }
}

/// By this name a [`Spanned`] asks for its place. No other type has it.
const SPANNED: &str = "$usher::yaml::Spanned";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Spanned<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Placed<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Placed<T> {
            type Value = Spanned<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Self::Value, D::Error> {
                let value = T::deserialize(deserializer)?;
                let place = Place::default();
                Ok(Spanned { value, place })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
                let missing = || de::Error::invalid_length(0, &self);
                let (start, end, line, column) = parts.next_element()?.ok_or_else(missing)?;
                let value = parts.next_element()?.ok_or_else(missing)?;
                let place = Place {
                    start,
                    end,
                    line,
                    column,
                };
                Ok(Spanned { value, place })
            }
        }

        deserializer.deserialize_newtype_struct(SPANNED, Placed(std::marker::PhantomData))
    }
}

/// Reads a node as a type.
#[derive(Clone, Copy)]
struct Typed<'n, 't> {
    node: &'n Node<'t>,
    source: &'n Source,
}

impl<'n, 't> Typed<'n, 't> {
    fn of(self, node: &'n Node<'t>) -> Self {
        Self { node, ..self }
    }

    /// The node that an alias stands for.
    fn target(self) -> &'n Node<'t> {
        let mut node = self.node;
        while let Value::Shared(target) = &node.value {
            node = target;
        }
        node
    }

    /// What stands there without quotes, as it is written.
    fn written(self) -> Option<&'n str> {
        let Place { start, end, .. } = self.target().place;
        let at = |byte| usize::try_from(byte).ok();
        self.source.text().get(at(start)?..at(end)?)
    }

    fn any<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.node.value() {
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::List(items) => visitor.visit_seq(Items {
                typed: self,
                rest: items.iter(),
            }),
            Value::Map(entries) => visitor.visit_map(Members {
                typed: self,
                rest: entries.iter(),
                value: None,
            }),
            Value::Number(Number::Integer(number)) => visitor.visit_i64(*number),
            #[expect(clippy::cast_possible_truncation, reason = "the bound makes it exact")]
            Value::Number(Number::Real(number)) if number.fract() == 0.0 && number.abs() < 9e15 => {
                visitor.visit_i64(*number as i64)
            }
            Value::Number(Number::Real(number)) => visitor.visit_f64(*number),
            Value::Text(text) => visitor.visit_str(text),
            // An alias is none: it was followed.
            Value::Null | Value::Shared(_) => visitor.visit_unit(),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.node.value() {
            Value::Bool(_) | Value::Number(_) => match self.written() {
                Some(written) => visitor.visit_str(written.trim()),
                None => self.any(visitor),
            },
            _ => self.any(visitor),
        }
    }

    /// Reads a value in it. Whatever is wrong with that, and does not say where, is wrong there.
    fn inner<'de, S: DeserializeSeed<'de>>(
        self,
        node: &'n Node<'t>,
        seed: S,
    ) -> Result<S::Value, Mistake> {
        let inner = Self { node, ..self };
        inner.placed(seed.deserialize(inner))
    }

    fn placed<T>(self, done: Result<T, Mistake>) -> Result<T, Mistake> {
        done.map_err(|mistake| mistake.at(self.node.place))
    }
}

impl<'de> Deserializer<'de> for Typed<'_, '_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.placed(self.any(visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.placed(self.text(visitor))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.placed(self.text(visitor))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.placed(self.text(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let done = if self.node.is_null() {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        };
        self.placed(done)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let done = if self.node.is_null() {
            visitor.visit_seq(Items {
                typed: self,
                rest: [].iter(),
            })
        } else {
            self.any(visitor)
        };
        self.placed(done)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let done = if self.node.is_null() {
            visitor.visit_map(Members {
                typed: self,
                rest: [].iter(),
                value: None,
            })
        } else {
            self.any(visitor)
        };
        self.placed(done)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        // A list would be read as the values of the map, one after the other.
        if matches!(self.node.value(), Value::List(_)) {
            let wrong = de::Error::invalid_type(Unexpected::Seq, &"a map");
            return self.placed(Err(wrong));
        }
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let done = if name == SPANNED {
            visitor.visit_seq(Spot {
                typed: self,
                told: 0,
            })
        } else {
            visitor.visit_newtype_struct(self)
        };
        self.placed(done)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let done = match self.node.value() {
            Value::Map(entries) => match &**entries {
                [entry] => visitor.visit_enum(Variant { typed: self, entry }),
                _ => Err(de::Error::custom("a map with one key is meant")),
            },
            Value::Text(text) => visitor.visit_enum((&**text).into_deserializer()),
            Value::Bool(_) | Value::Number(_) => {
                let written = self.written().unwrap_or_default().trim();
                visitor.visit_enum(written.into_deserializer())
            }
            Value::List(_) => Err(de::Error::custom("one word is meant, and this is a list")),
            Value::Null | Value::Shared(_) => Err(de::Error::custom(
                "a word is meant, and nothing stands here",
            )),
        };
        self.placed(done)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        tuple tuple_struct ignored_any
    }
}

struct Items<'n, 't> {
    typed: Typed<'n, 't>,
    rest: std::slice::Iter<'n, Node<'t>>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Mistake;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake> {
        let next = self.rest.next();
        next.map(|item| self.typed.inner(item, seed)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Members<'n, 't> {
    typed: Typed<'n, 't>,
    rest: std::slice::Iter<'n, Entry<'t>>,
    value: Option<&'n Node<'t>>,
}

impl<'de> MapAccess<'de> for Members<'_, '_> {
    type Error = Mistake;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake> {
        let Some(entry) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some(&entry.value);
        let key: de::value::StrDeserializer<'_, Mistake> = (&*entry.key).into_deserializer();
        let key = seed.deserialize(key);
        key.map(Some).map_err(|mistake| mistake.at(entry.place))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Mistake> {
        match self.value.take() {
            Some(value) => self.typed.inner(value, seed),
            None => Err(de::Error::custom("a value without a key")),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A variant that holds something: a map of one key.
struct Variant<'n, 't> {
    typed: Typed<'n, 't>,
    entry: &'n Entry<'t>,
}

impl<'de> EnumAccess<'de> for Variant<'_, '_> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Mistake> {
        let key: de::value::StrDeserializer<'_, Mistake> = (&*self.entry.key).into_deserializer();
        let place = self.entry.place;
        let variant = seed.deserialize(key).map_err(|mistake| mistake.at(place))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        let what = format_args!("\"{}\" stands alone, without a value", self.entry.key);
        let mistake: Mistake = de::Error::custom(what);
        Err(mistake.at(self.entry.place))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Mistake> {
        self.typed.inner(&self.entry.value, seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.typed.of(&self.entry.value).deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.typed.of(&self.entry.value).deserialize_map(visitor)
    }
}

/// The place of a value, then the value.
struct Spot<'n, 't> {
    typed: Typed<'n, 't>,
    told: usize,
}

impl<'de> SeqAccess<'de> for Spot<'_, '_> {
    type Error = Mistake;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Mistake> {
        self.told += 1;
        match self.told {
            1 => {
                let Place {
                    start,
                    end,
                    line,
                    column,
                } = self.typed.node.place;
                let parts = [start, end, line, column].into_iter();
                let parts = de::value::SeqDeserializer::<_, Mistake>::new(parts);
                seed.deserialize(parts).map(Some)
            }
            2 => self.typed.inner(self.typed.node, seed).map(Some),
            _ => Ok(None),
        }
    }
}
