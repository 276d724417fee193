//! The bounds of everything a client can send, each with its reason.

/// Deepest nesting of a JSON body. SCIM needs 6 (operation, extension, list, element, role text).
pub const JSON_DEPTH_MAX: usize = 32;
/// Most JSON values in one body: [`MEMBERS_PER_REQUEST_MAX`] members of four values each, and room.
pub const JSON_VALUES_MAX: usize = 250_000;
/// Longest string in a body, in bytes: far above any name or reference, far below a picture.
pub const STRING_BYTES_MAX: usize = 16 * 1024;
/// Longest attribute name or URN in a body, in bytes; path-less PATCH keys hold a URN and a path.
pub const KEY_BYTES_MAX: usize = 512;
/// Most members in one request; a larger list is sent in several.
pub const MEMBERS_PER_REQUEST_MAX: usize = 50_000;
/// Most JSON values in one request outside member lists; keeps a PATCH's work in milliseconds.
pub const ATTRIBUTE_VALUES_MAX: usize = 10_000;
/// Most elements of one multi-valued attribute (other than `members`).
pub const ELEMENTS_MAX: usize = 500;
/// Most operations in one PATCH; published clients send up to 1,000.
pub const PATCH_OPERATIONS_MAX: usize = 1_000;
/// Longest filter, in bytes: fits in a request line.
pub const FILTER_BYTES_MAX: usize = 4 * 1024;
/// Deepest nesting of groups, `not` and value paths in a filter.
pub const FILTER_DEPTH_MAX: usize = 16;
/// Most comparisons in one filter.
pub const FILTER_TERMS_MAX: usize = 100;
/// Most comparisons in the value filter of a PATCH path; real ones have one or two.
pub const PATH_TERMS_MAX: usize = 8;
/// Most comparisons in the value filters of one PATCH together: each may look at every element of a list.
pub const PATCH_TERMS_MAX: usize = 2 * PATCH_OPERATIONS_MAX;
/// Most names in `attributes` or `excludedAttributes`.
pub const SELECTION_NAMES_MAX: usize = 100;
/// Page size when the client names none (interoperability profile: at least 100).
pub const PAGE_DEFAULT: usize = 100;
/// Largest page; a larger `count` is answered with this many.
pub const PAGE_MAX: usize = 200;
/// Most notes kept for one request; further ones are only missing from the list.
pub const NOTES_MAX: usize = 50;
/// Most entity tags in one `If-Match` or `If-None-Match`.
pub const ENTITY_TAGS_MAX: usize = 32;
/// Most operations in one bulk request: each is carried out as a request of its own.
pub const BULK_OPERATIONS_MAX: usize = 1_000;
/// Largest bulk request, in bytes: a thousand ordinary users.
pub const BULK_BYTES_MAX: usize = 1024 * 1024;
/// Most bytes of text that the operations of one PATCH may look at together: each may look at every value of a
/// list. Some 100 ms of one core; real ones look at some kilobytes.
pub const PATCH_BYTES_LOOKED_AT_MAX: usize = 64 * 1024 * 1024;
