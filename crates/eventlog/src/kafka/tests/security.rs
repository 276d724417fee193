//! Logging in and encryption, against a real broker that asks for them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rollcall_kafka_local::{Cluster, Settings};
use secrecy::SecretString;

use super::super::*;
use super::broker::PLAN;

/// A token without a signature, which this broker takes: subject `alice`, from 2020 to 2100.
const TOKEN: &str = concat!(
    "eyJhbGciOiJub25lIn0",
    ".eyJzdWIiOiJhbGljZSIsImlhdCI6MTU3NzgzNjgwMCwiZXhwIjo0MTAyNDQ0ODAwfQ",
    "."
);

/// A broker with two more ways in: the first asks for a login, the second for that over TLS.
fn guarded(certificate: &Path) -> Cluster {
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"right\";";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let token = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
                 unsecuredLoginStringClaim_sub=\"broker\";";
    let mut properties = vec![
        (
            "listener.security.protocol.map".to_owned(),
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,DOOR0:SASL_PLAINTEXT,DOOR1:SASL_SSL".to_owned(),
        ),
        ("ssl.keystore.type".to_owned(), "PKCS12".to_owned()),
        ("ssl.keystore.password".to_owned(), "changeit".to_owned()),
        (
            "ssl.keystore.location".to_owned(),
            certificate.to_string_lossy().into_owned(),
        ),
    ];
    for door in ["door0", "door1"] {
        let name = format!("listener.name.{door}");
        properties.extend([
            (
                format!("{name}.sasl.enabled.mechanisms"),
                "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER".to_owned(),
            ),
            (format!("{name}.plain.sasl.jaas.config"), plain.to_owned()),
            (format!("{name}.scram-sha-256.sasl.jaas.config"), scram.to_owned()),
            (format!("{name}.scram-sha-512.sasl.jaas.config"), scram.to_owned()),
            (format!("{name}.oauthbearer.sasl.jaas.config"), token.to_owned()),
        ]);
    }
    Cluster::start(&Settings {
        doors: 2,
        properties,
        ..Settings::default()
    })
    .expect("a guarded broker")
}

/// A certificate of its own for 127.0.0.1, by the tool that comes with Java: the key store, and what clients
/// trust.
fn certify(dir: &Path) {
    let store = dir.join("broker.p12");
    let run = |arguments: &[&str]| {
        let output = Command::new("keytool")
            .args([
                "-keystore",
                &store.to_string_lossy(),
                "-storepass",
                "changeit",
                "-alias",
                "broker",
            ])
            .args(arguments)
            .output()
            .expect("keytool comes with Java");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    };
    let names = ["-dname", "CN=broker", "-ext", "SAN=ip:127.0.0.1"];
    run(&[
        &[
            "-genkeypair",
            "-storetype",
            "PKCS12",
            "-keyalg",
            "EC",
            "-validity",
            "30",
        ][..],
        &names,
    ]
    .concat());
    run(&[
        "-exportcert",
        "-rfc",
        "-file",
        &dir.join("trusted.pem").to_string_lossy(),
    ]);
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

fn plain(password: &str) -> Sasl {
    Sasl::Plain {
        username: "alice".to_owned(),
        password: secret(password),
    }
}

/// Begins a log and reads what it wrote.
fn use_it(brokers: String, security: Security) -> Result<(), KafkaError> {
    use_topics(
        rollcall_kafka_local::unique_prefix(),
        brokers,
        security,
        Duration::from_secs(10),
    )
}

fn use_topics(
    topic_prefix: String,
    brokers: String,
    security: Security,
    request_timeout: Duration,
) -> Result<(), KafkaError> {
    let options = KafkaOptions {
        topic_prefix,
        security,
        request_timeout,
        ..KafkaOptions::new(brokers)
    };
    let report = topics::ensure(&options, &PLAN)?;
    assert!(report.is_good(), "{report}");
    let log = KafkaLog::open(&options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let appended = log
            .append(Stream::Events, vec![Record::new("acme", "value")])
            .await
            .unwrap();
        let mut reader = log
            .reader(Stream::Events, appended.last().partition, None)
            .unwrap();
        let read = reader.next_batch(crate::BatchLimits::REPLAY).await.unwrap();
        assert_eq!(read.len(), 1);
    });
    Ok(())
}

#[test]
fn every_way_to_log_in_works_and_a_wrong_one_is_an_error_without_the_secret() {
    let dir = tempfile::tempdir().unwrap();
    certify(dir.path());
    let cluster = guarded(&dir.path().join("broker.p12"));
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let password = format!("{mechanism}=[password=right]");
        let user = [
            "--entity-type",
            "users",
            "--entity-name",
            "bob",
            "--alter",
            "--add-config",
            &password,
        ];
        cluster
            .tool("kafka.admin.ConfigCommand", &user)
            .expect("a user for SCRAM");
    }
    let token_file = dir.path().join("token");
    std::fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    let bob = || ("bob".to_owned(), secret("right"));
    let scram_256 = || {
        let (username, password) = bob();
        Sasl::ScramSha256 { username, password }
    };
    let scram_512 = || {
        let (username, password) = bob();
        Sasl::ScramSha512 { username, password }
    };
    let bearer = || Sasl::OAuthBearer(TokenSource::File(token_file.clone()));
    let tls = |ca: &str| Tls {
        ca_file: Some(dir.path().join(ca)),
        ..Tls::default()
    };
    let (open, encrypted) = (cluster.doors()[0].bootstrap(), cluster.doors()[1].bootstrap());
    for sasl in [plain("right"), scram_256(), scram_512()] {
        let name = format!("{sasl:?}");
        assert!(!name.contains("right"), "{name}");
        use_it(open.clone(), Security::SaslPlaintext(sasl)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // With a token topics cannot be made, and the error says how they are; in those that are there all else
    // works.
    let refused = use_it(open.clone(), Security::SaslPlaintext(bearer())).expect_err("no topics are made");
    let told = refused.to_string();
    assert_eq!(told.matches("kafka-topics.sh --create").count(), 3, "{told}");
    let made = KafkaOptions {
        topic_prefix: rollcall_kafka_local::unique_prefix(),
        ..KafkaOptions::new(cluster.bootstrap())
    };
    topics::ensure(&made, &PLAN).unwrap();
    use_topics(
        made.topic_prefix.clone(),
        open.clone(),
        Security::SaslPlaintext(bearer()),
        Duration::from_secs(10),
    )
    .expect("a token");
    let unchecked = topics::check(
        &KafkaOptions {
            security: Security::SaslPlaintext(bearer()),
            brokers: open.clone(),
            ..made.clone()
        },
        &PLAN,
    );
    let unchecked = unchecked.unwrap().unchecked.unwrap();
    assert!(
        unchecked.contains("with a bearer token: cleanup.policy"),
        "{unchecked}"
    );
    use_it(
        encrypted.clone(),
        Security::SaslTls(scram_256(), tls("trusted.pem")),
    )
    .expect("over TLS");

    let no_token = TokenSource::File(dir.path().join("none"));
    let cases = [
        (
            &open,
            Security::SaslPlaintext(plain("wrong")),
            "login",
            "Authentication failed",
        ),
        (&open, Security::Plaintext, "other", ""),
        (
            &open,
            Security::SaslPlaintext(Sasl::OAuthBearer(no_token)),
            "login",
            "token file",
        ),
        // The system trusts nobody who signed this broker's certificate.
        (
            &encrypted,
            Security::SaslTls(plain("right"), Tls::default()),
            "encryption",
            "certificate",
        ),
        (
            &encrypted,
            Security::SaslTls(plain("right"), tls("missing.pem")),
            "other",
            "missing.pem",
        ),
    ];
    for (brokers, security, expected, told) in cases {
        let prefix = rollcall_kafka_local::unique_prefix();
        let refused = use_topics(prefix, brokers.clone(), security, Duration::from_secs(2));
        let refused = refused.expect_err("nobody gets in like this");
        let kind = match &refused {
            KafkaError::Login { .. } => "login",
            KafkaError::Encryption { .. } => "encryption",
            _ => "other",
        };
        let said = refused.to_string();
        assert_eq!(kind, expected, "{said}");
        assert!(!said.contains("wrong") && !said.contains("right"), "{said}");
        assert!(said.contains(told), "{told:?} is not in {said}");
    }
}
