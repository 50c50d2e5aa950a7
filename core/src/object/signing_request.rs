//! CertificateSigningRequests: whose name a client certificate would bear.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use der::{
    Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::seek::{BadObject, at};
use crate::reference::Text;

/// The signer whose certificates the API server takes for a user (`k8s.io/api/certificates/v1`, `KubeAPIServerClientSignerName`).
const CLIENT: &str = "kubernetes.io/kube-apiserver-client";
/// The attribute that becomes the user name, `commonName` (RFC 5280, appendix A.1).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const BEGIN: &str = "-----BEGIN CERTIFICATE REQUEST-----";
const END: &str = "-----END CERTIFICATE REQUEST-----";
/// What every line begins with that begins or ends a block.
const DASHES: &str = "-----";

/// The request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BadSigningRequest {
    /// The object is not what the API says it is.
    #[error(transparent)]
    Object(#[from] BadObject),
    /// There is no PEM block, or it holds no base64.
    #[error("spec.request holds no certificate request in PEM")]
    Pem,
    /// There are several PEM blocks, or one that readers do not agree about.
    #[error(
        "spec.request must hold one block of PEM, which begins and ends on lines of its own, and nothing like it beside it"
    )]
    Ambiguous,
    /// What stands there is no certificate request (RFC 2986).
    #[error("spec.request holds no certificate request: {0}")]
    Request(#[from] der::Error),
}

/// The user names that a CertificateSigningRequest asks for; none if its signer gives nobody a name for the API server.
pub(crate) fn user_names(object: &RawValue) -> Result<Vec<String>, BadSigningRequest> {
    let spec = |key: &str| at::<Text<'_>>(object, &["spec".into(), key.into()]);
    if spec("signerName")?.is_none_or(|signer| *signer != *CLIENT) {
        return Ok(Vec::new());
    }
    let request = spec("request")?.unwrap_or_default();
    let pem = STANDARD
        .decode(&*request)
        .map_err(|_| BadSigningRequest::Pem)?;
    let pem = str::from_utf8(&pem).map_err(|_| BadSigningRequest::Pem)?;
    let block = block(pem)?.replace([' ', '\t', '\r', '\n'], "");
    let der = STANDARD.decode(block).map_err(|_| BadSigningRequest::Pem)?;
    Ok(common_names(&der)?)
}

/// What stands in the one block of a text in PEM. What stands before the block does not count, nor do the lengths of the lines, as
/// for Go (`encoding/pem`). Go, however, leaves out a block that it cannot read and goes on to the next: where a text could be read
/// in two ways, nobody can tell whose name it bears.
fn block(pem: &str) -> Result<&str, BadSigningRequest> {
    let (before, behind) = pem.split_once(BEGIN).ok_or(BadSigningRequest::Pem)?;
    let (block, after) = behind.split_once(END).ok_or(BadSigningRequest::Pem)?;
    let is_line =
        |rest: &str| rest.is_empty() || rest.starts_with('\n') || rest.starts_with("\r\n");
    let is_one = (before.is_empty() || before.ends_with('\n'))
        && block.ends_with('\n')
        && is_line(block)
        && is_line(after)
        && ![before, block, after]
            .iter()
            .any(|part| part.contains(DASHES));
    is_one.then_some(block).ok_or(BadSigningRequest::Ambiguous)
}

/// Whether somebody has approved it.
pub(crate) fn is_approved(object: &RawValue) -> Result<bool, BadObject> {
    #[derive(Deserialize)]
    struct Condition<'a> {
        #[serde(borrow, default, rename = "type")]
        sort: Text<'a>,
    }

    let path = ["status".into(), "conditions".into()];
    let conditions: Option<Vec<Condition<'_>>> = at(object, &path)?;
    let mut conditions = conditions.unwrap_or_default().into_iter();
    Ok(conditions.any(|condition| *condition.sort == *"Approved"))
}

/// The common names of the subject of a certificate request (RFC 2986).
fn common_names(der: &[u8]) -> der::Result<Vec<String>> {
    let mut names = Vec::new();
    SliceReader::new(der)?.sequence(|request| {
        request.sequence(|info| {
            let _version: AnyRef<'_> = info.decode()?;
            info.sequence(|subject| {
                while !subject.is_finished() {
                    let set: AnyRef<'_> = subject.decode()?;
                    set.tag().assert_eq(Tag::Set)?;
                    let set = &mut SliceReader::new(set.value())?;
                    while !set.is_finished() {
                        names.extend(set.sequence(common_name)?);
                    }
                }
                Ok(())
            })?;
            skip(info)
        })?;
        skip(request)
    })?;
    Ok(names)
}

/// The text of an attribute, if it is a common name.
fn common_name<'d>(
    attribute: &mut der::NestedReader<'_, SliceReader<'d>>,
) -> der::Result<Option<String>> {
    let id: ObjectIdentifier = attribute.decode()?;
    let value: AnyRef<'d> = attribute.decode()?;
    if id != COMMON_NAME {
        return Ok(None);
    }
    let bad = || value.tag().value_error();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => {
            let text = str::from_utf8(value.value()).map_err(|_| bad())?;
            Ok(Some(text.to_owned()))
        }
        Tag::BmpString if value.value().len().is_multiple_of(2) => {
            let pairs = value.value().chunks(2);
            let units: Vec<u16> = pairs
                .map(|pair| {
                    pair.iter()
                        .fold(0, |unit, byte| unit << 8 | u16::from(*byte))
                })
                .collect();
            String::from_utf16(&units).map(Some).map_err(|_| bad())
        }
        _ => Err(bad()),
    }
}

/// Leaves out what follows.
fn skip<'d>(reader: &mut impl Reader<'d>) -> der::Result<()> {
    while !reader.is_finished() {
        let _: AnyRef<'d> = reader.decode()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For `/O=team/CN=system:serviceaccount:team-a:deployer`, made by openssl.
    const REQUEST: &str = "\
MIH5MIGhAgEAMD8xDTALBgNVBAoMBHRlYW0xLjAsBgNVBAMMJXN5c3RlbTpzZXJ2aWNlYWNjb3VudDp0ZWFtLWE6ZGVwbG95ZXIw\
WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATTDaKMSrF8O6M6cXg4pfk/8SXEY+jbsFSHicLuKLPqxgu+FNNL4fRW68EKrKxx0z9H\
ZHdfXtWmlUzpcc7uo6ASoAAwCgYIKoZIzj0EAwIDRwAwRAIgdtSKGDV7SwMR4sPGyMG+cUH5r33xsQObl8zh65JXThcCIACZAAyK\
aGyzJ6DJYvjXD2691hNAsBt9awkgVmbWWg69\
";
    const NAME: &str = "system:serviceaccount:team-a:deployer";

    /// A request of which nothing but the subject is there: sets of attributes, each an identifier, a tag and a value.
    fn request(sets: &[&[(&str, Tag, &[u8])]]) -> Vec<u8> {
        let of = |tag: u8, content: Vec<u8>| {
            let length = u8::try_from(content.len()).unwrap();
            // Lengths of more than 127 take a byte that says so.
            let head = if length < 128 {
                vec![tag, length]
            } else {
                vec![tag, 0x81, length]
            };
            [head, content].concat()
        };
        let attribute = |(id, tag, value): &(&str, Tag, &[u8])| {
            let id = ObjectIdentifier::new(id).unwrap().as_bytes().to_vec();
            of(
                0x30,
                [of(0x06, id), of(tag.octet(), value.to_vec())].concat(),
            )
        };
        let set = |set: &&[(&str, Tag, &[u8])]| of(0x31, set.iter().flat_map(attribute).collect());
        let subject = of(0x30, sets.iter().flat_map(set).collect());
        let info = of(0x30, [of(0x02, vec![0]), subject].concat());
        of(0x30, info)
    }

    #[test]
    fn every_common_name_is_read_however_it_is_written() {
        let made = STANDARD.decode(REQUEST).unwrap();
        assert_eq!(common_names(&made).unwrap(), [NAME]);
        let wide: Vec<u8> = NAME.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let name = ("2.5.4.3", Tag::Utf8String, NAME.as_bytes());
        let jane = ("2.5.4.3", Tag::PrintableString, &b"jane"[..]);
        let team = ("2.5.4.10", Tag::Utf8String, &b"team"[..]);
        for (sets, names) in [
            (&[][..], &[][..]),
            (&[&[team][..]], &[]),
            (&[&[team], &[name]], &[NAME]),
            (&[&[jane, name]], &["jane", NAME]),
            (&[&[("2.5.4.3", Tag::BmpString, &wide)]], &[NAME]),
            (&[&[("2.5.4.3", Tag::Ia5String, NAME.as_bytes())]], &[NAME]),
            (
                &[&[("2.5.4.3", Tag::TeletexString, NAME.as_bytes())]],
                &[NAME],
            ),
        ] {
            assert_eq!(common_names(&request(sets)).unwrap(), names);
        }
        for sets in [
            &[&[("2.5.4.3", Tag::Integer, &b"1"[..])][..]][..],
            &[&[("2.5.4.3", Tag::Utf8String, b"\xff")]],
            &[&[("2.5.4.3", Tag::BmpString, b"\xd8\x00")]],
            &[&[("2.5.4.3", Tag::BmpString, b"\0a\0")]],
        ] {
            assert!(common_names(&request(sets)).is_err());
        }
    }

    /// Another reader might find another name in the rest (`encoding/pem` leaves out what is no block to it).
    #[test]
    fn a_text_that_could_be_read_in_two_ways_names_nobody() {
        let names = |text: &str| {
            let spec = serde_json::json!({"spec": {"signerName": CLIENT, "request": STANDARD.encode(text)}});
            let object = serde_json::value::to_raw_value(&spec).unwrap();
            user_names(&object).map_err(|bad| matches!(bad, BadSigningRequest::Ambiguous))
        };
        let lines = REQUEST
            .as_bytes()
            .chunks(64)
            .map(|line| str::from_utf8(line).unwrap());
        let block = format!("{BEGIN}\n{}\n{END}\n", lines.collect::<Vec<_>>().join("\n"));
        let read = Ok(vec![NAME.to_owned()]);
        for text in [
            block.clone(),
            block.trim_end().to_owned(),
            block.replace('\n', "\r\n"),
            format!("{BEGIN}\n{REQUEST}\n{END}\n"),
            // As `openssl req -text` writes it.
            format!("Certificate Request:\n    Data:\n        Version: 1 (0x0)\n{block}"),
            format!("{block}\nbehind it\n"),
        ] {
            assert_eq!(names(&text), read, "{text}");
        }
        for text in [
            format!("x{block}"),
            format!("x{block}{block}"),
            format!("{block}{block}"),
            format!("{BEGIN} \n{REQUEST}\n{END}\n"),
            format!("{BEGIN}{REQUEST}\n{END}\n"),
            format!("{BEGIN}\n{REQUEST}{END}\n"),
            format!("{BEGIN}\n{REQUEST}\n{END}x\n"),
            format!("-----BEGIN X-----\n-----END X-----\n{block}"),
            format!("{block}-----BEGIN X-----\n"),
            format!("{BEGIN}\n-----END X-----\n{REQUEST}\n{END}\n"),
        ] {
            assert_eq!(names(&text), Err(true), "{text}");
        }
        for text in [
            String::new(),
            BEGIN.to_owned(),
            REQUEST.to_owned(),
            format!("{BEGIN}\nA: b\n\n{REQUEST}\n{END}\n"),
            format!("{BEGIN}\n\u{c}{REQUEST}\n{END}\n"),
        ] {
            assert_eq!(names(&text), Err(false), "{text}");
        }
    }

    /// A bit that turns over may change the name; what is left is a name, or an error.
    #[test]
    fn a_damaged_request_is_read_or_an_error() {
        let made = STANDARD.decode(REQUEST).unwrap();
        for end in 0..made.len() {
            assert!(common_names(&made[..end]).is_err(), "{end}");
        }
        for bit in 0..made.len() * 8 {
            let mut damaged = made.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = common_names(&damaged);
        }
    }
}
