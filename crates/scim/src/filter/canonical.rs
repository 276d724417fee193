//! One text for filters that ask the same in other words: case, types and the order of what is joined.

use super::compare::{instant, text_of, truth};
use super::{Filter, Literal};
use crate::path::AttrRef;
use crate::schema::AttributeType;

impl Filter {
    /// Equal for two filters that differ only in spelling; equal texts always ask the same. Not for logs: it holds
    /// values.
    pub(crate) fn canonical(&self) -> String {
        match self {
            Self::Compare(path, op, literal) => format!("{path} {op} {}", value(path, literal)),
            Self::Present(path) => format!("{path} pr"),
            Self::Not(inner) => format!("not ({})", inner.canonical()),
            Self::Element(path, inner) => format!("{path}[{}]", inner.canonical()),
            Self::And(parts) => joined(parts, " and "),
            Self::Or(parts) => joined(parts, " or "),
        }
    }
}

fn joined(parts: &[Filter], word: &str) -> String {
    let mut texts: Vec<String> = parts.iter().map(Filter::canonical).collect();
    texts.sort_unstable();
    texts.dedup();
    format!("({})", texts.join(word))
}

fn value(path: &AttrRef, literal: &Literal) -> String {
    let leaf = path.leaf();
    let text = text_of(literal);
    match (leaf.kind, literal) {
        (_, Literal::Null) => "null".to_owned(),
        (AttributeType::Boolean, literal) => format!("{:?}", truth(literal)),
        (AttributeType::DateTime, _) => instant(&text).map_or(format!("{text:?}"), |time| time.to_string()),
        _ if leaf.case_exact => format!("{text:?}"),
        _ => format!("{:?}", text.to_lowercase()),
    }
}
