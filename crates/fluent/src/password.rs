//! A password for `createUser` that nobody will ever know.

use zeroize::Zeroizing;

/// Characters of a password. Fluent takes 128; 48 of 85 are some 300 bits.
const LENGTH: usize = 48;

/// One of each is always there, since strict policies ask for it. No quotes or backslashes, which only cause
/// trouble on the way, and nothing that looks alike.
const CLASSES: [&[u8]; 4] = [
    b"abcdefghijkmnpqrstuvwxyz",
    b"ABCDEFGHJKLMNPQRSTUVWXYZ",
    b"23456789",
    b"!#$%&()*+,-./:;=?@[]^_{}~",
];

/// Makes one.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn random() -> Result<Zeroizing<String>, getrandom::Error> {
    let all = Zeroizing::new(CLASSES.concat());
    let mut password = Zeroizing::new(Vec::with_capacity(LENGTH));
    for class in CLASSES {
        password.push(pick(class)?);
    }
    while password.len() < LENGTH {
        password.push(pick(&all)?);
    }
    // Fisher–Yates, so that the guaranteed ones stand anywhere.
    for last in (1..password.len()).rev() {
        let other = below(last + 1)?;
        password.swap(last, other);
    }
    Ok(Zeroizing::new(
        password.iter().map(|byte| char::from(*byte)).collect(),
    ))
}

fn pick(from: &[u8]) -> Result<u8, getrandom::Error> {
    Ok(from.get(below(from.len())?).copied().unwrap_or(b'x'))
}

/// A number below `bound` (at most 256), every one as likely.
fn below(bound: usize) -> Result<usize, getrandom::Error> {
    let bound = bound.clamp(1, 256);
    let fair = 256 - 256 % bound;
    loop {
        let mut byte = [0_u8; 1];
        random_bytes(&mut byte)?;
        let value = byte.iter().map(|b| usize::from(*b)).sum::<usize>();
        if value < fair {
            return Ok(value % bound);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "passwords are the one thing here that has to be random"
)]
fn random_bytes(into: &mut [u8]) -> Result<(), getrandom::Error> {
    getrandom::fill(into)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_password_has_all_classes_and_no_two_are_equal() {
        let passwords: std::collections::HashSet<String> =
            (0..500).map(|_| random().unwrap().to_string()).collect();
        assert_eq!(passwords.len(), 500);
        for password in &passwords {
            assert_eq!(password.len(), LENGTH);
            for class in CLASSES {
                assert!(password.bytes().any(|b| class.contains(&b)));
            }
        }
        let first_is_lower = passwords
            .iter()
            .filter(|p| p.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(
            first_is_lower.count() < 400,
            "the guaranteed characters are shuffled"
        );
    }
}
