//! The program over TLS: its certificate is exchanged without a restart.

use super::certificate::Certificate;
use super::harness::{Settings, World, until};

const LATE: &str = "491231000000Z";

/// What `/livez` answers to who trusts this certificate alone.
async fn livez(port: u16, trusted: &Certificate) -> Option<u16> {
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(trusted.pem.as_bytes()).ok()?])
        .build()
        .ok()?;
    let answer = client
        .get(format!("https://localhost:{port}/livez"))
        .send()
        .await
        .ok()?;
    Some(answer.status().as_u16())
}

fn place(world: &World, certificate: &Certificate) {
    world.write("cert.pem", &certificate.pem);
    world.write("key.pem", &certificate.key);
}

#[tokio::test]
async fn a_certificate_is_exchanged_by_putting_other_files_in_its_place() {
    let (first, second) = (Certificate::until(LATE), Certificate::until("200102000000Z"));
    let settings = Settings {
        server: "tls_cert = \"cert.pem\"\ntls_key = \"key.pem\"".to_owned(),
        ..Settings::default()
    };
    let mut world = World::new(settings).await;
    place(&world, &first);
    let address = world.spawn().address().await.unwrap();
    until("it answers over TLS", async || {
        livez(address.port(), &first).await == Some(200)
    })
    .await;

    world.write("cert.pem", &second.pem);
    until(
        "operators are told of files that do not go together",
        async || {
            let status = world.json(&["status"]).await;
            status["warnings"].to_string().contains("do not go together")
        },
    )
    .await;
    assert_eq!(livez(address.port(), &first).await, Some(200));
    world.write("key.pem", &second.key);
    // The second one has ended, so that nobody takes it; but it is presented, and operators are told.
    until("the second one is presented", async || {
        let status = world.json(&["status"]).await;
        status["warnings"]
            .to_string()
            .contains("certificate expired at 2020-01-02")
    })
    .await;
    assert_eq!(livez(address.port(), &first).await, None);
    world.stop().await;

    world.write("key.pem", "no key");
    let refused = world.command_with_secrets(&["check", "--offline"]).await;
    assert_eq!(refused.code, 3);
    assert!(
        refused.err.contains("server.tls_key: no private key in PEM"),
        "{}",
        refused.err
    );
}
