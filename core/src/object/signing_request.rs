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

/// The request could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BadSigningRequest {
    /// The object is not what the API says it is.
    #[error(transparent)]
    Object(#[from] BadObject),
    /// There is no PEM block, or it holds no base64.
    #[error("spec.request holds no certificate request in PEM")]
    Pem,
    /// What stands there is no certificate request (RFC 2986).
    #[error("spec.request holds no certificate request: {0}")]
    Request(#[from] der::Error),
}

/// The user names that a CertificateSigningRequest asks for; none if its signer gives nobody a name for the API server.
pub fn user_names(object: &RawValue) -> Result<Vec<String>, BadSigningRequest> {
    let spec = |key: &str| at::<Text<'_>>(object, &["spec".into(), key.into()]);
    if spec("signerName")?.is_none_or(|signer| *signer != *CLIENT) {
        return Ok(Vec::new());
    }
    let request = spec("request")?.unwrap_or_default();
    let pem = STANDARD
        .decode(&*request)
        .map_err(|_| BadSigningRequest::Pem)?;
    let pem = str::from_utf8(&pem).map_err(|_| BadSigningRequest::Pem)?;
    // As Go reads it: what stands before the block does not count, nor do the lengths of the lines.
    let block = pem
        .split_once(BEGIN)
        .and_then(|(_, behind)| behind.split_once(END));
    let (block, _) = block.ok_or(BadSigningRequest::Pem)?;
    let block: String = block.split_whitespace().collect();
    let der = STANDARD.decode(block).map_err(|_| BadSigningRequest::Pem)?;
    Ok(common_names(&der)?)
}

/// Whether somebody has approved it.
pub fn is_approved(object: &RawValue) -> Result<bool, BadObject> {
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
        Tag::BmpString => {
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
