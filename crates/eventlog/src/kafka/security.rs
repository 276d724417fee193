//! How the cluster is spoken to: in the clear or over TLS, with or without SASL.

use std::fs;
use std::path::PathBuf;

use rdkafka::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::KafkaError;

/// Most bytes of a token file: tokens are a few kilobytes; more is a wrong path.
const MAX_TOKEN_BYTES: u64 = 64 * 1024;

/// How connections are protected and who we are.
#[derive(Debug, Clone, Default)]
pub enum Security {
    /// Neither encrypted nor authenticated: for development on one machine.
    #[default]
    Plaintext,
    /// Encrypted; authenticated where a client certificate is given.
    Tls(Tls),
    /// Authenticated, not encrypted: the password of PLAIN can be read on the way.
    SaslPlaintext(Sasl),
    /// Encrypted and authenticated.
    SaslTls(Sasl, Tls),
}

/// Certificates. The broker's certificate and host name are always checked.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Whom to trust, PEM; the system's certificates when missing.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate, PEM, for a broker that asks for one.
    pub cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
    /// The private key's password.
    pub key_password: Option<SecretString>,
}

/// Who we are.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// User name and password, sent as they are.
    Plain {
        /// The user.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// Challenge and response with SHA-256.
    ScramSha256 {
        /// The user.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// Challenge and response with SHA-512.
    ScramSha512 {
        /// The user.
        username: String,
        /// Its password.
        password: SecretString,
    },
    /// A bearer token.
    OAuthBearer(TokenSource),
}

/// Where the bearer token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// A file that somebody keeps fresh; read again at every refresh (about once a minute).
    File(PathBuf),
    /// One token for the life of the process.
    Fixed(SecretString),
}

impl TokenSource {
    /// The token as of now. The error names the file, never its content.
    pub(crate) fn token(&self) -> Result<String, String> {
        match self {
            Self::Fixed(token) => Ok(token.expose_secret().to_owned()),
            Self::File(path) => {
                let shown = path.display();
                let size = fs::metadata(path)
                    .map_err(|error| format!("token file {shown}: {error}"))?
                    .len();
                if size > MAX_TOKEN_BYTES {
                    return Err(format!("token file {shown}: {size} bytes are no token"));
                }
                let token =
                    fs::read_to_string(path).map_err(|error| format!("token file {shown}: {error}"))?;
                let token = token.trim();
                if token.is_empty() {
                    return Err(format!("token file {shown}: the file is empty"));
                }
                Ok(token.to_owned())
            }
        }
    }
}

impl Security {
    /// The source of bearer tokens, where they are used.
    pub(crate) fn token_source(&self) -> Option<TokenSource> {
        match self {
            Self::SaslPlaintext(Sasl::OAuthBearer(source)) | Self::SaslTls(Sasl::OAuthBearer(source), _) => {
                Some(source.clone())
            }
            _ => None,
        }
    }

    /// Refuses files that cannot be read: the client's own errors do not name them.
    pub(crate) fn check(&self) -> Result<(), KafkaError> {
        let (Self::Tls(tls) | Self::SaslTls(_, tls)) = self else {
            return Ok(());
        };
        let files = [
            ("ca_file", &tls.ca_file),
            ("cert_file", &tls.cert_file),
            ("key_file", &tls.key_file),
        ];
        for (setting, file) in files {
            if let Some(path) = file {
                fs::File::open(path).map_err(|error| KafkaError::Setting {
                    setting,
                    reason: format!("{}: {error}", path.display()),
                })?;
            }
        }
        if tls.cert_file.is_some() == tls.key_file.is_some() {
            return Ok(());
        }
        Err(KafkaError::Setting {
            setting: "cert_file",
            reason: "a certificate needs its key_file, and a key its cert_file".to_owned(),
        })
    }

    /// Puts the settings into a client's configuration.
    pub(crate) fn apply(&self, config: &mut ClientConfig) {
        let protocol = match self {
            Self::Plaintext => "plaintext",
            Self::Tls(_) => "ssl",
            Self::SaslPlaintext(_) => "sasl_plaintext",
            Self::SaslTls(..) => "sasl_ssl",
        };
        config.set("security.protocol", protocol);
        if let Self::Tls(tls) | Self::SaslTls(_, tls) = self {
            tls.apply(config);
        }
        if let Self::SaslPlaintext(sasl) | Self::SaslTls(sasl, _) = self {
            sasl.apply(config);
        }
    }
}

impl Tls {
    fn apply(&self, config: &mut ClientConfig) {
        // Our OpenSSL is built in and knows no system folder; “probe” looks in the usual ones.
        let ca = self
            .ca_file
            .as_ref()
            .map_or_else(|| "probe".into(), |path| path.to_string_lossy());
        config.set("ssl.ca.location", ca);
        config.set("ssl.endpoint.identification.algorithm", "https");
        config.set("enable.ssl.certificate.verification", "true");
        if let Some(path) = &self.cert_file {
            config.set("ssl.certificate.location", path.to_string_lossy());
        }
        if let Some(path) = &self.key_file {
            config.set("ssl.key.location", path.to_string_lossy());
        }
        if let Some(password) = &self.key_password {
            config.set("ssl.key.password", password.expose_secret());
        }
    }
}

impl Sasl {
    fn apply(&self, config: &mut ClientConfig) {
        let (mechanism, login) = match self {
            Self::Plain { username, password } => ("PLAIN", Some((username, password))),
            Self::ScramSha256 { username, password } => ("SCRAM-SHA-256", Some((username, password))),
            Self::ScramSha512 { username, password } => ("SCRAM-SHA-512", Some((username, password))),
            Self::OAuthBearer(_) => ("OAUTHBEARER", None),
        };
        config.set("sasl.mechanism", mechanism);
        if let Some((username, password)) = login {
            config.set("sasl.username", username.as_str());
            config.set("sasl.password", password.expose_secret());
        }
    }
}
