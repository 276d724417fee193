//! Document and variables to a plan: every field known, every argument coerced, the cost counted.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::GraphError;
use super::ast::{Directive, Document, Field, Operation, OperationKind, Selection, TypeRef};
use super::coerce::Variables;
use super::schema::{FieldDef, Schema, TypeDef, TypeKind};

/// Fields a plan may hold. Fragments inside fragments multiply; a request of 2 MB has far fewer real fields.
const MAX_FIELDS: u32 = 200_000;

/// Rows of a search without `first` or `last` (fluent: 10).
pub(crate) const DEFAULT_ROWS: usize = 10;

/// Rows of a search at most; more is cut silently (fluent: 5,000).
pub(crate) const MAX_ROWS: usize = 5_000;

/// An operation that may be carried out without further checks of shape.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) kind: OperationKind,
    pub(crate) fields: Vec<PlanField>,
    /// About the number of look-ups the request causes.
    pub(crate) complexity: u64,
}

/// One field of the answer.
#[derive(Debug, Clone)]
pub(crate) struct PlanField {
    /// The alias, or the name.
    pub(crate) key: String,
    pub(crate) name: String,
    /// The type that holds the field, for `__typename`.
    pub(crate) parent: String,
    pub(crate) args: Map<String, Json>,
    pub(crate) children: Vec<PlanField>,
    pub(crate) at: (u32, u32),
}

impl PlanField {
    /// A text argument; `None` when absent or null.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.args.get(name).and_then(Json::as_str)
    }

    /// The rows that the paging arguments ask for, clamped as Fluent does.
    pub(crate) fn rows(&self) -> usize {
        let asked = ["first", "last"]
            .iter()
            .find_map(|name| self.args.get(*name).and_then(Json::as_u64));
        asked.map_or(DEFAULT_ROWS, |rows| {
            usize::try_from(rows).unwrap_or(MAX_ROWS).clamp(1, MAX_ROWS)
        })
    }
}

/// Turns the named (or only) operation of a document into a plan.
///
/// # Errors
/// Everything that GraphQL validation finds: unknown fields, arguments, types, fragments and variables, wrong
/// shapes, and a missing variable as `C0140E`.
pub(crate) fn compile(
    schema: &Schema,
    document: &Document,
    operation: Option<&str>,
    variables: &Map<String, Json>,
) -> Result<Plan, GraphError> {
    let operation = choose(document, operation)?;
    let root = match operation.kind {
        OperationKind::Query => "Query",
        OperationKind::Mutation => "Mutation",
    };
    let root = schema
        .get(root)
        .ok_or_else(|| GraphError::invalid("no such operation type", (1, 1)))?;
    let mut compiler = Compiler {
        schema,
        document,
        variables: Variables::coerce(schema, &operation.variables, variables)?,
        open: Vec::new(),
        fields: 0,
    };
    let (fields, complexity) = compiler.fields(root, &[&operation.selection])?;
    if let Some(unused) = compiler.variables.unused() {
        return Err(GraphError::invalid(
            format!("Unused variable '{}'", unused.name),
            unused.at,
        ));
    }
    Ok(Plan {
        kind: operation.kind,
        fields,
        complexity,
    })
}

fn choose<'a>(document: &'a Document, name: Option<&str>) -> Result<&'a Operation, GraphError> {
    let found = match (name, document.operations.as_slice()) {
        (Some(name), operations) => operations.iter().find(|op| op.name.as_deref() == Some(name)),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    found.ok_or_else(|| GraphError::invalid("Must provide the name of one of the operations", (1, 1)))
}

struct Compiler<'a> {
    schema: &'a Schema,
    document: &'a Document,
    variables: Variables<'a>,
    /// Fragments being expanded, to find cycles.
    open: Vec<&'a str>,
    fields: u32,
}

/// Fields with one response key, in document order.
type Group<'a> = (&'a str, Vec<&'a Field>);

impl<'a> Compiler<'a> {
    fn fields(
        &mut self,
        ty: &'a TypeDef,
        selections: &[&'a [Selection]],
    ) -> Result<(Vec<PlanField>, u64), GraphError> {
        let mut groups = Vec::new();
        let mut index = HashMap::new();
        for selection in selections {
            self.collect(ty, selection, &mut groups, &mut index)?;
        }
        let mut planned = Vec::with_capacity(groups.len());
        let mut total = 0_u64;
        for (key, fields) in groups {
            let (field, cost) = self.field(ty, key, &fields)?;
            planned.push(field);
            total = total.saturating_add(cost);
        }
        Ok((planned, total))
    }

    fn collect(
        &mut self,
        ty: &'a TypeDef,
        selection: &'a [Selection],
        groups: &mut Vec<Group<'a>>,
        index: &mut HashMap<&'a str, usize>,
    ) -> Result<(), GraphError> {
        for item in selection {
            match item {
                Selection::Field(field) => {
                    if self.skipped(&field.directives, field.at)? {
                        field
                            .arguments
                            .iter()
                            .for_each(|(_, value)| self.variables.touch(value));
                        continue;
                    }
                    let key = field.alias.as_deref().unwrap_or(&field.name);
                    let slot = *index.entry(key).or_insert(groups.len());
                    match groups.get_mut(slot) {
                        Some((_, fields)) => fields.push(field),
                        None => groups.push((key, vec![field])),
                    }
                }
                Selection::Spread { name, directives, at } => {
                    let skipped = self.skipped(directives, *at)?;
                    let Some((name, fragment)) = self.document.fragments.get_key_value(name) else {
                        return Err(GraphError::invalid(format!("Undefined fragment {name}"), *at));
                    };
                    if self.open.contains(&name.as_str()) {
                        return Err(GraphError::invalid(format!("Fragment {name} holds itself"), *at));
                    }
                    self.fits(ty, &fragment.on, *at)?;
                    if !skipped {
                        self.open.push(name);
                        self.collect(ty, &fragment.selection, groups, index)?;
                        self.open.pop();
                    }
                }
                Selection::Inline {
                    on,
                    directives,
                    selection,
                    at,
                } => {
                    if let Some(on) = on {
                        self.fits(ty, on, *at)?;
                    }
                    if !self.skipped(directives, *at)? {
                        self.collect(ty, selection, groups, index)?;
                    }
                }
            }
            self.count()?;
        }
        Ok(())
    }

    fn fits(&self, ty: &TypeDef, on: &str, at: (u32, u32)) -> Result<(), GraphError> {
        if ty.name == on {
            return Ok(());
        }
        Err(GraphError::invalid(
            format!("A fragment on {on} cannot be spread in {}", ty.name),
            at,
        ))
    }

    fn count(&mut self) -> Result<(), GraphError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(GraphError::coded("C0001E", "The query holds too many fields"));
        }
        Ok(())
    }

    fn skipped(&mut self, directives: &[Directive], at: (u32, u32)) -> Result<bool, GraphError> {
        let flag = TypeRef::Named {
            name: "Boolean".into(),
            required: true,
        };
        let mut skipped = false;
        for directive in directives {
            let condition = match directive.arguments.as_slice() {
                [(name, value)] if name == "if" => self
                    .variables
                    .argument(self.schema, &flag, value, at)?
                    .and_then(|value| value.as_bool()),
                _ => None,
            };
            match (directive.name.as_str(), condition) {
                ("skip", Some(condition)) => skipped |= condition,
                ("include", Some(condition)) => skipped |= !condition,
                _ => {
                    let message = format!("Unknown directive or arguments: @{}", directive.name);
                    return Err(GraphError::invalid(message, at));
                }
            }
        }
        Ok(skipped)
    }

    fn field(
        &mut self,
        parent: &'a TypeDef,
        key: &str,
        group: &[&'a Field],
    ) -> Result<(PlanField, u64), GraphError> {
        let Some(first) = group.first() else {
            return Err(GraphError::invalid("empty selection", (1, 1)));
        };
        let clash = group
            .iter()
            .find(|f| f.name != first.name || f.arguments != first.arguments);
        if let Some(clash) = clash {
            return Err(GraphError::invalid(format!("Fields '{key}' conflict"), clash.at));
        }
        let mut field = PlanField {
            key: key.to_owned(),
            name: first.name.clone(),
            parent: parent.name.clone(),
            args: Map::new(),
            children: Vec::new(),
            at: first.at,
        };
        if first.name == "__typename" {
            return Ok((field, 0));
        }
        let Some(def) = parent.field(&first.name) else {
            let message = format!(
                "Field '{}' in type '{}' is undefined (FieldUndefined)",
                first.name, parent.name
            );
            return Err(GraphError::invalid(message, first.at));
        };
        field.args = self.arguments(def, first)?;
        let selections: Vec<&[Selection]> = group
            .iter()
            .map(|f| f.selection.as_slice())
            .filter(|s| !s.is_empty())
            .collect();
        let ty = self
            .schema
            .get(def.ty.name())
            .filter(|ty| ty.kind == TypeKind::Object);
        let children = match (ty, selections.is_empty()) {
            (Some(ty), false) => {
                let (children, cost) = self.fields(ty, &selections)?;
                field.children = children;
                Some((ty, cost))
            }
            (None, true) => None,
            (Some(_), true) => return Err(shape("needs a selection", first)),
            (None, false) => return Err(shape("has no fields to select", first)),
        };
        let cost = children.map_or(0, |(ty, inner)| cost(&field, ty, inner));
        Ok((field, cost))
    }

    fn arguments(&mut self, def: &FieldDef, field: &'a Field) -> Result<Map<String, Json>, GraphError> {
        let mut args = Map::new();
        for (name, value) in &field.arguments {
            let Some(arg) = def.args.iter().find(|arg| arg.name == *name) else {
                let message = format!("Unknown argument '{name}' of '{}'", field.name);
                return Err(GraphError::invalid(message, field.at));
            };
            if let Some(value) = self.variables.argument(self.schema, &arg.ty, value, field.at)? {
                args.insert(name.clone(), value);
            }
        }
        if let Some(missing) = def
            .args
            .iter()
            .find(|arg| arg.ty.required() && !args.contains_key(&arg.name))
        {
            let message = format!("Missing argument '{}' of '{}'", missing.name, field.name);
            return Err(GraphError::invalid(message, field.at));
        }
        Ok(args)
    }
}

fn shape(problem: &str, field: &Field) -> GraphError {
    GraphError::invalid(format!("Field '{}' {problem}", field.name), field.at)
}

/// A field with an object behind it is one look-up, and a search repeats what is below it once per row. The
/// connection's own wrappers and introspection are free.
fn cost(field: &PlanField, ty: &TypeDef, inner: u64) -> u64 {
    if ty.name.starts_with("__") {
        return 0;
    }
    if ty.name.ends_with("Connection") {
        let rows = u64::try_from(field.rows()).unwrap_or(u64::MAX);
        return inner.saturating_mul(rows).saturating_add(1);
    }
    match field.name.as_str() {
        "edges" | "node" | "pageInfo" => inner,
        _ => inner.saturating_add(1),
    }
}
