//! Text to tokens (GraphQL specification, section 2.1).

use super::GraphError;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token<'a> {
    /// One of `! $ & ( ) : = @ [ ] { | }`.
    Punct(char),
    Spread,
    Name(&'a str),
    Number(&'a str),
    Str(String),
    End,
}

/// A cursor over a document, one token ahead.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    line: u32,
    line_start: usize,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            pos: 0,
            line: 1,
            line_start: 0,
        }
    }

    /// Line and column of the next character, both from 1.
    pub(crate) fn at(&self) -> (u32, u32) {
        let column = self.pos.saturating_sub(self.line_start).saturating_add(1);
        (self.line, u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// The next token and where it starts.
    pub(crate) fn next_token(&mut self) -> Result<(Token<'a>, (u32, u32)), GraphError> {
        self.skip_ignored();
        let at = self.at();
        let Some(byte) = self.peek() else {
            return Ok((Token::End, at));
        };
        let token = match byte {
            b'!' | b'$' | b'&' | b'(' | b')' | b':' | b'=' | b'@' | b'[' | b']' | b'{' | b'|' | b'}' => {
                self.pos += 1;
                Token::Punct(char::from(byte))
            }
            b'.' if self.rest().starts_with("...") => {
                self.pos += 3;
                Token::Spread
            }
            b'"' if self.rest().starts_with("\"\"\"") => Token::Str(self.block_string(at)?),
            b'"' => Token::Str(self.string(at)?),
            b'-' | b'0'..=b'9' => Token::Number(
                self.take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E')),
            ),
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                Token::Name(self.take_while(|b| b.is_ascii_alphanumeric() || b == b'_'))
            }
            _ => return Err(syntax("unexpected character", at)),
        };
        Ok((token, at))
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or("")
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.pos).copied()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let start = self.pos;
        while self.peek().is_some_and(&wanted) {
            self.pos += 1;
        }
        self.text.get(start..self.pos).unwrap_or("")
    }

    fn skip_ignored(&mut self) {
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' => {
                    self.pos += 1;
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.pos;
                }
                b' ' | b'\t' | b'\r' | b',' => self.pos += 1,
                b'#' => {
                    self.take_while(|b| b != b'\n');
                }
                0xEF if self.rest().starts_with('\u{FEFF}') => self.pos += '\u{FEFF}'.len_utf8(),
                _ => return,
            }
        }
    }

    fn string(&mut self, at: (u32, u32)) -> Result<String, GraphError> {
        self.pos += 1;
        let mut out = String::new();
        let mut chars = self.rest().char_indices();
        let start = self.pos;
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.pos = start + offset + 1;
                    return Ok(out);
                }
                '\n' | '\r' => break,
                '\\' => {
                    let escaped = chars.next().map(|(_, c)| c);
                    out.push(match escaped {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('r') => '\r',
                        Some('b') => '\u{8}',
                        Some('f') => '\u{c}',
                        Some(c @ ('"' | '\\' | '/')) => c,
                        Some('u') => {
                            let code = chars.by_ref().take(4).try_fold(0_u32, |code, (_, c)| {
                                c.to_digit(16).map(|digit| code * 16 + digit)
                            });
                            code.and_then(char::from_u32)
                                .ok_or_else(|| syntax("bad escape in a string", at))?
                        }
                        _ => return Err(syntax("bad escape in a string", at)),
                    });
                }
                c => out.push(c),
            }
        }
        Err(syntax("unterminated string", at))
    }

    fn block_string(&mut self, at: (u32, u32)) -> Result<String, GraphError> {
        self.pos += 3;
        let rest = self.rest();
        let end = rest
            .find("\"\"\"")
            .ok_or_else(|| syntax("unterminated block string", at))?;
        let body = rest.get(..end).unwrap_or("");
        self.pos += end + 3;
        let newlines = body.matches('\n').count();
        if let Some(last) = body.rfind('\n') {
            self.line = self
                .line
                .saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
            self.line_start = self.pos - 3 - (body.len() - last - 1);
        }
        Ok(body.trim().to_owned())
    }
}

/// A document that cannot be read at all.
pub(crate) fn syntax(message: &str, at: (u32, u32)) -> GraphError {
    GraphError {
        class: "InvalidSyntax",
        ..GraphError::invalid(format!("Invalid Syntax: {message}"), at)
    }
}
