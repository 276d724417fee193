//! TLS on the listener: handshakes, a certificate exchanged while it serves, and what cannot be served.

use std::sync::Arc;

use axum::Router;
use rollcall_ingest::{ServeOptions, Tls, TlsError, beside, page, serve_with};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::certificate::Certificate;

const LATE: &str = "491231000000Z";

/// Asks for a page over TLS, trusting this certificate alone.
async fn get(address: std::net::SocketAddr, trusted: &Certificate) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der.clone().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream
        .write_all(b"GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn router() -> Router {
    beside([page("/livez", "text/plain", || (200, "alive".to_owned()))])
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_it_serves() {
    let (first, second) = (Certificate::until(LATE), Certificate::until(LATE));
    let tls = Tls::from_pem(first.pem.as_bytes(), first.key.as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = ServeOptions {
        tls: Some(tls.clone()),
        ..ServeOptions::default()
    };
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(serve_with(listener, options, router(), async move {
        let _ = stopped.await;
    }));
    let answer = get(address, &first).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive"),
        "{answer}"
    );
    assert!(
        get(address, &second).await.is_err(),
        "another certificate is not presented"
    );

    // Whoever speaks no TLS is not answered, and nobody waits for him.
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let idle = TcpStream::connect(address).await.unwrap();

    assert!(tls.replace(second.pem.as_bytes(), first.key.as_bytes()).is_err());
    get(address, &first).await.unwrap();
    tls.replace(second.pem.as_bytes(), second.key.as_bytes()).unwrap();
    get(address, &second).await.unwrap();
    assert!(get(address, &first).await.is_err());
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    drop(idle);
}

#[test]
fn the_end_of_the_certificate_is_known() {
    let certificate = Certificate::until("270131093000Z");
    let tls = Tls::from_pem(certificate.pem.as_bytes(), certificate.key.as_bytes()).unwrap();
    assert_eq!(tls.ends().unwrap().to_string(), "2027-01-31T09:30:00.000Z");
}

#[test]
fn what_cannot_be_served_is_told_apart() {
    let (one, other) = (Certificate::until(LATE), Certificate::until(LATE));
    let refused = |chain: &str, key: &str| Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert_eq!(refused("", &one.key), TlsError::NoCertificate);
    assert_eq!(refused(&one.key, &one.key), TlsError::NoCertificate);
    assert_eq!(refused(&one.pem, &one.pem), TlsError::NoKey);
    assert_eq!(refused(&one.pem.repeat(17), &one.key), TlsError::TooMany);
    let mixed = refused(&one.pem, &other.key);
    assert!(matches!(mixed, TlsError::Unusable(_)), "{mixed}");
    assert!(!format!("{mixed}").contains(&other.key));
}
