//! Certificates that are swapped without a restart.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::{ClientHello, NoServerSessionStorage, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

use super::{expiry::expiry, follow::follow, metrics::Metrics};

/// The certificate of the webhook, read from two files and read anew when they change.
///
/// The content is compared, not watched: kubelet changes a mounted Secret by swapping a link, which a watch on the
/// file does not survive.
#[derive(Debug)]
pub struct Certificates {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: ArcSwap<CertifiedKey>,
}

/// A certificate and its key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadCertificate {
    /// The certificate file holds no certificate.
    #[error("\"{}\" holds no certificate", .0.display())]
    Empty(PathBuf),
    /// Certificate and key do not fit, or are of a kind that TLS cannot use.
    #[error("\"{certificate}\" and \"{key}\" cannot be used together: {error}", certificate = certificate.display(), key = key.display())]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong.
        error: rustls::Error,
    },
    /// The file is no PEM, or lacks what it should hold.
    #[error("\"{}\" is not PEM: {error}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: pem::Error,
    },
    /// The file cannot be read.
    #[error("cannot read \"{}\": {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
}

#[derive(Debug, Eq, PartialEq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Certificates {
    /// Reads a PEM chain, the leaf first, and the PEM key of the leaf.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, BadCertificate> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let files = Files::read(certificate, key)?;
        let current = files.parse(certificate, key, &provider)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            provider,
            current: ArcSwap::from_pointee(current),
        })
    }

    /// Takes a PEM chain and its PEM key from memory. There are no files to [follow](Self::follow).
    pub fn of_pem(certificate: Vec<u8>, key: Vec<u8>) -> Result<Self, BadCertificate> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let memory = Path::new("memory");
        let current = Files { certificate, key }.parse(memory, memory, &provider)?;
        Ok(Self {
            certificate: memory.to_owned(),
            key: memory.to_owned(),
            provider,
            current: ArcSwap::from_pointee(current),
        })
    }

    /// Looks at the files every so often, and takes a changed pair into use. A bad one is logged and counted, and the
    /// last good one stays. Never ends.
    pub async fn follow(&self, every: Duration, metrics: &Metrics) -> Infallible {
        let read = || Files::read(&self.certificate, &self.key).map_err(|error| error.to_string());
        let take = |files: &Files| {
            let parsed = files.parse(&self.certificate, &self.key, &self.provider);
            let parsed = parsed.map_err(|error| error.to_string())?;
            let leaf = parsed.cert.first();
            let expiry = leaf.and_then(|leaf| expiry(leaf));
            metrics.expiry.set(expiry.map_or(0, Timestamp::as_second));
            self.current.store(Arc::new(parsed));
            Ok(())
        };
        follow(every, &metrics.certificate, "certificate", read, take).await
    }

    pub(super) fn acceptor(self: Arc<Self>) -> Result<TlsAcceptor, rustls::Error> {
        let provider = self.provider.clone();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self);
        // The API server speaks HTTP/1.1 to webhooks and does not resume sessions: nothing is kept for either.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl Files {
    /// Reads both files as they stand at one moment: the certificate is read once more, in case the pair was changed
    /// between the two.
    fn read(certificate: &Path, key: &Path) -> Result<Self, BadCertificate> {
        let read = |path: &Path| {
            fs::read(path).map_err(|error| BadCertificate::Read {
                path: path.to_owned(),
                error,
            })
        };
        let mut first = read(certificate)?;
        loop {
            let files = Self {
                key: read(key)?,
                certificate: read(certificate)?,
            };
            if files.certificate == first {
                return Ok(files);
            }
            first = files.certificate;
        }
    }

    fn parse(
        &self,
        certificate: &Path,
        key: &Path,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, BadCertificate> {
        let pem = |path: &Path| {
            let path = path.to_owned();
            |error| BadCertificate::Pem { path, error }
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(pem(certificate))?;
        if chain.is_empty() {
            return Err(BadCertificate::Empty(certificate.to_owned()));
        }
        let secret = PrivateKeyDer::from_pem_slice(&self.key).map_err(pem(key))?;
        CertifiedKey::from_der(chain, secret, provider).map_err(|error| BadCertificate::Pair {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            error,
        })
    }
}
