//! Input coercion (GraphQL specification, section 3.10 and 6.1.2): literals and variables to JSON of a known
//! shape.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};

use super::GraphError;
use super::ast::{TypeRef, Value, VariableDef};
use super::schema::{Schema, TypeKind};

/// The request's variables, coerced to their declared types, and which of them were used.
#[derive(Debug)]
pub(crate) struct Variables<'a> {
    declared: HashMap<&'a str, &'a VariableDef>,
    values: HashMap<&'a str, Json>,
    used: HashSet<&'a str>,
}

impl<'a> Variables<'a> {
    /// Checks what the request sent against the operation's declarations.
    ///
    /// # Errors
    /// A required variable that is missing (`C0140E`), a value of the wrong shape, or an unknown input type.
    pub(crate) fn coerce(
        schema: &Schema,
        declared: &'a [VariableDef],
        sent: &Map<String, Json>,
    ) -> Result<Self, GraphError> {
        let mut values = HashMap::new();
        for def in declared {
            let known = schema
                .get(def.ty.name())
                .is_some_and(|ty| ty.kind != TypeKind::Object);
            if !known {
                return Err(GraphError::invalid(format!("Unknown type {}", def.ty), def.at));
            }
            let value = match (sent.get(&def.name), &def.default) {
                (Some(value), _) => Some(coerce_json(schema, &def.ty, value, def.at)?),
                (None, Some(default)) => {
                    let json = literal(default, def.at)?;
                    Some(coerce_json(schema, &def.ty, &json, def.at)?)
                }
                (None, None) if def.ty.required() => {
                    let message = format!("Variable '{}' is required but was not given", def.name);
                    return Err(GraphError {
                        location: Some(def.at),
                        ..GraphError::coded("C0140E", message)
                    });
                }
                (None, None) => None,
            };
            if let Some(value) = value {
                values.insert(def.name.as_str(), value);
            }
        }
        let declared = declared.iter().map(|def| (def.name.as_str(), def)).collect();
        Ok(Self {
            declared,
            values,
            used: HashSet::new(),
        })
    }

    /// The first declared variable that no argument used, which the specification forbids.
    pub(crate) fn unused(&self) -> Option<&'a VariableDef> {
        self.declared
            .values()
            .copied()
            .find(|def| !self.used.contains(def.name.as_str()))
    }

    /// Marks every variable inside the value as used; for parts of a document that are skipped.
    pub(crate) fn touch(&mut self, value: &Value) {
        match value {
            Value::Variable(name) => {
                if let Some((&name, _)) = self.declared.get_key_value(name.as_str()) {
                    self.used.insert(name);
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.touch(item)),
            Value::Object(fields) => fields.iter().for_each(|(_, value)| self.touch(value)),
            _ => {}
        }
    }

    /// Coerces an argument; `None` when it is a variable that was left out.
    pub(crate) fn argument(
        &mut self,
        schema: &Schema,
        ty: &TypeRef,
        value: &Value,
        at: (u32, u32),
    ) -> Result<Option<Json>, GraphError> {
        match (value, ty) {
            (Value::Variable(name), _) => self.variable(name, ty, at),
            (Value::List(items), TypeRef::List { of, .. }) => {
                let items = items.iter().map(|item| {
                    self.argument(schema, of, item, at)
                        .map(|item| item.unwrap_or(Json::Null))
                });
                Ok(Some(Json::Array(items.collect::<Result<_, _>>()?)))
            }
            (Value::Null, _) => coerce_json(schema, ty, &Json::Null, at).map(Some),
            (_, TypeRef::List { of, .. }) => Ok(self
                .argument(schema, of, value, at)?
                .map(|item| Json::Array(vec![item]))),
            (Value::Object(fields), TypeRef::Named { name, .. }) => {
                self.object(schema, name, fields, at).map(Some)
            }
            _ => coerce_json(schema, ty, &literal(value, at)?, at).map(Some),
        }
    }

    fn variable(&mut self, name: &str, ty: &TypeRef, at: (u32, u32)) -> Result<Option<Json>, GraphError> {
        let Some((&name, def)) = self.declared.get_key_value(name) else {
            return Err(GraphError::invalid(format!("Undefined variable '{name}'"), at));
        };
        if !def.ty.fits(ty, def.default.is_some()) {
            let message = format!(
                "Variable '{name}' of type {} is used where {ty} is expected",
                def.ty
            );
            return Err(GraphError::invalid(message, at));
        }
        self.used.insert(name);
        Ok(self.values.get(name).cloned())
    }

    fn object(
        &mut self,
        schema: &Schema,
        type_name: &str,
        fields: &[(String, Value)],
        at: (u32, u32),
    ) -> Result<Json, GraphError> {
        let Some(def) = schema.get(type_name).filter(|ty| ty.kind == TypeKind::Input) else {
            if type_name == "Json" {
                return literal(&Value::Object(fields.to_vec()), at);
            }
            return Err(GraphError::invalid(
                format!("{type_name} is not an input object"),
                at,
            ));
        };
        let mut out = Map::new();
        for (name, value) in fields {
            let Some(field) = def.field(name) else {
                return Err(GraphError::invalid(
                    format!("Unknown field '{name}' of {type_name}"),
                    at,
                ));
            };
            if let Some(value) = self.argument(schema, &field.ty, value, at)? {
                out.insert(name.clone(), value);
            }
        }
        for field in def.fields.iter().filter(|field| field.ty.required()) {
            if !out.contains_key(&field.name) {
                let message = format!("Missing required field '{}' of {type_name}", field.name);
                return Err(GraphError::invalid(message, at));
            }
        }
        Ok(Json::Object(out))
    }
}

/// A literal without variables as JSON.
fn literal(value: &Value, at: (u32, u32)) -> Result<Json, GraphError> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Number(number) => Json::Number(number.clone()),
        Value::String(text) => Json::String(text.clone()),
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::List(items) => Json::Array(
            items
                .iter()
                .map(|item| literal(item, at))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), literal(value, at)?)));
            Json::Object(fields.collect::<Result<_, GraphError>>()?)
        }
        Value::Variable(_) | Value::Enum(_) => {
            return Err(GraphError::invalid(
                "A variable or an enum value is not allowed here",
                at,
            ));
        }
    })
}

/// Coerces a JSON value to a declared type.
fn coerce_json(schema: &Schema, ty: &TypeRef, value: &Json, at: (u32, u32)) -> Result<Json, GraphError> {
    if value.is_null() {
        if ty.required() {
            return Err(GraphError::invalid(format!("null is not allowed for {ty}"), at));
        }
        return Ok(Json::Null);
    }
    match ty {
        TypeRef::List { of, .. } => match value {
            Json::Array(items) => {
                let items = items.iter().map(|item| coerce_json(schema, of, item, at));
                Ok(Json::Array(items.collect::<Result<_, _>>()?))
            }
            single => Ok(Json::Array(vec![coerce_json(schema, of, single, at)?])),
        },
        TypeRef::Named { name, .. } => {
            let scalar = scalar(name, value);
            match (schema.get(name).map(|def| def.kind), value) {
                (Some(TypeKind::Input), Json::Object(fields)) => coerce_object(schema, name, fields, at),
                (Some(TypeKind::Scalar), _) if scalar.is_some() => Ok(scalar.unwrap_or(Json::Null)),
                _ => Err(GraphError::invalid(format!("A value does not fit type {ty}"), at)),
            }
        }
    }
}

fn coerce_object(
    schema: &Schema,
    type_name: &str,
    fields: &Map<String, Json>,
    at: (u32, u32),
) -> Result<Json, GraphError> {
    let fields_of = |name: &str| schema.get(type_name).and_then(|def| def.field(name));
    let mut out = Map::new();
    for (name, value) in fields {
        let Some(field) = fields_of(name) else {
            return Err(GraphError::invalid(
                format!("Unknown field '{name}' of {type_name}"),
                at,
            ));
        };
        out.insert(name.clone(), coerce_json(schema, &field.ty, value, at)?);
    }
    let required = schema.get(type_name).into_iter().flat_map(|def| &def.fields);
    for field in required.filter(|field| field.ty.required()) {
        if !out.contains_key(&field.name) {
            let message = format!("Missing required field '{}' of {type_name}", field.name);
            return Err(GraphError::invalid(message, at));
        }
    }
    Ok(Json::Object(out))
}

fn scalar(name: &str, value: &Json) -> Option<Json> {
    let fits = match name {
        "ID" => {
            return match value {
                Json::String(_) => Some(value.clone()),
                Json::Number(number) if !number.is_f64() => Some(Json::String(number.to_string())),
                _ => None,
            };
        }
        "String" | "DateTime" => value.is_string(),
        "Int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => value.is_number(),
        "Boolean" => value.is_boolean(),
        "Json" => true,
        _ => false,
    };
    fits.then(|| value.clone())
}
