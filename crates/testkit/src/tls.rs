//! Certificates for servers of tests, signed by an authority that nobody else knows.

use anyhow::Result;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair,
};

/// An authority.
pub struct Authority {
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// A new one. Clients do not accept an authority's own certificate as a server's, so there must be two.
    ///
    /// # Errors
    /// No randomness.
    pub fn make() -> Result<Authority> {
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name = named("authority of a test");
        let key = KeyPair::generate()?;
        let certificate_pem = authority.self_signed(&key)?.pem();
        Ok(Authority {
            certificate_pem,
            issuer: Issuer::new(authority, key),
        })
    }

    /// Its certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate for this machine's loopback by name and address, and its key.
    ///
    /// # Errors
    /// No randomness.
    pub fn issue(&self) -> Result<(Certificate, KeyPair)> {
        let key = KeyPair::generate()?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut server = CertificateParams::new(names)?;
        server.distinguished_name = named("localhost");
        let certificate = server.signed_by(&key, &self.issuer)?;
        Ok((certificate, key))
    }
}

/// With the same name an authority and a server would be one, which has signed itself.
fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}
