//! The schema: read once from its text, asked by the planner and by introspection.

use std::collections::HashMap;

use super::GraphError;
use super::ast::TypeRef;
use super::lexer::{Token, syntax};
use super::parser::Parser;

/// Built-in and Fluent's own scalars.
const SCALARS: [&str; 7] = ["ID", "String", "Int", "Float", "Boolean", "DateTime", "Json"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeKind {
    Object,
    Input,
    Scalar,
}

#[derive(Debug, Clone)]
pub(crate) struct TypeDef {
    pub(crate) name: String,
    pub(crate) kind: TypeKind,
    pub(crate) fields: Vec<FieldDef>,
}

impl TypeDef {
    pub(crate) fn field(&self, name: &str) -> Option<&FieldDef> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A field of an object or of an input object (the latter has no arguments).
#[derive(Debug, Clone)]
pub(crate) struct FieldDef {
    pub(crate) name: String,
    pub(crate) args: Vec<FieldDef>,
    pub(crate) ty: TypeRef,
}

/// All types by name.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    types: HashMap<String, TypeDef>,
}

impl Schema {
    /// Reads the schema text. Errors only when that text is wrong.
    pub(crate) fn parse(text: &str) -> Result<Self, GraphError> {
        let mut types: HashMap<String, TypeDef> = SCALARS
            .iter()
            .map(|&name| {
                let name = name.to_owned();
                (
                    name.clone(),
                    TypeDef {
                        name,
                        kind: TypeKind::Scalar,
                        fields: Vec::new(),
                    },
                )
            })
            .collect();
        let mut parser = Parser::new(text)?;
        while parser.token != Token::End {
            let at = parser.at;
            let kind = match parser.name()? {
                "type" => TypeKind::Object,
                "input" => TypeKind::Input,
                _ => return Err(syntax("expected type or input", at)),
            };
            let name = parser.name()?.to_owned();
            parser.expect('{')?;
            let fields = fields_until(&mut parser, '}')?;
            types.insert(name.clone(), TypeDef { name, kind, fields });
        }
        let schema = Self { types };
        schema.check()?;
        Ok(schema)
    }

    fn check(&self) -> Result<(), GraphError> {
        for field in self.types.values().flat_map(|ty| &ty.fields) {
            for ty in field.args.iter().map(|arg| &arg.ty).chain([&field.ty]) {
                if !self.types.contains_key(ty.name()) {
                    return Err(syntax(&format!("unknown type {ty}"), (0, 0)));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&TypeDef> {
        self.types.get(name)
    }

    /// Takes a field out of a type, as an account whose schema lacks it would show it.
    pub(crate) fn without(&self, type_name: &str, field: &str) -> Self {
        let mut schema = self.clone();
        if let Some(ty) = schema.types.get_mut(type_name) {
            ty.fields.retain(|f| f.name != field);
        }
        schema
    }

    /// All types in name order.
    pub(crate) fn sorted(&self) -> Vec<&TypeDef> {
        let mut types: Vec<_> = self.types.values().collect();
        types.sort_by(|a, b| a.name.cmp(&b.name));
        types
    }
}

fn fields_until(parser: &mut Parser<'_>, end: char) -> Result<Vec<FieldDef>, GraphError> {
    let mut fields = Vec::new();
    while !parser.eat(end)? {
        let name = parser.name()?.to_owned();
        let args = if parser.eat('(')? {
            fields_until(parser, ')')?
        } else {
            Vec::new()
        };
        parser.expect(':')?;
        fields.push(FieldDef {
            name,
            args,
            ty: parser.type_ref(0)?,
        });
    }
    Ok(fields)
}
