//! When a certificate expires.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// When a certificate (DER) expires; `None` if that cannot be read. For a metric only: nothing is decided by it.
///
/// Reads the few tags on the way to `notAfter` (RFC 5280, section 4.1), and nothing else of X.509.
pub(super) fn expiry(certificate: &[u8]) -> Option<Timestamp> {
    const SEQUENCE: u8 = 0x30;
    const VERSION: u8 = 0xa0;
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;

    let (SEQUENCE, certificate, _) = element(certificate)? else {
        return None;
    };
    let (SEQUENCE, mut fields, _) = element(certificate)? else {
        return None;
    };
    if let (VERSION, _, rest) = element(fields)? {
        fields = rest;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        (_, _, fields) = element(fields)?;
    }
    let (SEQUENCE, validity, _) = element(fields)? else {
        return None;
    };
    let (_, _, after) = element(validity)?;
    let (kind, text, _) = element(after)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let text = match kind {
        // Two digits stand for the years from 1950 to 2049.
        UTC_TIME if text >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The first element: its tag, its content, and what comes after it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    // Up to 127 the length itself, above that how many bytes of length follow.
    let (length, rest) = match first.checked_sub(0x80) {
        None => (usize::from(*first), rest),
        Some(count) => {
            let (length, rest) = rest.split_at_checked(count.into())?;
            let length = length.iter().try_fold(0_usize, |sum, byte| {
                sum.checked_mul(256)?.checked_add((*byte).into())
            });
            (length?, rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((*tag, content, after))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_last_day_is_read() {
        let key = KeyPair::generate().unwrap();
        for (year, expected) in [
            (2031, "2031-05-06T00:00:00Z"),
            (2049, "2049-05-06T00:00:00Z"),
            (2070, "2070-05-06T00:00:00Z"),
        ] {
            let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 5, 6);
            let der = params.self_signed(&key).unwrap().der().to_vec();
            assert_eq!(expiry(&der).unwrap().to_string(), expected);
            // Cut short anywhere, it is unreadable, and no more than that.
            for end in 0..120 {
                assert_eq!(expiry(&der[..end]), None, "{end}");
            }
        }
        assert_eq!(expiry(&[0x30; 64]), None);
        assert_eq!(expiry(&[0x30, 0xff, 0xff]), None);
    }
}
