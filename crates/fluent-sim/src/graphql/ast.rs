//! The syntax tree of an executable document, and types as written in schemas and variable definitions.

use std::collections::HashMap;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Query,
    Mutation,
}

#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) operations: Vec<Operation>,
    pub(crate) fragments: HashMap<String, Fragment>,
}

#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) kind: OperationKind,
    pub(crate) name: Option<String>,
    pub(crate) variables: Vec<VariableDef>,
    pub(crate) selection: Vec<Selection>,
}

#[derive(Debug)]
pub(crate) struct VariableDef {
    pub(crate) name: String,
    pub(crate) ty: TypeRef,
    pub(crate) default: Option<Value>,
    pub(crate) at: (u32, u32),
}

#[derive(Debug)]
pub(crate) struct Fragment {
    pub(crate) on: String,
    pub(crate) selection: Vec<Selection>,
}

#[derive(Debug)]
pub(crate) enum Selection {
    Field(Field),
    Spread {
        name: String,
        directives: Vec<Directive>,
        at: (u32, u32),
    },
    Inline {
        on: Option<String>,
        directives: Vec<Directive>,
        selection: Vec<Selection>,
        at: (u32, u32),
    },
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) alias: Option<String>,
    pub(crate) name: String,
    pub(crate) arguments: Vec<(String, Value)>,
    pub(crate) directives: Vec<Directive>,
    pub(crate) selection: Vec<Selection>,
    pub(crate) at: (u32, u32),
}

#[derive(Debug)]
pub(crate) struct Directive {
    pub(crate) name: String,
    pub(crate) arguments: Vec<(String, Value)>,
}

/// A literal in a document; variables are still names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Variable(String),
    Null,
    Number(serde_json::Number),
    String(String),
    Boolean(bool),
    Enum(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// A type with its list and non-null wrappers, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TypeRef {
    Named { name: String, required: bool },
    List { of: Box<TypeRef>, required: bool },
}

impl TypeRef {
    pub(crate) fn required(&self) -> bool {
        match self {
            Self::Named { required, .. } | Self::List { required, .. } => *required,
        }
    }

    /// The innermost name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Named { name, .. } => name,
            Self::List { of, .. } => of.name(),
        }
    }

    /// Whether a variable of this type may stand where `position` is expected (GraphQL specification, section
    /// "All Variable Usages Are Allowed"). `has_default` lifts one nullability.
    pub(crate) fn fits(&self, position: &TypeRef, has_default: bool) -> bool {
        if position.required() && !self.required() && !has_default {
            return false;
        }
        match (self, position) {
            (Self::Named { name: a, .. }, Self::Named { name: b, .. }) => a == b,
            (Self::List { of: a, .. }, Self::List { of: b, .. }) => a.fits(b, false),
            _ => false,
        }
    }
}

impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named { name, .. } => f.write_str(name)?,
            Self::List { of, .. } => write!(f, "[{of}]")?,
        }
        if self.required() { f.write_str("!") } else { Ok(()) }
    }
}
