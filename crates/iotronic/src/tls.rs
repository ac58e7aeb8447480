//! TLS of the API listener: a given certificate, or one from an authority of our own.
//!
//! Invariants: the own authority is made once and never expires in a drawer (1975 to 4096), its key is readable by its
//! owner alone; the certificate below it is made anew at each start, for the names it is reached by; the chain that is
//! served ends in the authority's certificate, so that a board that knows only its fingerprint can find it.

use crate::settings::Settings;
use base::secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// The own authority's certificate, in the data folder.
pub const AUTHORITY: &str = "authority.pem";
/// Its private key.
const AUTHORITY_KEY: &str = "authority.key";
const FIRST_YEAR: i32 = 1975;
const LAST_YEAR: i32 = 4096;

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{} does not hold {wanted} in PEM form", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The own authority does not work.
    #[error(
        "the own certificate authority failed: {0}; remove authority.pem and authority.key to make a new one (boards must then enrol again)"
    )]
    Authority(#[from] rcgen::Error),
    /// Certificate and key do not fit.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// TLS as configured.
#[derive(Clone)]
pub struct Tls {
    /// Makes connections private.
    pub acceptor: TlsAcceptor,
    /// Fingerprint (SHA-256 of the DER certificate, base64url) of the own authority, when the certificate comes from it.
    pub authority: Option<String>,
}

/// Sets TLS up; none when the settings want none.
///
/// # Errors
/// Files are missing, unreadable or do not fit together.
pub fn set_up(
    settings: &Settings,
    dir: &Path,
    listening: SocketAddr,
) -> Result<Option<Tls>, Error> {
    if settings.tls.internal {
        return internal(dir, names(settings, listening)).map(Some);
    }
    given(settings)
}

/// Whether the files that the settings name are there and fit; makes nothing.
///
/// # Errors
/// Files are missing, unreadable or do not fit together.
pub fn check(settings: &Settings) -> Result<(), Error> {
    given(settings).map(|_| ())
}

fn given(settings: &Settings) -> Result<Option<Tls>, Error> {
    let tls = &settings.tls;
    let (Some(certificate), Some(key)) = (&tls.certificate, &tls.key) else { return Ok(None) };
    let chain = certificates(certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| Error::Pem { path: key.clone(), wanted: "a private key" })?;
    Ok(Some(Tls { acceptor: acceptor(chain, key)?, authority: None }))
}

fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = || Error::Pem { path: path.to_owned(), wanted: "a certificate" };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(wrong()),
    }
}

/// Every name and address the cloud is reached by.
fn names(settings: &Settings, listening: SocketAddr) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let address: IpAddr = listening.ip();
    if !address.is_unspecified() {
        names.push(address.to_string());
    }
    names.extend(host(&settings.public_url));
    names.extend(settings.tls.names.iter().cloned());
    names.sort();
    names.dedup();
    names
}

/// The host of a URL, brackets of IPv6 taken off.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next()?,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_owned())
}

fn internal(dir: &Path, names: Vec<String>) -> Result<Tls, Error> {
    let path = dir.join(AUTHORITY);
    if !path.exists() {
        make_authority(dir)?;
    }
    let authority = certificates(&path)?.into_iter().next();
    let authority = authority.ok_or(Error::Pem { path, wanted: "a certificate" })?;
    let path = dir.join(AUTHORITY_KEY);
    let text = String::from_utf8(read(&path)?)
        .map_err(|_| Error::Pem { path, wanted: "a private key" })?;
    let issuer = Issuer::new(authority_params()?, KeyPair::from_pem(&text)?);

    let key = KeyPair::generate()?;
    let certificate = leaf_params(names)?.signed_by(&key, &issuer)?;
    let fingerprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&authority));
    let chain = vec![certificate.der().clone(), authority];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(Tls { acceptor: acceptor(chain, key)?, authority: Some(fingerprint) })
}

/// Key first: a certificate without its key is never left behind.
fn make_authority(dir: &Path) -> Result<(), Error> {
    let key = KeyPair::generate()?;
    let certificate = authority_params()?.self_signed(&key)?;
    let path = dir.join(AUTHORITY_KEY);
    secret::write_private(&path, key.serialize_pem().as_bytes())
        .map_err(|source| Error::File { path, source })?;
    let path = dir.join(AUTHORITY);
    secret::write_synced(&path, certificate.pem().as_bytes(), 0o644)
        .map_err(|source| Error::File { path, source })
}

/// The same at each start: what is signed must name the authority as its certificate does.
fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named("iotronic authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    lasting(&mut params);
    Ok(params)
}

fn leaf_params(names: Vec<String>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = named("iotronic");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    lasting(&mut params);
    Ok(params)
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn lasting(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
    params.not_after = date_time_ymd(LAST_YEAR, 1, 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authority_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = internal(dir.path(), vec!["cloud.example".into()]).unwrap();
        let again = internal(dir.path(), vec!["other.example".into()]).unwrap();
        assert_eq!(first.authority, again.authority);
        assert!(!secret::readable_by_others(&dir.path().join(AUTHORITY_KEY)).unwrap());
    }

    #[test]
    fn hosts_are_read_out_of_urls() {
        assert_eq!(host("https://cloud.example:8812/s4t").as_deref(), Some("cloud.example"));
        assert_eq!(host("https://[2001:db8::1]:8812").as_deref(), Some("2001:db8::1"));
        assert_eq!(host(""), None);
    }

    #[test]
    fn files_that_hold_something_else_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chain.pem");
        std::fs::write(&path, "nothing").unwrap();
        let mut settings = Settings::default();
        settings.tls.certificate = Some(path.clone());
        settings.tls.key = Some(path);
        let listening = settings.api.listen;
        let error = set_up(&settings, dir.path(), listening).err().unwrap().to_string();
        assert!(error.contains("chain.pem does not hold a certificate"), "{error}");
    }
}
