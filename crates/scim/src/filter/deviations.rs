//! In what a filter that was understood deviates from the RFC's grammar and types.

use super::lexer::{Token, TokenKind, between_single_quotes, tokens};
use super::{CompareOp, Filter, Literal, bool_of_text};
use crate::error::ScimError;
use crate::note::Dialect;
use crate::path::{AttrRef, has_prefix, resolve_attribute};
use crate::schema::{Attribute, AttributeType, ResourceKind};
use crate::tolerance::{Place, Quirk, Tolerated};
use jiff::Timestamp;

impl Filter {
    /// What was tolerated in `text`, which was read as this filter over resources of these kinds.
    ///
    /// # Errors
    /// `invalidFilter` in the strict dialect, which tolerates nothing.
    pub fn tolerate(
        &self,
        dialect: Dialect,
        kinds: &[ResourceKind],
        text: &str,
    ) -> Result<Tolerated, ScimError> {
        let mut seen = Tolerated::NONE;
        for quirk in deviations(kinds, text, self).iter() {
            quirk.allow(dialect, &mut seen, Place::Filter, "filter")?;
        }
        Ok(seen)
    }
}

/// The deviations of `text`, which was read as `filter` (a PATCH path: as the filter between its brackets).
pub(crate) fn deviations(kinds: &[ResourceKind], text: &str, filter: &Filter) -> Tolerated {
    let mut seen = Tolerated::NONE;
    let mut names = Names {
        kinds,
        element: None,
        inside: false,
        seen: &mut seen,
    };
    spelling(text, &mut names);
    types(filter, &mut seen);
    seen
}

/// The names in a filter, one after the other.
struct Names<'a> {
    kinds: &'a [ResourceKind],
    /// The attribute of the last brackets.
    element: Option<&'static Attribute>,
    /// Whether those are open.
    inside: bool,
    seen: &'a mut Tolerated,
}

impl Names<'_> {
    fn open(&mut self, name: &str) {
        self.name(name);
        self.element = self.found(name).map(|found| found.attribute);
        self.inside = true;
    }

    fn found(&self, name: &str) -> Option<AttrRef> {
        self.kinds.iter().find_map(|kind| resolve_attribute(*kind, name))
    }

    /// A name of which something is asked.
    fn name(&mut self, name: &str) {
        let (holder, last) = match name.strip_prefix('.') {
            Some(last) if !self.inside => {
                self.seen.add(Quirk::FilterBehindBrackets);
                (self.element, last)
            }
            _ if self.inside => (self.element, name),
            _ => {
                self.seen.join(self.without_urn(name));
                let last = name.rsplit('.').next().unwrap_or_default();
                (self.found(name).map(|found| found.attribute), last)
            }
        };
        if holder.is_some_and(|holder| holder.holds_roles) && last.eq_ignore_ascii_case("displayName") {
            self.seen.add(Quirk::RoleDisplayName);
        }
    }

    /// A bare name means a core attribute (RFC 7644 section 3.10): one of any kind that is asked.
    fn without_urn(&self, name: &str) -> Tolerated {
        let is_core = |kind: &ResourceKind| {
            resolve_attribute(*kind, name).is_some_and(|found| found.extension.is_none())
        };
        let mut seen = Tolerated::NONE;
        if !has_prefix(name, "urn:") && !self.kinds.iter().any(is_core) {
            seen.add(Quirk::ExtensionWithoutUrn);
        }
        seen
    }
}

fn spelling(text: &str, names: &mut Names<'_>) {
    let Ok(tokens) = tokens(text) else {
        return;
    };
    if !blanks_are_as_written(text, &tokens) {
        names.seen.add(Quirk::FilterBlanks);
    }
    let is_operator = |word: &str| {
        CompareOp::ALL
            .iter()
            .any(|(_, operator)| operator.eq_ignore_ascii_case(word))
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let name = match token.kind {
            TokenKind::CloseBracket => {
                names.inside = false;
                continue;
            }
            TokenKind::Word(name) => name,
            _ => continue,
        };
        match tokens.get(at).map(|token| &token.kind) {
            Some(TokenKind::OpenBracket) => names.open(name),
            Some(TokenKind::Word(word)) if word.eq_ignore_ascii_case("pr") => {
                names.name(name);
                at += 1;
            }
            Some(TokenKind::Word(word)) if is_operator(word) => {
                names.name(name);
                if let Some(quirk) = tokens.get(at + 1).and_then(|token| literal(text, token)) {
                    names.seen.add(quirk);
                }
                at += 2;
            }
            _ => {}
        }
    }
}

/// Whether blanks stand exactly where RFC 7644 figure 1 has them: one space between words, and none inside brackets or
/// around the whole. A space behind `not` is in its examples.
fn blanks_are_as_written(text: &str, tokens: &[Token<'_>]) -> bool {
    use TokenKind::{Close, CloseBracket, Open, OpenBracket, Word};
    let blank = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let between = tokens.windows(2).all(|pair| {
        let [left, right] = pair else { return true };
        let found = blank(left.end, right.at);
        match (&left.kind, &right.kind) {
            (Open | OpenBracket, _) | (_, Close | CloseBracket | OpenBracket) => found.is_empty(),
            (CloseBracket, Word(word)) if word.starts_with('.') => found.is_empty(),
            (Word(word), Open) if word.eq_ignore_ascii_case("not") => matches!(found, "" | " "),
            _ => found == " ",
        }
    });
    let begins = tokens.first().is_none_or(|token| token.at == 0);
    begins && between && tokens.last().is_none_or(|token| token.end == text.len())
}

/// In what a value deviates from a JSON string, number, boolean or null (RFC 7644 figure 1, RFC 8259).
fn literal(text: &str, token: &Token<'_>) -> Option<Quirk> {
    match &token.kind {
        TokenKind::Word(word) if is_json_scalar(word) => None,
        TokenKind::Word(word) if between_single_quotes(word).is_some() => Some(Quirk::SingleQuotes),
        TokenKind::Word(word) if bool_of_text(word).is_some() => Some(Quirk::LiteralCase),
        TokenKind::Word(_) => Some(Quirk::UnquotedLiteral),
        TokenKind::Quoted(content) if !is_json_string(text, token.at, content) => Some(Quirk::LooseEscape),
        _ => None,
    }
}

fn is_json_scalar(word: &str) -> bool {
    matches!(word, "true" | "false" | "null") || serde_json::from_str::<serde_json::Number>(word).is_ok()
}

/// Whether the string that begins there reads as JSON (a lax reading gives another content or none).
fn is_json_string(text: &str, from: usize, content: &str) -> bool {
    let rest = text.get(from..).unwrap_or_default();
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    matches!(values.next(), Some(Ok(read)) if read == content)
}

fn types(filter: &Filter, seen: &mut Tolerated) {
    match filter {
        Filter::Compare(path, op, literal) => match (path.leaf().kind, literal) {
            (_, Literal::Null) | (AttributeType::Boolean, Literal::Bool(_)) => {}
            (AttributeType::Boolean, _) | (_, Literal::Bool(_) | Literal::Number(_)) => {
                seen.add(Quirk::LiteralType);
            }
            // A part of a text (`co`, `sw`, `ew`) is no date and need not be one.
            (AttributeType::DateTime, Literal::Text(text)) if op.compares_whole() && !is_date_time(text) => {
                seen.add(Quirk::LooseDate);
            }
            (_, Literal::Text(_)) => {}
        },
        Filter::Present(_) => {}
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| types(part, seen)),
        Filter::Not(inner) | Filter::Element(_, inner) => types(inner, seen),
    }
}

/// Whether a text is a date and time with its zone as RFC 7643 section 2.3.5 has it, and one that exists.
fn is_date_time(text: &str) -> bool {
    let is_shaped = |shape: &str, text: &str| {
        shape.len() == text.len()
            && shape
                .bytes()
                .zip(text.bytes())
                .all(|(shape, byte)| (shape == b'0' && byte.is_ascii_digit()) || shape == byte)
    };
    let (Some(time), Some(rest)) = (text.get(..19), text.get(19..)) else {
        return false;
    };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let has_fraction = rest.len() > zone.len() + 1 || !rest.starts_with('.');
    let is_zone = zone == "Z" || ["+00:00", "-00:00"].iter().any(|shape| is_shaped(shape, zone));
    is_shaped("0000-00-00T00:00:00", time) && has_fraction && is_zone && text.parse::<Timestamp>().is_ok()
}
