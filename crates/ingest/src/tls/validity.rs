//! When a certificate ends (RFC 5280 section 4.1.2.5), for warnings: nothing is trusted on its account. Pure.

use rollcall_domain::Timestamp;

use crate::der::{INTEGER, SEQUENCE, take};

/// `[0]`, the version.
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// The end of a certificate's validity.
pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let mut input = certificate;
    let mut whole = take(&mut input, SEQUENCE)?;
    let mut body = take(&mut whole, SEQUENCE)?;
    if body.first() == Some(&VERSION) {
        take(&mut body, VERSION)?;
    }
    take(&mut body, INTEGER)?; // serial number
    take(&mut body, SEQUENCE)?; // algorithm
    take(&mut body, SEQUENCE)?; // issuer
    let mut validity = take(&mut body, SEQUENCE)?;
    time(&mut validity)?;
    time(&mut validity)
}

fn time(input: &mut &[u8]) -> Option<Timestamp> {
    let tag = *input.first()?;
    let text = std::str::from_utf8(take(input, tag)?).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let century = if year.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            (format!("{century}{year}"), rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let part = |from: usize| rest.get(from..from + 2);
    let (month, day, hour) = (part(0)?, part(2)?, part(4)?);
    let (minute, second) = (part(6)?, part(8)?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    (rest.len() == 10).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str) -> Option<String> {
        let mut element = vec![tag, u8::try_from(text.len()).unwrap_or(0)];
        element.extend(text.as_bytes());
        time(&mut element.as_slice()).map(|time| time.to_string())
    }

    #[test]
    fn both_forms_of_a_time_are_read() {
        let utc = |text| read(UTC_TIME, text);
        assert_eq!(utc("270131093000Z").as_deref(), Some("2027-01-31T09:30:00.000Z"));
        assert_eq!(utc("991231235959Z").as_deref(), Some("1999-12-31T23:59:59.000Z"));
        let general = read(GENERALIZED_TIME, "20510131093000Z");
        assert_eq!(general.as_deref(), Some("2051-01-31T09:30:00.000Z"));
        for bad in [
            "",
            "Z",
            "2701310930Z",
            "270131093000",
            "271331093000Z",
            "27013109300ZZ",
            "äääää",
        ] {
            assert_eq!(utc(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for bad in [
            &[][..],
            &[SEQUENCE, 0],
            &[SEQUENCE, 2, SEQUENCE, 0],
            b"-----BEGIN",
        ] {
            assert_eq!(not_after(bad), None);
        }
    }
}
