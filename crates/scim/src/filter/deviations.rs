//! In what a filter that was understood deviates from the RFC's grammar and types.

use super::lexer::{TokenKind, tokens};
use super::{CompareOp, Filter, Literal};
use crate::error::ScimError;
use crate::note::Dialect;
use crate::schema::AttributeType;
use crate::tolerance::{Place, Quirk, Tolerated};
use jiff::Timestamp;

impl Filter {
    /// What was tolerated in `text`, which was read as this filter.
    ///
    /// # Errors
    /// `invalidFilter` in the strict dialect, which tolerates nothing.
    pub fn tolerate(&self, dialect: Dialect, text: &str) -> Result<Tolerated, ScimError> {
        let mut seen = Tolerated::NONE;
        for quirk in deviations(text, self).iter() {
            quirk.allow(dialect, &mut seen, Place::Path, "filter")?;
        }
        Ok(seen)
    }
}

/// The deviations of `text`, which was read as `filter` (a PATCH path: as the filter between its brackets).
pub(crate) fn deviations(text: &str, filter: &Filter) -> Tolerated {
    let mut seen = Tolerated::NONE;
    spelling(text, &mut seen);
    types(filter, &mut seen);
    seen
}

fn spelling(text: &str, seen: &mut Tolerated) {
    let Ok(tokens) = tokens(text) else {
        return;
    };
    let is_operator = |word: &str| {
        CompareOp::ALL
            .iter()
            .any(|(_, operator)| operator.eq_ignore_ascii_case(word))
    };
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let TokenKind::Word(name) = token.kind else {
            continue;
        };
        let Some(TokenKind::Word(word)) = tokens.get(at).map(|token| &token.kind) else {
            continue;
        };
        if !is_operator(word) {
            continue;
        }
        if name.starts_with('.') {
            seen.add(Quirk::FilterBehindBrackets);
        }
        match tokens.get(at + 1).map(|token| (&token.kind, token.at)) {
            Some((TokenKind::Word(literal), _)) if !is_json_scalar(literal) => {
                seen.add(Quirk::UnquotedLiteral);
            }
            Some((TokenKind::Quoted(content), from)) if !is_json_string(text, from, content) => {
                seen.add(Quirk::LooseEscape);
            }
            _ => {}
        }
        at += 2;
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
        Filter::Compare(path, _, literal) => match (path.leaf().kind, literal) {
            (_, Literal::Null) | (AttributeType::Boolean, Literal::Bool(_)) => {}
            (AttributeType::Boolean, _) | (_, Literal::Bool(_) | Literal::Number(_)) => {
                seen.add(Quirk::LiteralType);
            }
            (AttributeType::DateTime, Literal::Text(text)) if text.parse::<Timestamp>().is_err() => {
                seen.add(Quirk::LooseDate);
            }
            (_, Literal::Text(_)) => {}
        },
        Filter::Present(_) => {}
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| types(part, seen)),
        Filter::Not(inner) | Filter::Element(_, inner) => types(inner, seen),
    }
}
