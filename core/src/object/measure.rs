//! Quantities and durations: what a program in Go reads as one of them, it writes in another way.

use jiff::SignedDuration;
use serde_json::Value;

/// The value of a key, by what a program does to it that reads an object and writes it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meant {
    /// Nothing: it stays as it is.
    Itself,
    /// A quantity (`k8s.io/apimachinery/pkg/api/resource`).
    Quantity,
    /// A map of them.
    Quantities,
    /// A duration (`metav1.Duration`, `time.ParseDuration`).
    Duration,
}

/// Keys of maps of quantities: what containers, claims and jobs ask for.
const QUANTITIES: [&str; 6] = [
    "capacity",
    "limits",
    "maxResources",
    "minResources",
    "overhead",
    "requests",
];
/// Keys of quantities: of volumes and of variables.
const QUANTITY: [&str; 2] = ["divisor", "sizeLimit"];
/// How keys of durations end.
const DURATION: [&str; 6] = ["delay", "duration", "interval", "period", "timeout", "ttl"];
/// What stands behind the number of a quantity, with its power of ten and of two.
const SUFFIXES: [(&str, i32, u32); 15] = [
    ("Ki", 0, 10),
    ("Mi", 0, 20),
    ("Gi", 0, 30),
    ("Ti", 0, 40),
    ("Pi", 0, 50),
    ("Ei", 0, 60),
    ("n", -9, 0),
    ("u", -6, 0),
    ("m", -3, 0),
    ("k", 3, 0),
    ("M", 6, 0),
    ("G", 9, 0),
    ("T", 12, 0),
    ("P", 15, 0),
    ("E", 18, 0),
];

impl Meant {
    /// What the value of this key is, in a map that is meant as `self`.
    pub(crate) fn of(self, key: &str) -> Self {
        let ends = |end: &&str| {
            let tail = key.len().checked_sub(end.len());
            let tail = tail.and_then(|start| key.get(start..));
            tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end))
        };
        match self {
            Self::Quantities => Self::Quantity,
            _ if QUANTITIES.contains(&key) => Self::Quantities,
            _ if QUANTITY.contains(&key) => Self::Quantity,
            _ if DURATION.iter().any(ends) => Self::Duration,
            _ => Self::Itself,
        }
    }

    /// Whether two values that are written differently mean the same.
    pub(crate) fn is_same(self, one: &Value, other: &Value) -> bool {
        let same = match self {
            Self::Quantity => quantity(one).zip(quantity(other)).map(|(a, b)| a == b),
            Self::Duration => duration(one).zip(duration(other)).map(|(a, b)| a == b),
            Self::Itself | Self::Quantities => None,
        };
        same == Some(true)
    }
}

/// A quantity in billionths; none if it is finer, or larger than anybody has.
fn quantity(value: &Value) -> Option<i128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let suffix = SUFFIXES
        .iter()
        .find_map(|(suffix, tens, twos)| Some((text.strip_suffix(suffix)?, *tens, *twos)));
    let (number, tens, twos) = suffix.unwrap_or((&text, 0, 0));
    // "1E3" is 10^3.
    let (number, tens) = match number.split_once(['e', 'E']) {
        Some((number, power)) if suffix.is_none() => (number, power.parse::<i32>().ok()?),
        Some(_) => return None,
        None => (number, tens),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let part = part.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole.trim_start_matches(['+', '-']))
        || !digits(part)
        || whole.len() + part.len() > 30
    {
        return None;
    }
    let all: i128 = format!("{whole}{part}").parse().ok()?;
    let power = tens
        .checked_add(9)?
        .checked_sub(i32::try_from(part.len()).ok()?)?;
    let binary = all.checked_mul(1_i128.checked_shl(twos)?)?;
    let ten = 10_i128.checked_pow(power.unsigned_abs())?;
    if power >= 0 {
        binary.checked_mul(ten)
    } else {
        (binary % ten == 0).then(|| binary / ten)
    }
}

fn duration(value: &Value) -> Option<SignedDuration> {
    value.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_differently_may_mean_the_same() {
        let quantities = [
            (json!("1000m"), json!("1"), true),
            (json!("0.5"), json!("500m"), true),
            (json!(1), json!("1"), true),
            (json!(0.1), json!("100m"), true),
            (json!("1024Mi"), json!("1Gi"), true),
            (json!("1.5Gi"), json!("1536Mi"), true),
            (json!("1e3"), json!("1k"), true),
            (json!("1E"), json!("1000P"), true),
            (json!("+1"), json!("1.000"), true),
            (json!("100n"), json!("0.1u"), true),
            (json!("-1"), json!("1"), false),
            (json!("1G"), json!("1Gi"), false),
            (json!("1m"), json!("1M"), false),
            (json!("1Mi"), json!("1Mib"), false),
            (json!("1e3k"), json!("1000000"), false),
            (json!("1.2.3"), json!("1.23"), false),
            (json!("-"), json!("0"), false),
            (json!("--1"), json!("1"), false),
            (json!("1e99999999999"), json!("1e99999999999"), false),
            (
                json!("99999999999999999999999999999999999999E"),
                json!("1"),
                false,
            ),
            (json!(true), json!("1"), false),
        ];
        for (one, other, expected) in quantities {
            assert_eq!(
                Meant::Quantity.is_same(&one, &other),
                expected,
                "{one} {other}"
            );
            assert!(!Meant::Itself.is_same(&one, &other) && !Meant::Duration.is_same(&one, &other));
        }
        for (one, other, expected) in [
            ("60s", "1m0s", true),
            ("90m", "1h30m0s", true),
            ("1.5h", "1h30m0s", true),
            ("1000ms", "1s", true),
            ("1s", "1m", false),
            ("1", "1s", false),
            ("web", "web", false),
        ] {
            assert_eq!(
                Meant::Duration.is_same(&json!(one), &json!(other)),
                expected,
                "{one} {other}"
            );
        }
    }

    #[test]
    fn the_key_says_what_is_meant() {
        let of = |path: &str| path.split('.').fold(Meant::Itself, Meant::of);
        assert_eq!(of("resources.requests.cpu"), Meant::Quantity);
        assert_eq!(of("emptyDir.sizeLimit"), Meant::Quantity);
        assert_eq!(of("spec.minReconcileInterval"), Meant::Duration);
        assert_eq!(of("spec.interval"), Meant::Duration);
        assert_eq!(of("requests.cpu.name"), Meant::Itself);
        assert_eq!(of("spec.serviceAccountName"), Meant::Itself);
    }
}
