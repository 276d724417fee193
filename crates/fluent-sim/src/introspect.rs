//! `__schema` and `__type`: enough for a client to see which fields, arguments and inputs exist.

use crate::exec::{Node, Out};
use crate::graphql::{FieldDef, PlanField, Schema, TypeDef, TypeKind, TypeRef};

/// An object of an introspection answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Meta<'a> {
    Schema,
    Type(&'a TypeDef),
    /// A type as written; the flag says that its outer non-null is already told.
    Written(&'a TypeRef, bool),
    Field(&'a FieldDef),
    Input(&'a FieldDef),
}

/// Resolves `__schema` or `__type`.
pub(crate) fn root<'a>(schema: &'a Schema, field: &'a PlanField) -> Out<'a> {
    if field.name == "__schema" {
        return Out::Node(Node::Meta(Meta::Schema));
    }
    named(field.text("name").and_then(|name| schema.get(name)))
}

/// Resolves a field of an introspection object.
pub(crate) fn resolve<'a>(schema: &'a Schema, meta: Meta<'a>, name: &str) -> Out<'a> {
    match meta {
        Meta::Schema => match name {
            "queryType" => named(schema.get("Query")),
            "mutationType" => named(schema.get("Mutation")),
            _ => nodes(schema.sorted().into_iter().map(Meta::Type)),
        },
        Meta::Type(ty) => type_field(ty, name),
        Meta::Written(written, told) => written_field(schema, written, told, name),
        Meta::Field(field) => match name {
            "args" => nodes(field.args.iter().map(Meta::Input)),
            "type" => Out::Node(Node::Meta(Meta::Written(&field.ty, false))),
            "isDeprecated" => Out::Bool(false),
            "name" => Out::text(&field.name),
            _ => Out::Null,
        },
        Meta::Input(input) => match name {
            "name" => Out::text(&input.name),
            "type" => Out::Node(Node::Meta(Meta::Written(&input.ty, false))),
            _ => Out::Null,
        },
    }
}

fn type_field<'a>(ty: &'a TypeDef, name: &str) -> Out<'a> {
    match (name, ty.kind) {
        ("kind", TypeKind::Object) => Out::text("OBJECT"),
        ("kind", TypeKind::Input) => Out::text("INPUT_OBJECT"),
        ("kind", TypeKind::Scalar) => Out::text("SCALAR"),
        ("name", _) => Out::text(&ty.name),
        ("fields", TypeKind::Object) => nodes(
            ty.fields
                .iter()
                .filter(|field| !field.name.starts_with("__"))
                .map(Meta::Field),
        ),
        ("inputFields", TypeKind::Input) => nodes(ty.fields.iter().map(Meta::Input)),
        _ => Out::Null,
    }
}

fn written_field<'a>(schema: &'a Schema, written: &'a TypeRef, told: bool, name: &str) -> Out<'a> {
    if written.required() && !told {
        return match name {
            "kind" => Out::text("NON_NULL"),
            "ofType" => Out::Node(Node::Meta(Meta::Written(written, true))),
            _ => Out::Null,
        };
    }
    match written {
        TypeRef::List { of, .. } => match name {
            "kind" => Out::text("LIST"),
            "ofType" => Out::Node(Node::Meta(Meta::Written(of, false))),
            _ => Out::Null,
        },
        TypeRef::Named { name: inner, .. } => schema.get(inner).map_or(Out::Null, |ty| type_field(ty, name)),
    }
}

fn named(ty: Option<&TypeDef>) -> Out<'_> {
    ty.map_or(Out::Null, |ty| Out::Node(Node::Meta(Meta::Type(ty))))
}

fn nodes<'a>(metas: impl Iterator<Item = Meta<'a>>) -> Out<'a> {
    Out::Nodes(metas.map(Node::Meta).collect())
}
