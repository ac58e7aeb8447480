//! TLS with the cloud's own authority, known by the fingerprint in the claim.

use crate::cloud::Cloud;
use crate::rod::{Rod, settings};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lightning_rod::cloud::Error as CloudError;
use lightning_rod::enrol::enrol;
use lightning_rod::{Error, Home};
use model::claim::Claim;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// Unwraps TLS in front of `target`; gives back its address and the fingerprint of its authority.
async fn terminator(target: SocketAddr, host: &str) -> (SocketAddr, String) {
    let (address, authority) = encrypted(target, host).await;
    (address, URL_SAFE_NO_PAD.encode(Sha256::digest(authority.der())))
}

/// The same with the authority itself.
pub(crate) async fn encrypted(target: SocketAddr, host: &str) -> (SocketAddr, rcgen::Certificate) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_certificate = authority.self_signed(&authority_key).unwrap();
    let issuer = Issuer::new(authority, &authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let chain: Vec<CertificateDer<'static>> =
        vec![certificate.der().clone(), authority_certificate.der().clone()];
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, private.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut near) = acceptor.accept(stream).await else { return };
                let mut far = TcpStream::connect(target).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    (address, authority_certificate)
}

fn claim(cloud: &Cloud, address: SocketAddr, authority: Option<String>) -> String {
    let url = format!("https://localhost:{}", address.port());
    Claim { url, authority, ..cloud.claim() }.to_string()
}

#[tokio::test]
async fn the_authority_in_the_claim_is_believed_and_kept() {
    let cloud = Cloud::start().await;
    let (address, fingerprint) = terminator(cloud.address, "localhost").await;
    let rod = Rod::new();
    let text = claim(&cloud, address, Some(fingerprint));
    let identity = enrol(&rod.home(), &settings(), &text).await.unwrap();
    assert!(identity.authority.unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    let running = rod.run();
    cloud.online(identity.uuid).await;
    cloud.call(identity.uuid, "DevicePing", &[]).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn another_authority_another_name_and_an_unknown_authority_are_refused() {
    let cloud = Cloud::start().await;
    let (address, fingerprint) = terminator(cloud.address, "localhost").await;
    let (misnamed, its_fingerprint) = terminator(cloud.address, "elsewhere").await;
    let (_, other) = terminator(cloud.address, "localhost").await;
    for (address, authority) in
        [(address, Some(other)), (misnamed, Some(its_fingerprint)), (address, None)]
    {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let error =
            enrol(&home, &settings(), &claim(&cloud, address, authority)).await.unwrap_err();
        assert!(matches!(error, Error::Cloud(CloudError::Tls { .. })), "{error}");
        assert_eq!(home.identity().unwrap(), None);
    }
    drop(fingerprint);
    assert!(cloud.boards().is_empty());
}
