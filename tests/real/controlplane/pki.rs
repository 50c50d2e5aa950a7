//! Certificates and keys of one run: made on the spot, valid on loopback only, gone with the run.

use super::error::Error;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::fs;
use std::path::{Path, PathBuf};

/// The certificate authority of one run and the folder of what it signed.
pub(crate) struct Pki {
    dir: PathBuf,
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as files in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// The certificate.
    pub(crate) cert: PathBuf,
    /// Its private key (PKCS#8).
    pub(crate) key: PathBuf,
}

impl Pki {
    /// Makes the authority, and the key pair `sa.key`, `sa.pub` with which service account tokens are signed.
    pub(crate) fn create(dir: &Path) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = name("usher-test-ca", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        let ca_pem = params.self_signed(&key)?.pem();
        write(&dir.join("ca.crt"), &ca_pem)?;
        write(&dir.join("ca.key"), &key.serialize_pem())?;
        let tokens = KeyPair::generate()?;
        write(&dir.join("sa.key"), &tokens.serialize_pem())?;
        write(&dir.join("sa.pub"), &tokens.public_key_pem())?;
        Ok(Self {
            dir: dir.to_owned(),
            ca_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// The certificate of the authority, in PEM.
    pub(crate) fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The path of a file of this folder (`ca.crt`, `sa.pub`, ...).
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// A client certificate: the API server reads the user from CN and the group, if any, from O.
    pub(crate) fn client(
        &self,
        file: &str,
        user: &str,
        group: Option<&str>,
    ) -> Result<Pair, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(user, group.as_slice());
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(file, &params)
    }

    /// A serving certificate for DNS names and IP addresses.
    pub(crate) fn server(&self, file: &str, hosts: &[&str]) -> Result<Pair, Error> {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let mut params = CertificateParams::new(hosts)?;
        params.distinguished_name = name(file, &[]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(file, &params)
    }

    fn sign(&self, file: &str, params: &CertificateParams) -> Result<Pair, Error> {
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?;
        let pair = Pair {
            cert: self.path(&format!("{file}.crt")),
            key: self.path(&format!("{file}.key")),
        };
        write(&pair.cert, &cert.pem())?;
        write(&pair.key, &key.serialize_pem())?;
        Ok(pair)
    }
}

fn name(common: &str, organization: &[&str]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    for &group in organization {
        name.push(DnType::OrganizationName, group);
    }
    name
}

fn write(path: &Path, pem: &str) -> Result<(), Error> {
    fs::write(path, pem).map_err(Error::io("write", path))
}
