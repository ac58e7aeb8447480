//! TLS of the API listener: a given certificate, or one from an authority of our own.
//!
//! Invariants: the own authority is made once and never expires in a drawer (1975 to 4096), its key is readable by its
//! owner alone; the certificate below it is made anew at each start, for the names it is reached by; the chain that is
//! served ends in the authority's certificate, so that a board that knows only its fingerprint can find it; given files that
//! change are read again, and only a pair that fits takes the place of the one before.

use crate::settings::{self, Settings};
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
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};
use tokio_rustls::TlsAcceptor;

/// The own authority's certificate, in the data folder.
pub const AUTHORITY: &str = "authority.pem";
/// Its private key.
const AUTHORITY_KEY: &str = "authority.key";
const FIRST_YEAR: i32 = 1975;
const LAST_YEAR: i32 = 4096;
/// How often given files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);

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
    /// Others may read a private key.
    #[error("{} can be read by others; restrict it with chmod 600", .0.display())]
    Readable(PathBuf),
    /// Certificate and key do not fit.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// TLS as configured. Cloning is cheap; clones serve the same certificate.
#[derive(Clone)]
pub struct Tls {
    acceptors: Arc<RwLock<Acceptors>>,
    /// Fingerprint (SHA-256 of the DER certificate, base64url) of the own authority, when the certificate comes from it.
    pub authority: Option<String>,
}

/// The same certificate for those who come by TLS 1.3, and for those who may come by TLS 1.2 too.
#[derive(Clone)]
struct Acceptors {
    newest: TlsAcceptor,
    older: TlsAcceptor,
}

/// Which versions of TLS are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// 1.3 alone.
    Newest,
    /// 1.2 as well.
    Older,
}

impl Tls {
    fn new(acceptors: Acceptors, authority: Option<String>) -> Self {
        Self { acceptors: Arc::new(RwLock::new(acceptors)), authority }
    }

    /// Makes connections private, with the certificate of now.
    #[must_use]
    pub fn acceptor(&self, versions: Versions) -> TlsAcceptor {
        let acceptors = self.acceptors.read().unwrap_or_else(PoisonError::into_inner);
        match versions {
            Versions::Newest => acceptors.newest.clone(),
            Versions::Older => acceptors.older.clone(),
        }
    }

    fn replace(&self, acceptors: Acceptors) {
        *self.acceptors.write().unwrap_or_else(PoisonError::into_inner) = acceptors;
    }

    /// Looks at given files `every` so often and reads them again when they changed, for as long as it is polled; an own
    /// certificate never changes.
    pub async fn follow(self, settings: settings::Tls, every: Duration) {
        let (Some(certificate), Some(key)) = (settings.certificate, settings.key) else { return };
        let (mut seen, mut every) = (None, tokio::time::interval(every));
        loop {
            every.tick().await;
            let (certificate, key, before) = (certificate.clone(), key.clone(), seen);
            let looked =
                tokio::task::spawn_blocking(move || look(&certificate, &key, before.as_ref()));
            let Ok((now, read)) = looked.await else { continue };
            match read {
                Some(Ok(acceptors)) => {
                    self.replace(acceptors);
                    if seen.is_some() {
                        tracing::info!("the certificate changed; new connections get the new one");
                    }
                }
                Some(Err(error)) => {
                    tracing::error!(%error, "the certificate changed and cannot be used; the one before is served on");
                }
                None => {}
            }
            seen = Some(now);
        }
    }
}

/// What tells that a file changed: inode, length, time of the last change.
type Stamps = [Option<(u64, u64, SystemTime)>; 2];

/// How the files look, and what they hold when they look otherwise than `before`.
fn look(
    certificate: &Path,
    key: &Path,
    before: Option<&Stamps>,
) -> (Stamps, Option<Result<Acceptors, Error>>) {
    let stamp = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.ino(), found.len(), found.modified().ok()?))
    };
    let now = [stamp(certificate), stamp(key)];
    let has_changed = before != Some(&now);
    (now, has_changed.then(|| read_given(certificate, key)))
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
    Ok(Some(Tls::new(read_given(certificate, key)?, None)))
}

fn read_given(certificate: &Path, key: &Path) -> Result<Acceptors, Error> {
    let chain = certificates(certificate)?;
    refuse_readable(key)?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| Error::Pem { path: key.to_owned(), wanted: "a private key" })?;
    acceptors(chain, key)
}

fn acceptors(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Acceptors, Error> {
    let newest = acceptor(chain.clone(), key.clone_key(), &[&rustls::version::TLS13])?;
    Ok(Acceptors { newest, older: acceptor(chain, key, rustls::ALL_VERSIONS)? })
}

/// A key that others may read is no secret any more; nobody shall find out later.
fn refuse_readable(path: &Path) -> Result<(), Error> {
    let is_readable = secret::readable_by_others(path);
    match is_readable.map_err(|source| Error::File { path: path.to_owned(), source })? {
        true => Err(Error::Readable(path.to_owned())),
        false => Ok(()),
    }
}

fn acceptor(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<TlsAcceptor, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
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
    refuse_readable(&path)?;
    let text = String::from_utf8(read(&path)?)
        .map_err(|_| Error::Pem { path, wanted: "a private key" })?;
    let issuer = Issuer::new(authority_params()?, KeyPair::from_pem(&text)?);

    let key = KeyPair::generate()?;
    let certificate = leaf_params(names)?.signed_by(&key, &issuer)?;
    let fingerprint = URL_SAFE_NO_PAD.encode(Sha256::digest(&authority));
    let chain = vec![certificate.der().clone(), authority];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(Tls::new(acceptors(chain, key)?, Some(fingerprint)))
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

    /// Writes a fresh pair; gives its certificate.
    fn write_pair(dir: &Path) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let certificate = leaf_params(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
        let pem = key.serialize_pem();
        secret::write_private(&dir.join("key.pem"), pem.as_bytes()).unwrap();
        certificate.der().clone()
    }

    /// Whether a client that trusts this certificate alone gets through.
    async fn serves(tls: &Tls, certificate: &CertificateDer<'static>) -> bool {
        comes_by(tls.acceptor(Versions::Newest), certificate, rustls::ALL_VERSIONS).await
    }

    async fn comes_by(
        acceptor: TlsAcceptor,
        certificate: &CertificateDer<'static>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider);
        let client = client.with_protocol_versions(versions).unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let name = "localhost".try_into().unwrap();
        let connecting = connector.connect(name, theirs);
        tokio::join!(acceptor.accept(ours), connecting).1.is_ok()
    }

    #[tokio::test]
    async fn only_the_newest_tls_is_spoken_unless_people_are_allowed_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let certificate = write_pair(dir.path());
        let pair = read_given(&dir.path().join("cert.pem"), &dir.path().join("key.pem"));
        let tls = Tls::new(pair.unwrap(), None);
        let (old, new) = (&[&rustls::version::TLS12], &[&rustls::version::TLS13]);
        for (versions, spoken, good) in [
            (Versions::Newest, new, true),
            (Versions::Newest, old, false),
            (Versions::Older, new, true),
            (Versions::Older, old, true),
        ] {
            let through = comes_by(tls.acceptor(versions), &certificate, spoken).await;
            assert_eq!(through, good, "{versions:?} {spoken:?}");
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_its_name_and_the_cure() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        write_pair(dir.path());
        let mut settings = Settings::default();
        settings.tls.certificate = Some(dir.path().join("cert.pem"));
        settings.tls.key = Some(dir.path().join("key.pem"));
        for mode in [0o644, 0o640, 0o604] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(dir.path().join("key.pem"), mode).unwrap();
            let refused = check(&settings).unwrap_err().to_string();
            assert!(refused.contains("key.pem") && refused.contains("chmod 600"), "{refused}");
        }
        internal(dir.path(), vec!["localhost".into()]).unwrap();
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(dir.path().join(AUTHORITY_KEY), open).unwrap();
        let refused = internal(dir.path(), vec!["localhost".into()]).err().unwrap().to_string();
        assert!(refused.contains(AUTHORITY_KEY), "{refused}");
    }

    #[tokio::test]
    async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let first = write_pair(dir.path());
        let mut settings = Settings::default();
        settings.tls.certificate = Some(dir.path().join("cert.pem"));
        settings.tls.key = Some(dir.path().join("key.pem"));
        let tls = given(&settings).unwrap().unwrap();
        assert!(serves(&tls, &first).await);
        let following = tls.clone().follow(settings.tls, Duration::from_millis(5));
        let following = tokio::spawn(following);
        let until_served = async |certificate: &CertificateDer<'static>| {
            while !serves(&tls, certificate).await {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(20);
        let second = write_pair(dir.path());
        tokio::time::timeout(patience, until_served(&second)).await.unwrap();
        assert!(!serves(&tls, &first).await);
        std::fs::write(dir.path().join("cert.pem"), "half of a").unwrap();
        let third = write_pair(dir.path());
        tokio::time::timeout(patience, until_served(&third)).await.unwrap();
        following.abort();
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
