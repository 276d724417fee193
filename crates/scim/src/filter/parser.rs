//! From tokens to a checked filter: recursive descent with a bound on depth and on comparisons.

use super::lexer::{Token, TokenKind, between_single_quotes, tokens};
use super::{CompareOp, Filter, Literal, compare};
use crate::error::ScimError;
use crate::limits::{FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use crate::path::{AttrRef, resolve_attribute, sub_attribute};
use crate::schema::{Attribute, AttributeType, ResourceKind};

/// What the names in a filter are looked up in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope {
    /// A whole resource.
    Resource(ResourceKind),
    /// Resources of all kinds, of which one of this kind is looked at.
    Across(ResourceKind),
    /// One element of a complex attribute, between brackets.
    Element(&'static Attribute),
}

impl Scope {
    fn resolve(self, name: &str) -> Option<AttrRef> {
        match self {
            Self::Resource(kind) => resolve_attribute(kind, name),
            Self::Across(kind) => resolve_attribute(kind, name).or_else(|| {
                let others = ResourceKind::ALL.into_iter().filter(|other| *other != kind);
                others
                    .into_iter()
                    .find_map(|other| resolve_attribute(other, name))
            }),
            Self::Element(attribute) => sub_attribute(attribute, name.trim()).map(AttrRef::core),
        }
    }
}

pub(crate) fn parse(scope: Scope, text: &str) -> Result<Filter, ScimError> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        next: 0,
        end: text.len(),
        terms: 0,
    };
    let filter = parser.any_of(scope, 0)?;
    match parser.peek() {
        None => Ok(filter),
        Some(_) => Err(parser.wrong("unexpected text")),
    }
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    next: usize,
    end: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a TokenKind<'a>> {
        self.tokens.get(self.next).map(|token| &token.kind)
    }

    fn take(&mut self) -> Option<&'a TokenKind<'a>> {
        let kind = self.peek();
        self.next += 1;
        kind
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(TokenKind::Word(w)) if w.eq_ignore_ascii_case(word));
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, kind: &TokenKind<'_>, what: &str) -> Result<(), ScimError> {
        if self.peek() == Some(kind) {
            self.next += 1;
            return Ok(());
        }
        Err(self.wrong(what))
    }

    fn wrong(&self, what: &str) -> ScimError {
        self.wrong_at(self.next, what)
    }

    fn wrong_at(&self, token: usize, what: &str) -> ScimError {
        let at = self.tokens.get(token).map_or(self.end, |token| token.at);
        ScimError::invalid_filter(format!(
            "the filter is not understood at character {}: {what}",
            at + 1
        ))
    }

    fn any_of(&mut self, scope: Scope, depth: usize) -> Result<Filter, ScimError> {
        self.chain(scope, depth, "or", Self::all_of, Filter::Or)
    }

    fn all_of(&mut self, scope: Scope, depth: usize) -> Result<Filter, ScimError> {
        self.chain(scope, depth, "and", Self::single, Filter::And)
    }

    fn chain(
        &mut self,
        scope: Scope,
        depth: usize,
        word: &str,
        part: fn(&mut Self, Scope, usize) -> Result<Filter, ScimError>,
        join: fn(Vec<Filter>) -> Filter,
    ) -> Result<Filter, ScimError> {
        let first = part(self, scope, depth)?;
        let mut parts = Vec::new();
        while self.takes_word(word) {
            parts.push(part(self, scope, depth)?);
        }
        if parts.is_empty() {
            return Ok(first);
        }
        parts.insert(0, first);
        Ok(join(parts))
    }

    fn single(&mut self, scope: Scope, depth: usize) -> Result<Filter, ScimError> {
        if depth > FILTER_DEPTH_MAX {
            return Err(ScimError::invalid_filter(format!(
                "the filter is nested deeper than {FILTER_DEPTH_MAX} levels"
            )));
        }
        match self.take() {
            Some(TokenKind::Open) => {
                let inner = self.any_of(scope, depth + 1)?;
                self.expect(&TokenKind::Close, "a closing parenthesis is missing")?;
                Ok(inner)
            }
            Some(TokenKind::Word(word))
                if word.eq_ignore_ascii_case("not") && self.peek() == Some(&TokenKind::Open) =>
            {
                self.next += 1;
                let inner = self.any_of(scope, depth + 1)?;
                self.expect(&TokenKind::Close, "a closing parenthesis is missing")?;
                Ok(Filter::Not(Box::new(inner)))
            }
            Some(TokenKind::Word(name)) => {
                let named = self.next - 1;
                let Some(path) = scope.resolve(name) else {
                    return Err(self.wrong_at(named, "no such attribute"));
                };
                if self.peek() == Some(&TokenKind::OpenBracket) {
                    return self.element(path, depth);
                }
                self.comparison(path, named)
            }
            _ => Err(self.wrong_at(self.next - 1, "an attribute is missing")),
        }
    }

    /// `path[filter]`, and `path[filter].sub op value`, which means the same as asking it inside.
    fn element(&mut self, path: AttrRef, depth: usize) -> Result<Filter, ScimError> {
        if !path.attribute.is_complex() || path.sub.is_some() {
            return Err(self.wrong_at(self.next, "the attribute has no elements"));
        }
        self.next += 1;
        let scope = Scope::Element(path.attribute);
        let inner = self.any_of(scope, depth + 1)?;
        self.expect(&TokenKind::CloseBracket, "a closing bracket is missing")?;
        let Some(TokenKind::Word(word)) = self.peek() else {
            return Ok(Filter::Element(path, Box::new(inner)));
        };
        let Some(name) = word.strip_prefix('.') else {
            return Ok(Filter::Element(path, Box::new(inner)));
        };
        let named = self.next;
        self.next += 1;
        let Some(sub) = scope.resolve(name) else {
            return Err(self.wrong_at(named, "no such sub-attribute"));
        };
        let test = self.comparison(sub, named)?;
        let both = match inner {
            Filter::And(mut parts) => {
                parts.push(test);
                parts
            }
            other => vec![other, test],
        };
        Ok(Filter::Element(path, Box::new(Filter::And(both))))
    }

    fn comparison(&mut self, path: AttrRef, named: usize) -> Result<Filter, ScimError> {
        self.terms += 1;
        if self.terms > FILTER_TERMS_MAX {
            return Err(ScimError::invalid_filter(format!(
                "the filter holds more than {FILTER_TERMS_MAX} comparisons"
            )));
        }
        if self.takes_word("pr") {
            return Ok(Filter::Present(path));
        }
        let Some(TokenKind::Word(word)) = self.take() else {
            return Err(self.wrong_at(self.next - 1, "an operator is missing"));
        };
        let Some((op, _)) = CompareOp::ALL
            .into_iter()
            .find(|(_, name)| name.eq_ignore_ascii_case(word))
        else {
            return Err(self.wrong_at(self.next - 1, "no such operator"));
        };
        let literal = match self.take() {
            Some(TokenKind::Quoted(text)) => Literal::Text(text.clone()),
            Some(TokenKind::Word(word)) => bare_literal(word),
            _ => return Err(self.wrong_at(self.next - 1, "a value is missing")),
        };
        let path = comparable(path)
            .ok_or_else(|| self.wrong_at(named, "a complex attribute without value cannot be compared"))?;
        compare::check(path.leaf(), op, &literal).map_err(|what| self.wrong_at(named, what))?;
        Ok(Filter::Compare(path, op, literal))
    }
}

/// A complex attribute is compared by its `value` (RFC 7644 section 3.4.2.2).
fn comparable(path: AttrRef) -> Option<AttrRef> {
    if path.leaf().kind != AttributeType::Complex {
        return Some(path);
    }
    Some(AttrRef {
        sub: Some(path.attribute.value_sub()?),
        ..path
    })
}

/// A value without quotation marks, which some clients send.
fn bare_literal(word: &str) -> Literal {
    match word {
        "null" => Literal::Null,
        _ if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
        _ if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
        _ if serde_json::from_str::<serde_json::Number>(word).is_ok() => Literal::Number(word.to_owned()),
        _ => Literal::Text(between_single_quotes(word).unwrap_or(word).to_owned()),
    }
}
