//! HTTPS for real: certificates of a company's own authority, and those that nobody should believe.

use std::sync::Arc;

use obnova_release::{Client, Error, ErrorKind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::server::Server;
use crate::workshop::{Workshop, impatient};

/// A certificate authority, and a server with a certificate of it in front of a plain one.
struct Encrypted {
    authority: String,
    address: String,
    _plain: Server,
}

impl Encrypted {
    /// A server whose certificate is for this name.
    fn start(shop: &Workshop, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        edit(&mut params);
        let certificate = params.signed_by(&key, &authority).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let plain = Server::start(&shop.repository());
        let inner = plain.address["http://".len()..]
            .trim_end_matches('/')
            .to_owned();
        let port = terminate(TlsAcceptor::from(Arc::new(config)), inner);
        Self {
            authority: authority.pem(),
            address: format!("https://localhost:{port}/"),
            _plain: plain,
        }
    }
}

/// Takes encrypted connections and hands them on to `inner` until the test ends.
fn terminate(acceptor: TlsAcceptor, inner: String) -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, inner) = (acceptor.clone(), inner.clone());
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await.ok()?;
                    let mut inside = tokio::net::TcpStream::connect(inner).await.ok()?;
                    tokio::io::copy_bidirectional(&mut outside, &mut inside)
                        .await
                        .ok()
                });
            }
        });
    });
    port
}

fn workshop() -> Workshop {
    let shop = Workshop::new();
    shop.publish("1.0.0", "", &[("bin/crm", b"1")]);
    shop
}

fn client(shop: &Workshop, address: &str, authorities: &str) -> Result<Client, Error> {
    let mut options = shop.options(address);
    options.authorities = authorities.as_bytes().to_vec();
    Client::open_with(options, impatient())
}

/// Unreachable, with the certificate named as the cause.
fn refused(shop: &Workshop, address: &str, authorities: &str) {
    let client = client(shop, address, authorities).unwrap();
    let error = shop.install_newest(&client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.chain().contains("certificate"), "{}", error.chain());
}

#[test]
fn a_server_of_a_company_s_own_authority_is_reached_when_that_is_named() {
    let shop = workshop();
    let server = Encrypted::start(&shop, "localhost", |_| {});
    refused(&shop, &server.address, "");
    let client = client(&shop, &server.address, &server.authority).unwrap();
    shop.install_newest(&client).unwrap();
}

#[test]
fn several_authorities_in_one_file_are_all_believed() {
    let shop = workshop();
    let one = Encrypted::start(&shop, "localhost", |_| {});
    let other = Encrypted::start(&shop, "localhost", |_| {});
    let both = format!("# ours\n{}\n{}", one.authority, other.authority);
    for server in [&one, &other] {
        let client = client(&shop, &server.address, &both).unwrap();
        shop.install_newest(&client).unwrap();
    }
    refused(&shop, &one.address, &other.authority);
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let shop = workshop();
    let server = Encrypted::start(&shop, "releases.example.org", |_| {});
    refused(&shop, &server.address, &server.authority);
}

#[test]
fn a_certificate_that_has_expired_or_is_not_valid_yet_is_refused() {
    let shop = workshop();
    let server = Encrypted::start(&shop, "localhost", |params| {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    refused(&shop, &server.address, &server.authority);
    let server = Encrypted::start(&shop, "localhost", |params| {
        params.not_before = rcgen::date_time_ymd(2090, 1, 1);
    });
    refused(&shop, &server.address, &server.authority);
}

#[test]
fn authorities_that_are_none_are_refused_at_once() {
    let shop = workshop();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for text in ["hello", " ", broken] {
        let error = client(&shop, "https://localhost/", text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{text}: {error}");
    }
}
