//! Scalars, as YAML 1.1 and Go read them.

use std::{borrow::Cow, fmt};

/// A scalar, as kubectl hands it to the API server.
///
/// kubectl reads YAML 1.1 (`go.yaml.in/yaml/v2/resolve.go`), and writes JSON (`sigs.k8s.io/yaml`).
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar<'t> {
    Bool(bool),
    Null,
    Number(Number),
    Text(Cow<'t, str>),
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// One that is whole and fits.
    Integer(i64),
    /// Any other; never infinite.
    Real(f64),
}

/// How Go writes a number in JSON (`encoding/json`, `floatEncoder`).
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Integer(number) => write!(f, "{number}"),
            Self::Real(number) => {
                let size = number.abs();
                if size >= 1e21 {
                    write!(f, "{}", format!("{number:e}").replace('e', "e+"))
                } else if size != 0.0 && size < 1e-6 {
                    write!(f, "{number:e}")
                } else {
                    write!(f, "{number}")
                }
            }
        }
    }
}

/// Whether a text can stand in YAML without quotes, in flow style too, and is text to every reader.
pub(crate) fn is_plain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b" -_./+@".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(inner)
        && !text.ends_with(' ')
        && matches!(resolve(Cow::Borrowed(text)), Ok(Scalar::Text(_)))
}

/// Reads a scalar. `tag` is the part behind `!!`, or `!` for a tag of anybody else's.
pub(super) fn read<'t>(
    text: Cow<'t, str>,
    plain: bool,
    tag: Option<&str>,
) -> Result<Scalar<'t>, String> {
    let wrong = |tag: &str| Err(format!("\"{text}\" is no !!{tag}"));
    match tag {
        None if plain => resolve(text),
        None | Some("str" | "timestamp" | "!") => Ok(Scalar::Text(text)),
        Some("binary") => Err("the tag !!binary is not read: write the text itself".to_owned()),
        Some(tag) => {
            let resolved = resolve(text.clone())?;
            match (tag, resolved) {
                ("int", Scalar::Number(number @ Number::Integer(_)))
                | ("float", Scalar::Number(number)) => Ok(Scalar::Number(number)),
                ("bool", Scalar::Bool(value)) => Ok(Scalar::Bool(value)),
                ("null", Scalar::Null) => Ok(Scalar::Null),
                ("int" | "float" | "bool" | "null", _) => wrong(tag),
                _ => Ok(Scalar::Text(text)),
            }
        }
    }
}

fn resolve(text: Cow<'_, str>) -> Result<Scalar<'_>, String> {
    let found = match &*text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Scalar::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => {
            return Err(format!(
                "{text} is a number that JSON does not have: quote it"
            ));
        }
        other => match number(other) {
            Some(number) => Scalar::Number(number),
            None => Scalar::Text(text),
        },
    };
    Ok(found)
}

fn number(text: &str) -> Option<Number> {
    let first = text.bytes().next()?;
    if first == b'.' {
        return real(text);
    }
    if !matches!(first, b'+' | b'-' | b'0'..=b'9') {
        return None;
    }
    let text = &*if text.contains('_') {
        Cow::Owned(text.replace('_', ""))
    } else {
        Cow::Borrowed(text)
    };
    integer(text).or_else(|| real(text))
}

/// Go's `strconv.ParseInt` and `ParseUint` with base 0. What is larger than an `i64` counts as a real number: the
/// API server reads it so.
#[expect(
    clippy::cast_precision_loss,
    reason = "as the API server loses it, for numbers beyond i64"
)]
fn integer(text: &str) -> Option<Number> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("-", digits) => (-1, digits),
        ("+", digits) => (1, digits),
        _ => (1, text),
    };
    let lower = digits.get(..2).map(str::to_ascii_lowercase);
    let (radix, digits) = match lower.as_deref() {
        Some("0x") => (16, digits.get(2..)?),
        Some("0b") => (2, digits.get(2..)?),
        Some("0o") => (8, digits.get(2..)?),
        Some(octal) if octal.starts_with('0') => (8, digits.get(1..)?),
        _ => (10, digits),
    };
    // Rust's parser would take a second sign.
    if !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()? * sign;
    match i64::try_from(value) {
        Ok(value) => Some(Number::Integer(value)),
        Err(_) if sign > 0 && u64::try_from(value).is_ok() => Some(Number::Real(value as f64)),
        Err(_) => None,
    }
}

/// `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`, and it must fit.
fn real(text: &str) -> Option<Number> {
    let shape = |byte: u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
    if !text.bytes().all(shape) || !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A sign, digits with a point, an exponent: over that alphabet Rust's grammar is the same.
    let value: f64 = text.parse().ok()?;
    value.is_finite().then_some(Number::Real(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `kubectl label --local -o json` of Kubernetes 1.36 makes of each.
    const READ: &[(&str, &[&str])] = &[
        (
            "true",
            &[
                "y", "Y", "yes", "Yes", "YES", "on", "On", "true", "True", "TRUE",
            ],
        ),
        ("false", &["n", "N", "no", "off", "false"]),
        ("null", &["", "~", "null", "Null", "NULL"]),
        ("0", &["0", "-0", "00", "0e1", "0.", "1e-400"]),
        ("5", &["+5", "0b101", "5.0"]),
        ("8", &["08", "010", "+010", "8."]),
        ("9", &["09"]),
        ("-8", &["-010"]),
        ("15", &["0o17", "0O17"]),
        ("31", &["0x1F", "0X1f", "0x_1F"]),
        ("-31", &["-0x1F"]),
        ("-3", &["-0b11"]),
        ("511", &["0777"]),
        ("420", &["0644"]),
        ("1", &["1_", "0B1", "1.0", "1.", "0.1e1"]),
        ("10", &["1__0", "1.e1"]),
        ("7", &["0_7"]),
        ("1000", &["1_000", "1e3", "1E3", "1e+3"]),
        ("1500", &["1.5e3"]),
        ("0.5", &[".5", "+.5"]),
        ("-0.5", &["-.5"]),
        ("10.5", &["1_0.5"]),
        ("1e-7", &["0.0000001"]),
        ("0.000001", &["0.000001"]),
        ("12345678.9", &["12345678.9"]),
        (
            "100000000000000000000",
            &["1e20", "100000000000000000000.0"],
        ),
        ("1e+21", &["1e21"]),
        (
            "1.2345678901234568e+29",
            &["123456789012345678901234567890"],
        ),
        ("9223372036854775807", &["9223372036854775807"]),
        ("9223372036854776000", &["9223372036854775808"]),
        (
            "18446744073709552000",
            &["18446744073709551615", "18446744073709551616"],
        ),
        ("-9223372036854775808", &["-9223372036854775808"]),
        ("-9223372036854776000", &["-9223372036854775809"]),
        ("1.2345678901234567", &["1.23456789012345678"]),
    ];

    #[test]
    fn plain_scalars_read_as_kubectl_reads_them() {
        for (json, texts) in READ {
            for text in *texts {
                let found = match read((*text).into(), true, None).unwrap() {
                    Scalar::Bool(value) => value.to_string(),
                    Scalar::Null => "null".to_owned(),
                    Scalar::Number(number) => number.to_string(),
                    Scalar::Text(text) => format!("\"{text}\""),
                };
                assert_eq!(found, *json, "{text}");
            }
        }
        for text in [
            "tRue",
            "nULL",
            "_1",
            ".",
            "..",
            "inf",
            "nan",
            "Infinity",
            "1e400",
            "-1e400",
            "1e",
            "e1",
            "+",
            "--1",
            "+-1",
            "0x",
            "0b",
            "0b2",
            "0o",
            "0o8",
            "0x-1",
            "1,000",
            "1 000",
            "0x1.8p1",
            "0x1p4",
            "1p4",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "2026-1-1",
            "190:20:30",
            "1:30",
            "=",
            "<<",
            "a b",
            "1.2.3",
            ".e1",
            "-",
            "1e1.5",
            "infinity",
            "NaN",
        ] {
            assert_eq!(
                read(text.into(), true, None),
                Ok(Scalar::Text(text.into())),
                "{text}"
            );
        }
        for text in [".inf", "-.INF", "+.Inf", ".nan", ".NaN"] {
            assert!(read(text.into(), true, None).is_err(), "{text}");
        }
    }

    #[test]
    fn a_tag_or_quotes_decide() {
        let text = |text: &'static str| Ok(Scalar::Text(text.into()));
        let number = |number| Ok(Scalar::Number(Number::Integer(number)));
        assert_eq!(read("5".into(), false, None), text("5"));
        assert_eq!(read("5".into(), true, Some("str")), text("5"));
        assert_eq!(read("".into(), true, Some("str")), text(""));
        assert_eq!(read("5".into(), true, Some("!")), text("5"));
        assert_eq!(read("5".into(), false, Some("int")), number(5));
        assert_eq!(read("0x1F".into(), true, Some("int")), number(31));
        assert_eq!(
            read("yes".into(), false, Some("bool")),
            Ok(Scalar::Bool(true))
        );
        assert_eq!(read("".into(), false, Some("null")), Ok(Scalar::Null));
        for (text, tag) in [
            ("abc", "int"),
            ("1.5", "int"),
            ("yes", "int"),
            ("1", "bool"),
            ("abc", "float"),
            ("abc", "null"),
            ("aGVsbG8=", "binary"),
        ] {
            assert!(read(text.into(), true, Some(tag)).is_err(), "{text} {tag}");
        }
    }
}
