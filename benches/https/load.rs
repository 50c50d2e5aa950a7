//! A closed loop: as many keep-alive connections as wanted, each with one request under way at any time, and every
//! answer read and compared with the right one.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request,
    body::Bytes,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A review and the answer that it must get.
pub(crate) struct Case {
    /// The uid, which the answer must repeat.
    pub(crate) uid: String,
    /// The whole AdmissionReview.
    pub(crate) body: Bytes,
}

/// Whom to ask, and how.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsConnector,
}

/// What a run came to.
pub(crate) struct Run {
    /// Latency of each answer, shortest first.
    latencies: Vec<Duration>,
    /// How long it lasted.
    lasted: Duration,
}

/// An answer that is not the right one.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) String);

impl Client {
    /// A client that trusts this certificate and no other.
    pub(crate) fn new(address: SocketAddr, certificate: CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            address,
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Opens a connection; an error if nobody is there yet.
    pub(crate) async fn connect(&self) -> std::io::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::IpAddress(self.address.ip().into());
        let stream = self.tls.connect(name, stream).await?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(std::io::Error::other)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Loads the server for a while. Stops at the first wrong answer.
    pub(crate) async fn load(
        &self,
        connections: usize,
        time: Duration,
        cases: &Arc<[Case]>,
        allowed: bool,
    ) -> Result<Run, Wrong> {
        let turn = Arc::new(AtomicUsize::new(0));
        let mut senders = Vec::new();
        for _ in 0..connections {
            senders.push(
                self.connect()
                    .await
                    .map_err(|error| Wrong(error.to_string()))?,
            );
        }
        let start = Instant::now();
        let tasks: Vec<_> = senders
            .into_iter()
            .map(|mut sender| {
                let (turn, cases) = (turn.clone(), cases.clone());
                tokio::spawn(async move {
                    let mut latencies = Vec::new();
                    while start.elapsed() < time {
                        let case = &cases[turn.fetch_add(1, Ordering::Relaxed) % cases.len()];
                        let begin = Instant::now();
                        let answer = ask(&mut sender, case).await?;
                        latencies.push(begin.elapsed());
                        case.check(&answer, allowed)?;
                    }
                    Ok(latencies)
                })
            })
            .collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.append(&mut task.await.unwrap()?);
        }
        let lasted = start.elapsed();
        latencies.sort_unstable();
        Ok(Run { latencies, lasted })
    }
}

/// Sends a review and gives the body of the answer.
pub(crate) async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    case: &Case,
) -> Result<Bytes, Wrong> {
    let request = Request::post("/validate?timeout=10s")
        .header(HOST, "127.0.0.1")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(case.body.clone()))
        .unwrap();
    let failed = |error: hyper::Error| Wrong(error.to_string());
    sender.ready().await.map_err(failed)?;
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(failed)?
        .to_bytes();
    if status.is_success() {
        Ok(body)
    } else {
        Err(Wrong(format!(
            "{status}: {}",
            String::from_utf8_lossy(&body)
        )))
    }
}

impl Case {
    /// Whether the answer is this verdict, for this request.
    pub(crate) fn check(&self, answer: &[u8], allowed: bool) -> Result<(), Wrong> {
        #[derive(serde::Deserialize)]
        struct Answer<'a> {
            #[serde(borrow)]
            response: Response<'a>,
        }
        #[derive(serde::Deserialize)]
        struct Response<'a> {
            uid: &'a str,
            allowed: bool,
        }
        match serde_json::from_slice::<Answer<'_>>(answer) {
            Ok(Answer { response }) if response.uid == self.uid && response.allowed == allowed => {
                Ok(())
            }
            _ => Err(Wrong(String::from_utf8_lossy(answer).into_owned())),
        }
    }
}

impl Run {
    /// How many answers came.
    pub(crate) fn answers(&self) -> usize {
        self.latencies.len()
    }

    /// Answers per second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers() as f64 / self.lasted.as_secs_f64()
    }

    /// The latency, in milliseconds, within which this share of the answers came.
    pub(crate) fn percentile(&self, share: f64) -> f64 {
        let at = (share * self.answers() as f64) as usize;
        let latency = self.latencies.get(at.min(self.answers().saturating_sub(1)));
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1000.0)
    }
}
