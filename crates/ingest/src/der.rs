//! As much of DER (X.690) as public keys and the end of a certificate need. Pure; lengths are checked before
//! anything is taken.

/// The tags that are met.
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OBJECT_ID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Takes the value of the next element off `input`, when it has this tag.
pub(crate) fn take<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (found, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short if *short < 0x80 => (usize::from(*short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_at_checked(2)?;
            let [high, low] = length else { return None };
            (usize::from(*high) << 8 | usize::from(*low), rest)
        }
        _ => return None, // nothing that long is met here
    };
    let (value, rest) = rest.split_at_checked(length)?;
    *input = rest;
    (*found == tag).then_some(value)
}

/// A positive integer without its leading zeros.
pub(crate) fn unsigned<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    let mut value = take(input, INTEGER)?;
    if value.first().is_none_or(|first| *first >= 0x80) {
        return None; // none, or a negative one
    }
    while let Some((0, rest)) = value.split_first() {
        value = rest;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_taken_one_by_one_and_nothing_beyond_the_input() {
        let mut input: &[u8] = &[SEQUENCE, 3, INTEGER, 1, 5, INTEGER, 0x81, 2, 0, 0x80];
        let mut inner = take(&mut input, SEQUENCE).unwrap_or_default();
        assert_eq!(unsigned(&mut inner), Some(&[5][..]));
        assert_eq!(unsigned(&mut input), Some(&[0x80][..]));
        assert!(input.is_empty() && inner.is_empty());
        for bad in [
            &[][..],
            &[SEQUENCE],
            &[SEQUENCE, 1],
            &[SEQUENCE, 0x80, 0],
            &[SEQUENCE, 0x82, 1],
            &[SEQUENCE, 0x82, 0xff, 0xff, 1],
            &[SEQUENCE, 0x84, 0, 0, 0, 1, 1],
            &[INTEGER, 0],
        ] {
            assert_eq!(take(&mut &*bad, SEQUENCE), None, "{bad:?}");
        }
        assert_eq!(unsigned(&mut &[INTEGER, 1, 0xff][..]), None);
    }
}
