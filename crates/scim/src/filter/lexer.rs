//! From text to tokens.

use crate::error::ScimError;
use crate::limits::FILTER_BYTES_MAX;

/// One token, with the byte at which it begins and the one behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) kind: TokenKind<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind<'a> {
    Open,
    Close,
    OpenBracket,
    CloseBracket,
    /// What stood between quotation marks, unescaped.
    Quoted(String),
    /// Anything else up to the next space or bracket; between single quotation marks: with them.
    Word(&'a str),
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ScimError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(ScimError::invalid_filter(format!(
            "the filter is longer than {FILTER_BYTES_MAX} bytes"
        )));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..)
        && let Some(first) = rest.chars().next()
    {
        let (length, kind) = match first {
            '(' => (1, TokenKind::Open),
            ')' => (1, TokenKind::Close),
            '[' => (1, TokenKind::OpenBracket),
            ']' => (1, TokenKind::CloseBracket),
            '"' => {
                let (length, value) = quoted(rest).ok_or_else(|| {
                    ScimError::invalid_filter(format!(
                        "the filter's string at character {} has no end",
                        at + 1
                    ))
                })?;
                (length, TokenKind::Quoted(value))
            }
            space if space.is_whitespace() => {
                at += space.len_utf8();
                continue;
            }
            _ => {
                let length = single_quoted(rest).or_else(|| rest.find(ends_word));
                let length = length.unwrap_or(rest.len());
                (length, TokenKind::Word(rest.get(..length).unwrap_or(rest)))
            }
        };
        let end = at + length;
        found.push(Token { at, end, kind });
        at = end;
    }
    Ok(found)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"')
}

/// Length with both marks, and the content. A content that is no JSON string (`"CORP\ida"`, a backslash
/// that nobody escaped) is taken as it stands.
fn quoted(rest: &str) -> Option<(usize, String)> {
    let mut escaped = false;
    let end = rest.char_indices().skip(1).find_map(|(index, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(index)
    })?;
    let whole = rest.get(..=end)?;
    let content = serde_json::from_str::<String>(whole)
        .ok()
        .or_else(|| rest.get(1..end).map(|raw| raw.replace("\\\"", "\"")))?;
    Some((end + 1, content))
}

/// Length of what stands between single quotation marks, which end it only at the end of a word: `'O'Brien'`.
fn single_quoted(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let ends = |at: usize| {
        inside
            .get(at + 1..)
            .is_some_and(|after| after.is_empty() || after.starts_with(ends_word))
    };
    let (end, _) = inside.match_indices('\'').find(|(at, _)| ends(*at))?;
    Some(end + 2)
}

/// What stands between the single quotation marks that a word has around it.
pub(super) fn between_single_quotes(word: &str) -> Option<&str> {
    word.strip_prefix('\'')?.strip_suffix('\'')
}
