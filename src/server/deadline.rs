//! The deadline of a request, as the API server writes it into the URL.

use std::time::{Duration, Instant};

/// What a request has if it does not say: the default `timeoutSeconds` of a webhook.
const DEFAULT: Duration = Duration::from_secs(10);
/// The longest `timeoutSeconds` that a webhook may have.
const LONGEST: Duration = Duration::from_secs(30);

/// When the answer to a request must be ready: what is left of `?timeout=` (the API server says how long it waits),
/// less the time that the answer needs to get there.
pub(super) fn deadline(query: Option<&str>, start: Instant) -> Instant {
    let asked = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .filter_map(|pair| pair.strip_prefix("timeout="))
        .find_map(duration);
    let timeout = asked.unwrap_or(DEFAULT).min(LONGEST);
    let margin = (timeout / 10).min(Duration::from_millis(500));
    start + timeout.saturating_sub(margin)
}

/// Reads a duration as Go writes it: `10s`, `500ms`, `1m30s`, `1.5h`. `None` if it is none, or a negative one.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(usher::server::duration("1m30s"), Some(Duration::from_secs(90)));
/// assert_eq!(usher::server::duration("90"), None);
/// ```
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = |c: char| c.is_ascii_digit() || c == '.';
        let end = rest.find(|c| !digits(c))?;
        let (number, after) = rest.split_at_checked(end)?;
        let end = after.find(digits).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end)?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = after;
    }
    (!text.is_empty())
        .then(|| Duration::try_from_secs_f64(seconds).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_go_writes_it() {
        for (text, millis) in [
            ("10s", Some(10_000)),
            ("500ms", Some(500)),
            ("1m", Some(60_000)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("2000us", Some(2)),
            ("2000µs", Some(2)),
            ("", None),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1x", None),
            ("1.2.3s", None),
            ("1e400h", None),
            ("99999999999999999999999h", None),
        ] {
            assert_eq!(duration(text), millis.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn the_deadline_leaves_time_for_the_answer() {
        let start = Instant::now();
        for (query, millis) in [
            (None, 9_500),
            (Some("timeout=10s"), 9_500),
            (Some("timeout=1s"), 900),
            (Some("timeout=500ms"), 450),
            (Some("x=1&timeout=2s&y="), 1_800),
            (Some("timeout=1h"), 29_500),
            (Some("timeout=soon"), 9_500),
            (Some("timeout=0s"), 0),
        ] {
            let left = deadline(query, start) - start;
            assert_eq!(left, Duration::from_millis(millis), "{query:?}");
        }
    }
}
