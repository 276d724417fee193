//! The schema definition as data: what `/Schemas` tells is what validates (RFC 7643 sections 2 and 7).

mod definitions;
mod discovery;

pub use definitions::{COMMON, CORE_GROUP, CORE_USER, ENTERPRISE_USER, GROUP_ROLES};
pub use discovery::{Features, resource_type, resource_types, schema, schemas, service_provider_config};

/// URN of the core User schema.
pub const USER_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
/// URN of the core Group schema.
pub const GROUP_URN: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
/// URN of the enterprise user extension.
pub const ENTERPRISE_URN: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// URN of the extension that gives a group app roles.
pub const GROUP_ROLES_URN: &str = "urn:rollcall:params:scim:schemas:extension:1.0:Group";

/// Data type of an attribute (RFC 7643 section 2.3); only those that the schemas here use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AttributeType {
    /// Text.
    String,
    /// `true` or `false`.
    Boolean,
    /// RFC 3339 time.
    DateTime,
    /// URI or the id of a resource; compared exactly.
    Reference,
    /// An object of sub-attributes.
    Complex,
}

/// Who may write an attribute, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutability {
    /// The server alone.
    ReadOnly,
    /// The client at any time.
    ReadWrite,
    /// The client, once.
    Immutable,
}

/// When an attribute is part of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Returned {
    /// Whatever was asked for.
    Always,
    /// Unless left out by selection.
    Default,
    /// In none, and published in no schema: a client may send it, and it is passed over.
    Never,
}

/// Whether two resources may share a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Uniqueness {
    /// They may.
    None,
    /// Not within the server's view of one client.
    Server,
}

/// One attribute with its characteristics (RFC 7643 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// Canonical name.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Data type.
    pub kind: AttributeType,
    /// A list of values.
    pub multi_valued: bool,
    /// A resource must have it.
    pub required: bool,
    /// Values differ when only their case differs.
    pub case_exact: bool,
    /// Who may write it.
    pub mutability: Mutability,
    /// When it is answered.
    pub returned: Returned,
    /// Whether values are unique.
    pub uniqueness: Uniqueness,
    /// Suggested values; others are accepted.
    pub canonical_values: &'static [&'static str],
    /// What a reference may point at.
    pub reference_types: &'static [&'static str],
    /// Of a complex attribute.
    pub sub_attributes: &'static [Attribute],
    /// Elements are app roles and may come in any of the forms of [`crate::roles`].
    pub holds_roles: bool,
}

impl Attribute {
    const fn new(name: &'static str, kind: AttributeType, description: &'static str) -> Self {
        Self {
            name,
            description,
            kind,
            multi_valued: false,
            required: false,
            case_exact: matches!(kind, AttributeType::Reference | AttributeType::DateTime),
            mutability: Mutability::ReadWrite,
            returned: Returned::Default,
            uniqueness: Uniqueness::None,
            canonical_values: &[],
            reference_types: &[],
            sub_attributes: &[],
            holds_roles: false,
        }
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn exact(mut self) -> Self {
        self.case_exact = true;
        self
    }

    const fn read_only(mut self) -> Self {
        self.mutability = Mutability::ReadOnly;
        self
    }

    const fn immutable(mut self) -> Self {
        self.mutability = Mutability::Immutable;
        self
    }

    const fn always(mut self) -> Self {
        self.returned = Returned::Always;
        self
    }

    const fn never(mut self) -> Self {
        self.returned = Returned::Never;
        self
    }

    const fn unique(mut self) -> Self {
        self.uniqueness = Uniqueness::Server;
        self
    }

    const fn multi(mut self) -> Self {
        self.multi_valued = true;
        self
    }

    const fn roles(mut self) -> Self {
        self.holds_roles = true;
        self
    }

    const fn canonical(mut self, values: &'static [&'static str]) -> Self {
        self.canonical_values = values;
        self
    }

    const fn refers(mut self, types: &'static [&'static str]) -> Self {
        self.reference_types = types;
        self
    }

    const fn of(mut self, sub_attributes: &'static [Attribute]) -> Self {
        self.sub_attributes = sub_attributes;
        self
    }

    /// The sub-attribute of that name, whatever its case.
    #[must_use]
    pub fn sub(&self, name: &str) -> Option<&'static Attribute> {
        self.sub_attributes
            .iter()
            .find(|sub| sub.name.eq_ignore_ascii_case(name))
    }

    /// The sub-attribute that stands for the whole in comparisons: `value`.
    #[must_use]
    pub fn value_sub(&self) -> Option<&'static Attribute> {
        self.sub("value")
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }

    /// Whether only the server writes it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.mutability == Mutability::ReadOnly
    }
}

/// A named set of attributes.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// URN.
    pub id: &'static str,
    /// Short name.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
}

impl Schema {
    /// The attribute of that name, whatever its case.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&'static Attribute> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

static USER_EXTENSIONS: &[&Schema] = &[&ENTERPRISE_USER];
static GROUP_EXTENSIONS: &[&Schema] = &[&GROUP_ROLES];

/// The two resource types (RFC 7643 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResourceKind {
    /// A person or an account of the identity provider.
    User,
    /// A set of users and groups.
    Group,
}

impl ResourceKind {
    /// Both, in the order in which they are listed.
    pub const ALL: [Self; 2] = [Self::User, Self::Group];

    /// Name, which is its id as well.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    /// Path of its endpoint below the base.
    #[must_use]
    pub const fn endpoint(self) -> &'static str {
        match self {
            Self::User => "/Users",
            Self::Group => "/Groups",
        }
    }

    /// Its core schema.
    #[must_use]
    pub const fn schema(self) -> &'static Schema {
        match self {
            Self::User => &CORE_USER,
            Self::Group => &CORE_GROUP,
        }
    }

    /// Its extensions.
    #[must_use]
    pub const fn extensions(self) -> &'static [&'static Schema] {
        match self {
            Self::User => USER_EXTENSIONS,
            Self::Group => GROUP_EXTENSIONS,
        }
    }

    /// The extension of that URN, whatever its case.
    #[must_use]
    pub fn extension(self, urn: &str) -> Option<&'static Schema> {
        self.extensions()
            .iter()
            .copied()
            .find(|schema| schema.id.eq_ignore_ascii_case(urn))
    }
}
