//! TLS on the listener: certificate chain and key as PEM, exchanged while it serves.
//!
//! TLS 1.2 and 1.3 with the suites that rustls takes for safe (ECDHE alone); no client certificates.

mod validity;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rollcall_domain::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Time for a handshake: one that is slower holds a connection for nothing.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Most certificates of a chain; real ones have two to four.
const CHAIN_MAX: usize = 16;

/// Why a certificate and a key cannot be served. Trying again without a change does not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// There is no certificate, or one that cannot be read.
    #[error("no certificate chain in PEM")]
    NoCertificate,
    /// More than a chain has.
    #[error("more than {CHAIN_MAX} certificates")]
    TooMany,
    /// There is no key, or one that cannot be read.
    #[error("no private key in PEM (PKCS#8, PKCS#1 or SEC1, without a passphrase)")]
    NoKey,
    /// The key is not the certificate's, or of a kind that is not taken.
    #[error("certificate and key do not go together: {0}")]
    Unusable(String),
}

/// What a listener presents. Clones share it.
#[derive(Debug, Clone)]
pub struct Tls {
    inner: Arc<RwLock<Presented>>,
}

#[derive(Debug, Clone)]
struct Presented {
    config: Arc<ServerConfig>,
    ends: Option<Timestamp>,
}

impl Tls {
    /// From a certificate chain (leaf first) and its key, both PEM.
    ///
    /// # Errors
    /// [`TlsError`] when they cannot be served.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let presented = presented(chain, key)?;
        Ok(Self {
            inner: Arc::new(RwLock::new(presented)),
        })
    }

    /// Presents these from the next connection on.
    ///
    /// # Errors
    /// [`TlsError`]; what was presented before still is then.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        let presented = presented(chain, key)?;
        *self.inner.write() = presented;
        Ok(())
    }

    /// When the certificate ends; `None` when it does not say so in a form that is understood.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        self.inner.read().ends
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.inner.read().config))
    }
}

fn presented(chain: &[u8], key: &[u8]) -> Result<Presented, TlsError> {
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(chain) {
        certificates.push(certificate.map_err(|_| TlsError::NoCertificate)?);
        if certificates.len() > CHAIN_MAX {
            return Err(TlsError::TooMany);
        }
    }
    let leaf = certificates.first().ok_or(TlsError::NoCertificate)?;
    let ends = validity::not_after(leaf);
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::NoKey)?;
    let unusable = |error: rustls::Error| TlsError::Unusable(error.to_string());
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Presented {
        config: Arc::new(config),
        ends,
    })
}
