//! The rows.

use super::Strict::{Conflict, Otherwise, Refuses, RefusesBy, Same};
use super::Tolerance;
use super::Trace::{Counted, Noted, Nothing};
use crate::error::ScimType::{InvalidFilter, InvalidPath, InvalidSyntax, InvalidValue, Mutability, NoTarget};

macro_rules! quirks {
    ($($quirk:ident $key:literal
        arrives $arrives:literal
        becomes $becomes:literal
        from $from:literal
        $trace:expr, $strict:expr;)*) => {
        /// A deviation from the RFCs that identity providers send, or a corner that others trip over.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Quirk { $(
            #[doc = $arrives]
            $quirk,
        )* }

        impl Quirk {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$quirk),*];

            /// Its row.
            #[must_use]
            pub const fn row(self) -> &'static Tolerance {
                match self { $(
                    Self::$quirk => &Tolerance {
                        key: $key,
                        arrives: $arrives,
                        becomes: $becomes,
                        from: $from,
                        trace: $trace,
                        strict: $strict,
                    },
                )* }
            }
        }
    };
}

quirks! {
    // Every message.
    NameCase "name-case"
        arrives "an attribute name in any case (`ActiVe`, `operations`, `OP`)"
        becomes "the attribute"
        from "Entra, Postman collections"
        Nothing, Same;
    SchemasMissing "schemas-missing"
        arrives "`schemas` missing, null, empty or a single string"
        becomes "the schemas that the rest of the body uses"
        from "scripts, older clients"
        Counted, Refuses(InvalidSyntax);
    SchemaUnknown "schema-unknown"
        arrives "a URN in `schemas` that this server does not know, such as Microsoft's \
            `http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group`"
        becomes "nothing: it is passed over"
        from "Entra (groups), custom extensions"
        Counted, Refuses(InvalidSyntax);
    ExtensionNotListed "extension-not-listed"
        arrives "an extension in the body whose URN `schemas` does not list"
        becomes "the extension"
        from "Entra (custom mappings)"
        Counted, Refuses(InvalidSyntax);
    UnknownAttribute "unknown-attribute"
        arrives "an attribute or a path that no schema here has"
        becomes "nothing: it is left out"
        from "everybody"
        Noted, RefusesBy(InvalidSyntax, InvalidPath);
    UnknownExtension "unknown-extension"
        arrives "an extension, or an attribute of one, that this server does not offer"
        becomes "nothing: it is left out"
        from "Entra, SailPoint, custom mappings"
        Noted, RefusesBy(InvalidSyntax, InvalidPath);
    Password "password"
        arrives "a `password`"
        becomes "nothing: it is never kept"
        from "Okta"
        Noted, RefusesBy(InvalidSyntax, InvalidPath);
    ReadOnlyInBody "read-only-in-body"
        arrives "`id`, `meta` or a user's `groups` (often `[]`) in a POST or PUT"
        becomes "nothing: only the server writes them"
        from "Okta (`groups: []`), Entra (`meta`), authentik (`id`)"
        Noted, Same;
    CoreUrnKey "core-urn-key"
        arrives "a core attribute under the core schema's URN in a body"
        becomes "the core attribute"
        from "custom mappings"
        Counted, Refuses(InvalidSyntax);
    UrnKey "urn-key"
        arrives "an attribute of an extension as a key `URN:attribute` in a POST or PUT"
        becomes "the attribute inside the extension"
        from "Entra (custom mappings)"
        Counted, Refuses(InvalidSyntax);
    ExtensionWithoutUrn "extension-without-urn"
        arrives "an extension's attribute by its bare name (`manager`, `department`, a group's `roles`), in a \
            filter too"
        becomes "the attribute inside the extension"
        from "Entra (`manager`), scripts"
        Counted, RefusesBy(InvalidSyntax, InvalidPath);

    // Values.
    StringBoolean "string-boolean"
        arrives "a boolean as text (`\"False\"`, `\"True\"`)"
        becomes "the boolean"
        from "Entra without its flag, Keycloak extensions"
        Counted, Refuses(InvalidValue);
    ScalarForText "scalar-for-text"
        arrives "a number or a boolean where text is asked for (`\"externalId\": 12345`)"
        becomes "its text; a number too large to be exact is refused"
        from "Okta (samples), HR imports"
        Counted, Refuses(InvalidValue);
    SingleForList "single-for-list"
        arrives "one value where a list is asked for"
        becomes "a list of that value"
        from "Entra, scripts"
        Counted, Refuses(InvalidValue);
    ListForSingle "list-for-single"
        arrives "a list of one where a single value is asked for (`manager`, `active`)"
        becomes "its element; an empty list is no value"
        from "Entra (`manager`)"
        Counted, Refuses(InvalidValue);
    TextForObject "text-for-object"
        arrives "a bare string or number where an object with `value` is asked for (`manager`, `emails`)"
        becomes "the object with that `value`"
        from "Entra (`manager`)"
        Counted, Refuses(InvalidValue);
    EmptyForNone "empty-for-none"
        arrives "an empty string where an object is asked for (`manager: \"\"`), or as the `value` of one \
            (`manager.value`, `roles[…].value`)"
        becomes "no value: the attribute, or that one of its values, is removed"
        from "Entra (removal of a manager)"
        Counted, Refuses(InvalidValue);
    ReferenceForValue "reference-for-value"
        arrives "a reference without `value`, with `$ref` alone"
        becomes "the id at the end of `$ref`"
        from "Entra (older shapes)"
        Counted, Refuses(InvalidValue);
    NullReference "null-reference"
        arrives "`$ref: null` beside a member's `value`"
        becomes "the member"
        from "Entra"
        Nothing, Same;
    ExplicitNull "explicit-null"
        arrives "an attribute that is null in a POST or PUT"
        becomes "an attribute without value (RFC 7643 section 2.5)"
        from "Entra (older samples)"
        Nothing, Same;
    NullActive "null-active"
        arrives "a PATCH of a boolean to null (`active: null`)"
        becomes "nothing: the value stays, since “unassigned” would activate"
        from "scripts"
        Noted, Refuses(InvalidValue);
    TwoPrimaries "two-primaries"
        arrives "more than one element with `primary` true in one list"
        becomes "the first of them; the others lose the mark"
        from "directories with free mappings"
        Counted, Refuses(InvalidValue);
    PrimaryMoves "primary-moves"
        arrives "a PATCH that makes another element primary"
        becomes "the only primary element (RFC 7644 section 3.5.2)"
        from "everybody"
        Nothing, Same;

    // Roles.
    RoleText "role-text"
        arrives "a role as a bare string"
        becomes "a role with that `value`"
        from "scripts"
        Counted, Refuses(InvalidValue);
    RoleJson "role-json"
        arrives "a role whose `value` is JSON text (`{\"id\":…,\"value\":…,\"displayName\":…}`)"
        becomes "the role that the text describes; an empty inner `value` falls back to `id`, and without one the text \
            stands for an empty one"
        from "Entra (AppRoleAssignmentsComplex)"
        Counted, Otherwise("keeps the text as the role's value");
    RoleDisplayName "role-display-name"
        arrives "`displayName` in a role, in a filter too"
        becomes "`display`"
        from "Entra (AppRoleAssignmentsComplex)"
        Counted, RefusesBy(InvalidSyntax, InvalidPath);
    RoleId "role-id"
        arrives "`id` in a role"
        becomes "evidence of the role; stands for an empty `value`"
        from "Entra"
        Counted, Refuses(InvalidSyntax);
    RoleTwice "role-twice"
        arrives "the same role value twice"
        becomes "one role"
        from "Entra (repeated `Add`)"
        Nothing, Same;
    RolePart "role-part"
        arrives "a part (`roles[…].display`) of no role that is there in the end, in a PATCH that does more"
        becomes "nothing: it is left out, and the rest of the PATCH is done; alone it is 400 `noTarget`"
        from "Entra (a role that is taken away, or is not primary)"
        Noted, Refuses(NoTarget);

    // PATCH.
    OperationCase "operation-case"
        arrives "`op` in capitals or with blanks (`Replace`, `Add`)"
        becomes "the operation"
        from "Entra without its flag"
        Counted, Refuses(InvalidSyntax);
    SingleOperation "single-operation"
        arrives "`Operations` as one object"
        becomes "a list of that operation"
        from "scripts"
        Counted, Refuses(InvalidSyntax);
    EmptyPath "empty-path"
        arrives "a `path` that is an empty string"
        becomes "an operation without path"
        from "scripts"
        Counted, Refuses(InvalidPath);
    KeysArePaths "keys-are-paths"
        arrives "dotted keys, URN keys or filtered keys inside a `replace` without path"
        becomes "one operation for each, with the key as its path; a URN is never split at its dots"
        from "Entra with its flag"
        Counted, Refuses(InvalidSyntax);
    PathlessList "pathless-list"
        arrives "an operation without path whose value is a list of objects"
        becomes "the objects, one after the other"
        from "scripts"
        Counted, Refuses(InvalidValue);
    PathlessNull "pathless-null"
        arrives "a null inside an operation without path"
        becomes "nothing: the attribute stays as it is"
        from "Okta, scripts"
        Noted, Otherwise("takes it for “no value” and removes the attribute");
    FilterCreates "filter-creates"
        arrives "`add` or `replace` at a value filter that selects nothing (`phoneNumbers[type eq \
            \"work\"].value`)"
        becomes "a new element with what the filter asks for filled in"
        from "Entra"
        Nothing, Refuses(NoTarget);
    FilterRemovesNothing "filter-removes-nothing"
        arrives "`remove` at a value filter that selects nothing"
        becomes "nothing: it is gone already"
        from "Entra, Okta"
        Nothing, Refuses(NoTarget);
    RemoveByValue "remove-by-value"
        arrives "`remove` of a list with a `value` (`Remove` `members` `[{\"value\": …}]`)"
        becomes "the removal of what the value names and of nothing else; an empty list removes nothing"
        from "Entra without its flag, authentik, JumpCloud"
        Counted, Refuses(InvalidSyntax);
    RemoveAllMembers "remove-all-members"
        arrives "`remove` of `members` without a value"
        becomes "a group without members (RFC 7644 section 3.5.2.2)"
        from "Postman collections"
        Nothing, Same;
    ReplaceMembersEmpty "replace-members-empty"
        arrives "`replace` of `members` with `[]`"
        becomes "a group without members"
        from "Okta (push of an empty group)"
        Nothing, Same;
    ReadOnlyPath "read-only-path"
        arrives "a PATCH of `id`, `meta` or a user's `groups`, also among the keys of an operation \
            without path (`{\"id\": …, \"displayName\": …}`)"
        becomes "nothing: the rest of the PATCH is done"
        from "Okta (group rename), authentik"
        Noted, Refuses(Mutability);

    // Members.
    MemberText "member-text"
        arrives "a member as a bare id, or a list of members as one object"
        becomes "the member"
        from "Postman collections, scripts"
        Counted, Refuses(InvalidValue);
    MemberKind "member-kind"
        arrives "a member whose `type` or `$ref` does not say what it is (`\"type\": \"Robot\"`, `Group` for a user)"
        becomes "the member as what it is"
        from "scripts"
        Counted, Refuses(InvalidValue);
    MembersNull "members-null"
        arrives "`members: null` in a POST or PUT"
        becomes "members that are not sent"
        from "older clients"
        Counted, Otherwise("takes it for an empty list");
    MembersNotSent "members-not-sent"
        arrives "a PUT of a group without `members`"
        becomes "a group whose members stay"
        from "Keycloak extensions, scripts"
        Nothing, Otherwise("clears the list, as RFC 7644 section 3.5.1 allows");
    UnknownMemberRemoved "unknown-member-removed"
        arrives "removal of somebody who is no member, or who is nobody"
        becomes "nothing. An unknown member that is added is 400 `invalidValue` in both dialects"
        from "everybody"
        Nothing, Same;

    // Filters.
    UnquotedLiteral "unquoted-literal"
        arrives "a filter value without quotation marks that is no JSON number (`externalId eq jyoung`, `007`, `+1`)"
        becomes "the text"
        from "Microsoft's documentation and Postman collection"
        Counted, Refuses(InvalidFilter);
    SingleQuotes "single-quotes"
        arrives "a filter value between single quotation marks (`userName eq 'ida'`)"
        becomes "the text between them"
        from "scripts"
        Counted, Refuses(InvalidFilter);
    LiteralCase "literal-case"
        arrives "`true` or `false` in a filter in another case (`active eq True`)"
        becomes "the boolean"
        from "scripts"
        Counted, Refuses(InvalidFilter);
    LiteralType "literal-type"
        arrives "a filter value of another type (`primary eq \"True\"`, `externalId eq 4711`)"
        becomes "the value as the attribute's type"
        from "Entra (`roles[primary eq \"True\"]`)"
        Counted, Refuses(InvalidFilter);
    LooseDate "loose-date"
        arrives "a date in a filter without time or zone, or written in another way than \
            `2026-01-02T03:04:05.678Z`"
        becomes "that time, in UTC where no zone is given"
        from "Microsoft's Postman collection"
        Counted, Refuses(InvalidFilter);
    LooseEscape "loose-escape"
        arrives "a backslash in a filter's string that escapes nothing (`\"CORP\\ida\"`)"
        becomes "a backslash"
        from "Entra, Active Directory names"
        Counted, Refuses(InvalidFilter);
    FilterBlanks "filter-blanks"
        arrives "a filter with other blanks than the grammar's single spaces between words (`userName eq\"ida\"`, \
            `( title pr )`)"
        becomes "the same filter"
        from "scripts"
        Counted, Refuses(InvalidFilter);
    FilterBehindBrackets "filter-behind-brackets"
        arrives "`emails[type eq \"work\"].value eq \"…\"` in a filter"
        becomes "the same question asked inside the brackets"
        from "Entra (matching on an e-mail)"
        Counted, Refuses(InvalidFilter);

    // Queries.
    BothSelections "both-selections"
        arrives "`attributes` together with `excludedAttributes` (RFC 7644 section 3.9: one or the other)"
        becomes "`attributes` alone"
        from "scripts"
        Counted, Refuses(InvalidValue);
    SelectionFilter "selection-filter"
        arrives "a name in `attributes` with a value filter (`emails[type eq \"work\"]`)"
        becomes "the attribute with all its values"
        from "Microsoft's Postman collection"
        Counted, Refuses(InvalidValue);
    SelectionNoPath "selection-no-path"
        arrives "a name in `attributes` or `excludedAttributes` that is no attribute path (`*`), or in \
            `excludedAttributes` one with a value filter"
        becomes "nothing: the name is passed over"
        from "scripts"
        Counted, Refuses(InvalidValue);
    SearchNamesText "search-names-text"
        arrives "`attributes` or `excludedAttributes` of a search body as text (`\"userName,emails\"`)"
        becomes "the names between its commas"
        from "scripts"
        Counted, Refuses(InvalidValue);
    SearchNumberText "search-number-text"
        arrives "`startIndex` or `count` of a search body as text (`\"1\"`)"
        becomes "the number"
        from "scripts"
        Counted, Refuses(InvalidValue);

    // Bulk.
    BulkSchemas "bulk-schemas"
        arrives "a Bulk request whose `schemas` is missing or does not name the BulkRequest URN"
        becomes "a Bulk request"
        from "scripts"
        Counted, Refuses(InvalidSyntax);
    BulkMethodCase "bulk-method-case"
        arrives "the `method` of a Bulk operation in another case or with blanks (`post`)"
        becomes "the method"
        from "scripts"
        Counted, Refuses(InvalidSyntax);
    BulkIdMissing "bulk-id-missing"
        arrives "a Bulk POST without `bulkId`, or with an empty one"
        becomes "the POST; no other operation can refer to what it creates"
        from "scripts"
        Counted, Refuses(InvalidSyntax);
    BulkCountText "bulk-count-text"
        arrives "`failOnErrors` as text (`\"1\"`)"
        becomes "the number"
        from "scripts"
        Counted, Refuses(InvalidValue);

    // Life.
    LeaverAtFault "leaver-at-fault"
        arrives "a PUT or PATCH of a user that must be refused but says clearly that `active` is false"
        becomes "the deactivation and nothing else"
        from "wrong mappings"
        Counted, Otherwise("refuses the request as a whole");
    RemovalAtFault "removal-at-fault"
        arrives "a PATCH of a group that must be refused, such as for a new member that is nobody, and removes \
            members, too"
        becomes "the removal of those, and the refusal: the rest is not done"
        from "Entra (a member that is not provisioned yet)"
        Counted, Otherwise("refuses the request as a whole");
    ActiveNotSent "active-not-sent"
        arrives "a PUT of a user without `active`, or with null"
        becomes "a user whose status stays: nobody comes back because a field was left out"
        from "Keycloak extensions, scripts"
        Nothing, Same;
    Rehire "rehire"
        arrives "a POST of a deactivated user with the same `userName` and `externalId` (blank is none)"
        becomes "the old user, active again under its old id, 201; an active one is 409"
        from "Okta (assigned again)"
        Counted, Conflict;
    RepeatedCreate "repeated-create"
        arrives "the same POST again while the user is active, or the group there, and just as sent (a time-out)"
        becomes "409 `uniqueness`; with `repeated_create = \"answer\"` and an `externalId` the user or group as it \
            is, 200"
        from "Okta, every client that retries"
        Counted, Conflict;
}
