//! Tokens to the syntax tree of an executable document (GraphQL specification, section 2).

use super::GraphError;
use super::ast::{
    Directive, Document, Field, Fragment, Operation, OperationKind, Selection, TypeRef, Value, VariableDef,
};
use super::lexer::{Lexer, Token, syntax};

/// Nesting of selections, values and types. Fluent's deepest useful query is about ten; recursion must end.
const MAX_DEPTH: u32 = 64;

/// Reads one executable document.
pub(crate) fn parse_document(text: &str) -> Result<Document, GraphError> {
    let mut parser = Parser::new(text)?;
    let mut document = Document::default();
    while parser.token != Token::End {
        match &parser.token {
            Token::Punct('{') => {
                let selection = parser.selection_set(0)?;
                document.operations.push(Operation {
                    kind: OperationKind::Query,
                    name: None,
                    variables: Vec::new(),
                    selection,
                });
            }
            Token::Name("fragment") => {
                let (name, fragment) = parser.fragment()?;
                document.fragments.insert(name, fragment);
            }
            _ => document.operations.push(parser.operation()?),
        }
    }
    if document.operations.is_empty() {
        return Err(syntax("the document holds no operation", parser.at));
    }
    Ok(document)
}

/// A recursive-descent parser, one token ahead. Also the base of the schema reader.
#[derive(Debug)]
pub(crate) struct Parser<'a> {
    lexer: Lexer<'a>,
    pub(crate) token: Token<'a>,
    pub(crate) at: (u32, u32),
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str) -> Result<Self, GraphError> {
        let mut lexer = Lexer::new(text);
        let (token, at) = lexer.next_token()?;
        Ok(Self { lexer, token, at })
    }

    pub(crate) fn advance(&mut self) -> Result<Token<'a>, GraphError> {
        let (token, at) = self.lexer.next_token()?;
        self.at = at;
        Ok(std::mem::replace(&mut self.token, token))
    }

    /// Takes the punctuation when it is next.
    pub(crate) fn eat(&mut self, punct: char) -> Result<bool, GraphError> {
        if self.token == Token::Punct(punct) {
            self.advance()?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(crate) fn expect(&mut self, punct: char) -> Result<(), GraphError> {
        if self.eat(punct)? {
            Ok(())
        } else {
            Err(syntax(&format!("expected '{punct}'"), self.at))
        }
    }

    pub(crate) fn name(&mut self) -> Result<&'a str, GraphError> {
        let at = self.at;
        match self.advance()? {
            Token::Name(name) => Ok(name),
            _ => Err(syntax("expected a name", at)),
        }
    }

    fn operation(&mut self) -> Result<Operation, GraphError> {
        let at = self.at;
        let kind = match self.name()? {
            "query" => OperationKind::Query,
            "mutation" => OperationKind::Mutation,
            _ => return Err(syntax("expected query, mutation or fragment", at)),
        };
        let name = match self.token {
            Token::Name(_) => Some(self.name()?.to_owned()),
            _ => None,
        };
        let mut variables = Vec::new();
        if self.eat('(')? {
            while !self.eat(')')? {
                variables.push(self.variable_definition()?);
            }
        }
        self.directives()?;
        Ok(Operation {
            kind,
            name,
            variables,
            selection: self.selection_set(0)?,
        })
    }

    fn variable_definition(&mut self) -> Result<VariableDef, GraphError> {
        let at = self.at;
        self.expect('$')?;
        let name = self.name()?.to_owned();
        self.expect(':')?;
        let ty = self.type_ref(0)?;
        let default = if self.eat('=')? {
            Some(self.value(0)?)
        } else {
            None
        };
        Ok(VariableDef {
            name,
            ty,
            default,
            at,
        })
    }

    fn fragment(&mut self) -> Result<(String, Fragment), GraphError> {
        self.advance()?;
        let name = self.name()?.to_owned();
        if self.name()? != "on" {
            return Err(syntax("expected 'on'", self.at));
        }
        let on = self.name()?.to_owned();
        self.directives()?;
        Ok((
            name,
            Fragment {
                on,
                selection: self.selection_set(0)?,
            },
        ))
    }

    fn selection_set(&mut self, depth: u32) -> Result<Vec<Selection>, GraphError> {
        self.bound(depth)?;
        self.expect('{')?;
        let mut items = Vec::new();
        while !self.eat('}')? {
            items.push(self.selection(depth)?);
        }
        if items.is_empty() {
            return Err(syntax("an empty selection", self.at));
        }
        Ok(items)
    }

    fn selection(&mut self, depth: u32) -> Result<Selection, GraphError> {
        let at = self.at;
        if self.token != Token::Spread {
            return Ok(Selection::Field(self.field(depth)?));
        }
        self.advance()?;
        let on = match self.token {
            Token::Name("on") => {
                self.advance()?;
                Some(self.name()?.to_owned())
            }
            Token::Name(_) => {
                let name = self.name()?.to_owned();
                return Ok(Selection::Spread {
                    name,
                    directives: self.directives()?,
                    at,
                });
            }
            _ => None,
        };
        let directives = self.directives()?;
        Ok(Selection::Inline {
            on,
            directives,
            selection: self.selection_set(depth + 1)?,
            at,
        })
    }

    fn field(&mut self, depth: u32) -> Result<Field, GraphError> {
        let at = self.at;
        let first = self.name()?.to_owned();
        let (alias, name) = if self.eat(':')? {
            (Some(first), self.name()?.to_owned())
        } else {
            (None, first)
        };
        let arguments = self.arguments()?;
        let directives = self.directives()?;
        let selection = if self.token == Token::Punct('{') {
            self.selection_set(depth + 1)?
        } else {
            Vec::new()
        };
        Ok(Field {
            alias,
            name,
            arguments,
            directives,
            selection,
            at,
        })
    }

    fn arguments(&mut self) -> Result<Vec<(String, Value)>, GraphError> {
        let mut arguments = Vec::new();
        if self.eat('(')? {
            while !self.eat(')')? {
                let name = self.name()?.to_owned();
                self.expect(':')?;
                arguments.push((name, self.value(0)?));
            }
        }
        Ok(arguments)
    }

    fn directives(&mut self) -> Result<Vec<Directive>, GraphError> {
        let mut directives = Vec::new();
        while self.eat('@')? {
            let name = self.name()?.to_owned();
            directives.push(Directive {
                name,
                arguments: self.arguments()?,
            });
        }
        Ok(directives)
    }

    fn value(&mut self, depth: u32) -> Result<Value, GraphError> {
        self.bound(depth)?;
        let at = self.at;
        Ok(match self.advance()? {
            Token::Punct('$') => Value::Variable(self.name()?.to_owned()),
            Token::Number(digits) => {
                Value::Number(serde_json::from_str(digits).map_err(|_| syntax("bad number", at))?)
            }
            Token::Str(text) => Value::String(text),
            Token::Name("true") => Value::Boolean(true),
            Token::Name("false") => Value::Boolean(false),
            Token::Name("null") => Value::Null,
            Token::Name(name) => Value::Enum(name.to_owned()),
            Token::Punct('[') => {
                let mut items = Vec::new();
                while !self.eat(']')? {
                    items.push(self.value(depth + 1)?);
                }
                Value::List(items)
            }
            Token::Punct('{') => {
                let mut fields = Vec::new();
                while !self.eat('}')? {
                    let name = self.name()?.to_owned();
                    self.expect(':')?;
                    fields.push((name, self.value(depth + 1)?));
                }
                Value::Object(fields)
            }
            _ => return Err(syntax("expected a value", at)),
        })
    }

    pub(crate) fn type_ref(&mut self, depth: u32) -> Result<TypeRef, GraphError> {
        self.bound(depth)?;
        if self.eat('[')? {
            let of = Box::new(self.type_ref(depth + 1)?);
            self.expect(']')?;
            return Ok(TypeRef::List {
                of,
                required: self.eat('!')?,
            });
        }
        let name = self.name()?.to_owned();
        Ok(TypeRef::Named {
            name,
            required: self.eat('!')?,
        })
    }

    fn bound(&self, depth: u32) -> Result<(), GraphError> {
        if depth >= MAX_DEPTH {
            Err(syntax("nested too deep", self.at))
        } else {
            Ok(())
        }
    }
}
