//! The HTTPS client of the demo.

use std::{net::SocketAddr, sync::Arc};

use axum::body::{Body, to_bytes};
use hyper::{
    Request, Version,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failure;

/// More than any answer has.
const LARGEST: usize = 1 << 20;

/// One connection to the webhook, as the API server keeps it: HTTPS, HTTP/1.1, kept alive.
pub(super) struct Client {
    send: SendRequest<Body>,
}

/// The part of an AdmissionReview that the API server acts on.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    allowed: bool,
    #[serde(default)]
    status: Option<Status>,
    #[serde(default)]
    patch: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    audit_annotations: serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Status {
    message: String,
}

impl Client {
    pub(super) async fn connect(
        address: SocketAddr,
        trusted: CertificateDer<'static>,
    ) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted)?;
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        let (send, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { send })
    }

    /// Sends a review to one of the two webhooks.
    pub(super) async fn post(
        &mut self,
        path: &'static str,
        review: &'static str,
    ) -> Result<Answer, Failure> {
        #[derive(Deserialize)]
        struct Review {
            response: Answer,
        }

        let request = Request::post(format!("{path}?timeout=10s"))
            .version(Version::HTTP_11)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(review))?;
        self.send.ready().await?;
        let answer = self.send.send_request(request).await?;
        let body = to_bytes(Body::new(answer.into_body()), LARGEST).await?;
        Ok(serde_json::from_slice::<Review>(&body)?.response)
    }
}

impl Answer {
    /// One word for the answer.
    pub(super) fn word(&self) -> &'static str {
        if !self.allowed {
            "refused"
        } else if !self.warnings.is_empty() {
            "warned"
        } else if self.patch.is_some() {
            "patched"
        } else if self.audit_annotations.contains_key("audited") {
            "audited"
        } else {
            "allowed"
        }
    }

    /// What the message says is needed.
    pub(super) fn needs(&self) -> Option<&str> {
        self.status
            .as_ref()?
            .message
            .split_once("needs: ")
            .map(|(_, needs)| needs)
    }
}
