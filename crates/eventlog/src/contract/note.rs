//! Records about the log itself, in no tenant's name.

/// What the key of a note begins with; the tenant that it is about follows. No tenant has such a key: a tenant's id has
/// no slash.
const NOTE_PREFIX: &[u8] = b"rollcall/key/";

/// The key of the note about a tenant's key, in [`Stream::Events`](super::Stream::Events).
#[must_use]
pub fn note_key(tenant: &str) -> Vec<u8> {
    [NOTE_PREFIX, tenant.as_bytes()].concat()
}

/// Whether a record of [`Stream::Events`](super::Stream::Events) is a note. Readers give notes out as any other record;
/// folds pass over them, and a copy leaves them out on both sides, since they are about the log that they stand in.
#[must_use]
pub fn is_note(key: &[u8]) -> bool {
    key.starts_with(NOTE_PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_notes_are_notes() {
        assert!(is_note(&note_key("acme")));
        for other in [
            "acme",
            "rollcall",
            "rollcall/log",
            "rollcall/3f2340eab29a3874210c4767f47d6c00",
        ] {
            assert!(!is_note(other.as_bytes()), "{other}");
        }
    }
}
