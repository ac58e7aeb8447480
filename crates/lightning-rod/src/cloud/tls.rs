//! Whom the agent believes when the cloud speaks TLS.
//!
//! Three ways of knowing: public authorities (the system's, or Mozilla's where it has none); the cloud's own authority, known by its
//! certificate since enrolment; the same at enrolment itself, known only by the fingerprint in the claim. Invariant: the
//! time in which certificates are judged is the board's, which never goes back. TLS hides what is said; who the cloud is
//! is decided by its pinned key in any case.

use crate::clock::BoardClock;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Where distributions keep their bundle of authorities.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];

/// Whom to believe.
#[derive(Debug, Clone)]
pub enum Trust {
    /// Public authorities, or those in this file.
    Public(Option<PathBuf>),
    /// This certificate (PEM) alone.
    Authority(String),
    /// The certificate with this SHA-256 (base64url) alone; the first one seen is kept in the cell as PEM.
    Fingerprint(String, Arc<OnceLock<String>>),
    /// Anybody: what is said is hidden from listeners only. For upstream's clouds, whose agents check nothing either.
    Anything,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(String);

/// The client's configuration.
pub(super) fn config(
    trust: &Trust,
    clock: &Arc<BoardClock>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let wrong = |error: rustls::Error| TlsError(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let time = Arc::new(BoardTime(Arc::clone(clock)));
    let builder = ClientConfig::builder_with_details(Arc::clone(&provider), time)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    let config = match trust {
        Trust::Public(file) => {
            builder.with_root_certificates(public_roots(file.as_deref())?).with_no_client_auth()
        }
        Trust::Authority(pem) => {
            let mut roots = RootCertStore::empty();
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| {
                TlsError(format!("the cloud's authority in board.json: {error}"))
            })?;
            roots.add(certificate).map_err(wrong)?;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Fingerprint(fingerprint, seen) => {
            let (fingerprint, seen) = (fingerprint.clone(), Arc::clone(seen));
            judged(builder, Judge::Fingerprint { fingerprint, seen }, provider)
        }
        Trust::Anything => judged(builder, Judge::Nobody, provider),
    };
    Ok(Arc::new(config))
}

fn judged(
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    judge: Judge,
    provider: Arc<CryptoProvider>,
) -> ClientConfig {
    let verifier = Arc::new(Verifier { judge, provider });
    builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

fn public_roots(file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = file {
        let bytes =
            std::fs::read(file).map_err(|e| TlsError(format!("{}: {e}", file.display())))?;
        add_all(&mut roots, &bytes);
        if roots.is_empty() {
            return Err(TlsError(format!("{} holds no certificate", file.display())));
        }
        return Ok(roots);
    }
    if let Some(bytes) = BUNDLES.iter().find_map(|bundle| std::fs::read(bundle).ok()) {
        add_all(&mut roots, &bytes);
    }
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    Ok(roots)
}

fn add_all(roots: &mut RootCertStore, pem: &[u8]) {
    let certificates = CertificateDer::pem_slice_iter(pem).filter_map(Result::ok);
    roots.add_parsable_certificates(certificates);
}

/// The board's clock in rustls's words.
#[derive(Debug)]
struct BoardTime(Arc<BoardClock>);

impl TimeProvider for BoardTime {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().micros() / 1_000_000).ok()?;
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)))
    }
}

/// Whom rustls asks where its own rules do not do; the handshake proves in any case that the other side has its key.
#[derive(Debug)]
struct Verifier {
    judge: Judge,
    provider: Arc<CryptoProvider>,
}

/// Whose certificates are taken.
#[derive(Debug)]
enum Judge {
    /// Those of a chain that holds the certificate with this fingerprint and is valid below it.
    Fingerprint { fingerprint: String, seen: Arc<OnceLock<String>> },
    /// All of them.
    Nobody,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Judge::Fingerprint { fingerprint, seen } = &self.judge else {
            return Ok(ServerCertVerified::assertion());
        };
        let has_fingerprint = |certificate: &&CertificateDer<'_>| {
            URL_SAFE_NO_PAD.encode(Sha256::digest(certificate.as_ref())) == *fingerprint
        };
        let authority = intermediates.iter().find(has_fingerprint).ok_or_else(|| {
            rustls::Error::General(
                "the cloud's certificate chain does not hold the authority that the claim names; \
                 make a new claim"
                    .into(),
            )
        })?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(
            Arc::new(roots),
            Arc::clone(&self.provider),
        )
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
        let verified = verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let _ = seen.set(to_pem(authority));
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let body = STANDARD.encode(certificate.as_ref());
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = body.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        pem.push_str(rest);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
