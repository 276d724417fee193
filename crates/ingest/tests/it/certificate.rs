//! A self-signed certificate for `localhost`, made for a test: no private key has to lie in the repository.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

/// Certificate and key.
#[derive(Debug)]
pub(crate) struct Certificate {
    /// For who trusts it.
    #[allow(dead_code, reason = "not every test that shares this file needs all of it")]
    pub(crate) der: Vec<u8>,
    pub(crate) pem: String,
    pub(crate) key: String,
}

/// An element of DER with these parts.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = vec![tag];
    match content.len() {
        length @ 0..128 => element.push(length as u8),
        length @ 128..256 => element.extend([0x81, length as u8]),
        length => element.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    element.extend(content);
    element
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

impl Certificate {
    /// Valid from 2020 until `not_after`, such as `491231000000Z`.
    pub(crate) fn until(not_after: &str) -> Self {
        const SEQUENCE: u8 = 0x30;
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let oid = |bytes: &[u8]| der(0x06, &[bytes]);
        let algorithm = der(SEQUENCE, &[&oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2])]);
        let common_name = der(SEQUENCE, &[&oid(&[0x55, 4, 3]), &der(0x0c, &[b"localhost"])]);
        let name = der(SEQUENCE, &[&der(0x31, &[&common_name])]);
        let validity = der(
            SEQUENCE,
            &[
                &der(0x17, &[b"200101000000Z"]),
                &der(0x17, &[not_after.as_bytes()]),
            ],
        );
        let p256 = [
            oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]),
            oid(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7]),
        ];
        let public = der(0x03, &[&[0], pair.public_key().as_ref()]);
        let key = der(SEQUENCE, &[&der(SEQUENCE, &[&p256[0], &p256[1]]), &public]);
        let names = der(SEQUENCE, &[&der(0x82, &[b"localhost"])]);
        let extension = der(SEQUENCE, &[&oid(&[0x55, 0x1d, 0x11]), &der(0x04, &[&names])]);
        let extensions = der(0xa3, &[&der(SEQUENCE, &[&extension])]);
        let version = der(0xa0, &[&der(0x02, &[&[2]])]);
        let serial = der(
            0x02,
            &[&pair.public_key().as_ref()[1..9]
                .iter()
                .map(|b| b & 0x7f | 1)
                .collect::<Vec<_>>()],
        );
        let parts = [
            &version,
            &serial,
            &algorithm,
            &name,
            &validity,
            &name,
            &key,
            &extensions,
        ];
        let body = der(SEQUENCE, &parts.map(|part| part.as_slice()));
        let signature = pair.sign(&random, &body).unwrap();
        let whole = der(
            SEQUENCE,
            &[&body, &algorithm, &der(0x03, &[&[0], signature.as_ref()])],
        );
        Self {
            pem: pem("CERTIFICATE", &whole),
            der: whole,
            key: pem("PRIVATE KEY", pkcs8.as_ref()),
        }
    }
}
