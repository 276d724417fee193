//! The tables (RFC 7643 sections 3.1, 4 and 8.7).
//!
//! `password` and `x509Certificates` are left out on purpose: neither is of use here, and what is not
//! kept cannot leak. A client may send them; they are dropped.

use super::AttributeType::{Boolean, Complex, DateTime, Reference, String};
use super::{Attribute, ENTERPRISE_URN, GROUP_ROLES_URN, GROUP_URN, Schema, USER_URN};

const fn attribute(name: &'static str, kind: super::AttributeType, description: &'static str) -> Attribute {
    Attribute::new(name, kind, description)
}

const DISPLAY: Attribute = attribute("display", String, "A name for people.");
const PRIMARY: Attribute = attribute(
    "primary",
    Boolean,
    "Marks the preferred value; at most one is true.",
);
const TYPE: Attribute = attribute("type", String, "What the value is for.");

/// Attributes of every resource; they are no part of any schema (RFC 7643 section 3.1).
pub static COMMON: &[Attribute] = &[
    attribute("id", String, "Id given by this server.")
        .exact()
        .read_only()
        .always()
        .unique(),
    attribute("externalId", String, "Id given by the identity provider.").exact(),
    attribute("schemas", Reference, "URNs of the schemas in use.")
        .multi()
        .always(),
    attribute("meta", Complex, "About the resource.")
        .read_only()
        .of(&[
            attribute("resourceType", String, "Name of the resource type.")
                .exact()
                .read_only(),
            attribute("created", DateTime, "When it was created.").read_only(),
            attribute("lastModified", DateTime, "When it last changed.").read_only(),
            attribute("location", Reference, "Its URI.")
                .read_only()
                .refers(&["uri"]),
            attribute("version", String, "Its entity tag.")
                .exact()
                .read_only(),
        ]),
];

const NAME: &[Attribute] = &[
    attribute("formatted", String, "The full name, as shown."),
    attribute("familyName", String, "Family name."),
    attribute("givenName", String, "Given name."),
    attribute("middleName", String, "Middle names."),
    attribute("honorificPrefix", String, "Title before the name."),
    attribute("honorificSuffix", String, "Suffix after the name."),
];

const EMAIL: &[Attribute] = &[
    attribute("value", String, "E-mail address."),
    DISPLAY,
    TYPE.canonical(&["work", "home", "other"]),
    PRIMARY,
];

const PHONE: &[Attribute] = &[
    attribute("value", String, "Telephone number, kept as sent."),
    DISPLAY,
    TYPE.canonical(&["work", "home", "mobile", "fax", "pager", "other"]),
    PRIMARY,
];

const IM: &[Attribute] = &[
    attribute("value", String, "Messaging address."),
    DISPLAY,
    TYPE.canonical(&["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]),
    PRIMARY,
];

const PHOTO: &[Attribute] = &[
    attribute("value", Reference, "URI of a picture.").refers(&["external"]),
    DISPLAY,
    TYPE.canonical(&["photo", "thumbnail"]),
    PRIMARY,
];

const ADDRESS: &[Attribute] = &[
    attribute("formatted", String, "The full address, as printed."),
    attribute("streetAddress", String, "Street and number."),
    attribute("locality", String, "City."),
    attribute("region", String, "State or region."),
    attribute("postalCode", String, "Postal code."),
    attribute("country", String, "Country, ISO 3166-1 alpha-2."),
    TYPE.canonical(&["work", "home", "other"]),
    PRIMARY,
];

const USER_GROUP: &[Attribute] = &[
    attribute("value", String, "Id of the group.").exact().read_only(),
    attribute("$ref", Reference, "URI of the group.")
        .read_only()
        .refers(&["Group"]),
    DISPLAY.read_only(),
    TYPE.read_only().canonical(&["direct"]),
];

const ENTITLEMENT: &[Attribute] = &[
    attribute("value", String, "The entitlement."),
    DISPLAY,
    TYPE,
    PRIMARY,
];

// Role strings carry references, which differ by case.
const ROLE: &[Attribute] = &[
    attribute("value", String, "The app role, CONTEXT_IDENTIFIER_ROLE.").exact(),
    DISPLAY,
    TYPE,
    PRIMARY,
];

/// Core User (RFC 7643 section 4.1).
pub static CORE_USER: Schema = Schema {
    id: USER_URN,
    name: "User",
    description: "User Account",
    attributes: &[
        attribute("userName", String, "The name a user signs in with.")
            .required()
            .unique(),
        attribute("name", Complex, "The parts of the name.").of(NAME),
        attribute("displayName", String, "The name shown."),
        attribute("nickName", String, "What the user is called."),
        attribute("profileUrl", Reference, "URI of a profile page.").refers(&["external"]),
        attribute("title", String, "Job title."),
        attribute("userType", String, "Relation to the organisation."),
        attribute("preferredLanguage", String, "Preferred language."),
        attribute("locale", String, "Locale for numbers and dates."),
        attribute("timezone", String, "Time zone, IANA name."),
        // Required, so that no PATCH removes it: taken away it would count as true, and a leaver would be back.
        attribute(
            "active",
            Boolean,
            "Whether the user may work; true for a user that is sent without it.",
        )
        .required(),
        attribute("emails", Complex, "E-mail addresses.")
            .multi()
            .of(EMAIL),
        attribute("phoneNumbers", Complex, "Telephone numbers.")
            .multi()
            .of(PHONE),
        attribute("ims", Complex, "Messaging addresses.").multi().of(IM),
        attribute("photos", Complex, "Pictures.").multi().of(PHOTO),
        attribute("addresses", Complex, "Postal addresses.")
            .multi()
            .of(ADDRESS),
        attribute("groups", Complex, "Groups the user is in.")
            .multi()
            .read_only()
            .of(USER_GROUP),
        attribute("entitlements", Complex, "Entitlements.")
            .multi()
            .of(ENTITLEMENT),
        attribute("roles", Complex, "App roles assigned to the user itself.")
            .multi()
            .roles()
            .of(ROLE),
    ],
};

/// Enterprise user extension (RFC 7643 section 4.3).
pub static ENTERPRISE_USER: Schema = Schema {
    id: ENTERPRISE_URN,
    name: "EnterpriseUser",
    description: "Enterprise User",
    attributes: &[
        attribute("employeeNumber", String, "Number given by the organisation."),
        attribute("costCenter", String, "Cost centre."),
        attribute("organization", String, "Organisation."),
        attribute("division", String, "Division."),
        attribute("department", String, "Department."),
        attribute("manager", Complex, "The user's manager.").of(&[
            attribute("value", String, "Id of the manager's user.").exact(),
            // Who the manager is may change without a change of this user, whose version would then tell nothing of it:
            // neither is resolved, so neither is published.
            attribute("$ref", Reference, "URI of the manager's user.")
                .read_only()
                .never()
                .refers(&["User"]),
            attribute("displayName", String, "The manager's name.")
                .read_only()
                .never(),
        ]),
    ],
};

/// Core Group (RFC 7643 section 4.2).
pub static CORE_GROUP: Schema = Schema {
    id: GROUP_URN,
    name: "Group",
    description: "Group",
    attributes: &[
        attribute("displayName", String, "The group's name.")
            .required()
            .unique(),
        attribute("members", Complex, "Users and groups in the group.")
            .multi()
            .of(&[
                attribute("value", String, "Id of the member.")
                    .exact()
                    .immutable(),
                attribute("$ref", Reference, "URI of the member.")
                    .immutable()
                    .refers(&["User", "Group"]),
                attribute("type", String, "What the member is.")
                    .immutable()
                    .canonical(&["User", "Group"]),
            ]),
    ],
};

/// The extension that gives a group app roles: every member has them.
pub static GROUP_ROLES: Schema = Schema {
    id: GROUP_ROLES_URN,
    name: "GroupRoles",
    description: "App roles of a group",
    attributes: &[attribute("roles", Complex, "App roles every member has.")
        .multi()
        .roles()
        .of(ROLE)],
};
