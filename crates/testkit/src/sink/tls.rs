//! A certificate for `localhost`, signed by an authority that lives as long as the server.

use std::sync::Arc;

use anyhow::Result;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::tls::Authority;

/// What a server proves itself with.
pub(super) struct Identity {
    /// Takes encrypted connections.
    pub(super) acceptor: TlsAcceptor,
    /// The authority's certificate.
    pub(super) certificate_pem: String,
}

impl Identity {
    /// Makes a new authority and a certificate of it.
    pub(super) fn make() -> Result<Self> {
        let authority = Authority::make()?;
        let (server, key) = authority.issue()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key)?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            certificate_pem: authority.certificate_pem().to_owned(),
        })
    }
}
