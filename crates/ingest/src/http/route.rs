//! Which endpoint a path and a method mean. Pure.

use http::Method;
use percent::decode;

/// Everything that the SCIM door answers, by path below `/scim/v2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// The root itself: resources of all types.
    Root,
    /// `/.search`
    RootSearch,
    /// `/Users`
    Users,
    /// `/Users/{id}`
    User(String),
    /// `/Users/.search`
    UsersSearch,
    /// `/Groups`
    Groups,
    /// `/Groups/{id}`
    Group(String),
    /// `/Groups/.search`
    GroupsSearch,
    /// `/ServiceProviderConfig`
    ServiceProviderConfig,
    /// `/ResourceTypes`
    ResourceTypes,
    /// `/ResourceTypes/{name}`
    ResourceType(String),
    /// `/Schemas`
    Schemas,
    /// `/Schemas/{urn}`
    Schema(String),
    /// `/Me` and below: not implemented, as RFC 7644 section 3.11 allows.
    Me,
    /// `/Bulk`
    Bulk,
}

/// Labels of all endpoints, for traces and metrics: few, and without ids.
pub(crate) const TEMPLATES: [&str; 18] = [
    "/",
    "/.search",
    "/Users",
    "/Users/{id}",
    "/Users/.search",
    "/Groups",
    "/Groups/{id}",
    "/Groups/.search",
    "/ServiceProviderConfig",
    "/ResourceTypes",
    "/ResourceTypes/{id}",
    "/Schemas",
    "/Schemas/{urn}",
    "/Me",
    "/Bulk",
    "/oauth/token",
    "/.well-known/oauth-authorization-server",
    UNKNOWN,
];

/// Label of a path that leads nowhere.
pub(crate) const UNKNOWN: &str = "unknown";

impl Endpoint {
    /// The endpoint's label: one of [`TEMPLATES`].
    pub(crate) const fn template(&self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::RootSearch => "/.search",
            Self::Users => "/Users",
            Self::User(_) => "/Users/{id}",
            Self::UsersSearch => "/Users/.search",
            Self::Groups => "/Groups",
            Self::Group(_) => "/Groups/{id}",
            Self::GroupsSearch => "/Groups/.search",
            Self::ServiceProviderConfig => "/ServiceProviderConfig",
            Self::ResourceTypes => "/ResourceTypes",
            Self::ResourceType(_) => "/ResourceTypes/{id}",
            Self::Schemas => "/Schemas",
            Self::Schema(_) => "/Schemas/{urn}",
            Self::Me => "/Me",
            Self::Bulk => "/Bulk",
        }
    }

    /// The methods it takes, as they stand in `Allow`.
    pub(crate) const fn allow(&self) -> &'static str {
        match self {
            Self::Users | Self::Groups => "GET, HEAD, POST",
            Self::User(_) | Self::Group(_) => "GET, HEAD, PUT, PATCH, DELETE",
            Self::UsersSearch | Self::GroupsSearch | Self::RootSearch | Self::Bulk => "POST",
            Self::Root
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_) => "GET, HEAD",
            Self::Me => "GET, HEAD, POST, PUT, PATCH, DELETE",
        }
    }

    /// Whether it is one user or one group.
    pub(crate) const fn is_one_resource(&self) -> bool {
        matches!(self, Self::User(_) | Self::Group(_))
    }

    /// Whether it takes `method`.
    pub(crate) fn allows(&self, method: &Method) -> bool {
        self.allow().split(", ").any(|allowed| allowed == method.as_str())
    }
}

/// The endpoint of a path below `/scim/v2`, such as `/Users/2819c223`; empty is the root. A slash at the end is
/// tolerated.
pub(crate) fn endpoint(path: &str) -> Option<Endpoint> {
    let path = match path {
        "" => path,
        below => below.strip_prefix('/')?, // `/scim/v2Users` is something else
    };
    let path = path
        .strip_suffix('/')
        .filter(|path| !path.is_empty())
        .unwrap_or(path);
    let (first, second) = match path.split_once('/') {
        None => (path, None),
        Some((first, second)) => (first, Some(second)),
    };
    if first == "Me" {
        return Some(Endpoint::Me);
    }
    let Some(second) = second else {
        return match first {
            "" => Some(Endpoint::Root),
            ".search" => Some(Endpoint::RootSearch),
            "Users" => Some(Endpoint::Users),
            "Groups" => Some(Endpoint::Groups),
            "ServiceProviderConfig" => Some(Endpoint::ServiceProviderConfig),
            "ResourceTypes" => Some(Endpoint::ResourceTypes),
            "Schemas" => Some(Endpoint::Schemas),
            "Bulk" => Some(Endpoint::Bulk),
            _ => None,
        };
    };
    if second.is_empty() || second.contains('/') {
        return None;
    }
    match (first, second) {
        ("Users", ".search") => Some(Endpoint::UsersSearch),
        ("Groups", ".search") => Some(Endpoint::GroupsSearch),
        ("Users", id) => Some(Endpoint::User(decode(id)?)),
        ("Groups", id) => Some(Endpoint::Group(decode(id)?)),
        ("ResourceTypes", id) => Some(Endpoint::ResourceType(decode(id)?)),
        ("Schemas", urn) => Some(Endpoint::Schema(decode(urn)?)),
        _ => None,
    }
}

/// Percent-decoding (RFC 3986 section 2.1) of path segments and query values.
pub(crate) mod percent {
    /// The text behind `encoded`; `None` when an escape is broken or the bytes are no UTF-8.
    pub(crate) fn decode(encoded: &str) -> Option<String> {
        decode_bytes(encoded, |_| false)
    }

    /// The same for a query, where `+` stands for a space, as forms have it. Who writes spaces as `%20` follows RFC
    /// 3986, where it is itself: then it is, between quotation marks.
    pub(crate) fn decode_query(encoded: &str) -> Option<String> {
        let knows_no_plus = encoded.contains("%20");
        decode_bytes(encoded, |quoted| !(quoted && knows_no_plus))
    }

    fn decode_bytes(encoded: &str, plus_is_space: impl Fn(bool) -> bool) -> Option<String> {
        let (mut quoted, mut escaped) = (false, false);
        let mut bytes = Vec::with_capacity(encoded.len());
        let mut rest = encoded.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'%' => {
                    let (high, low) = (rest.next()?, rest.next()?);
                    bytes.push(hex(high)? << 4 | hex(low)?);
                }
                b'+' if plus_is_space(quoted) => bytes.push(b' '),
                _ => bytes.push(byte),
            }
            quoted ^= bytes.last() == Some(&b'"') && !escaped;
            escaped = bytes.last() == Some(&b'\\') && !escaped;
        }
        String::from_utf8(bytes).ok()
    }

    fn hex(digit: u8) -> Option<u8> {
        char::from(digit)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_is_found_by_its_path_and_has_a_label() {
        let all = [
            ("", Endpoint::Root),
            ("/", Endpoint::Root),
            ("/.search", Endpoint::RootSearch),
            ("/Users", Endpoint::Users),
            ("/Users/", Endpoint::Users),
            ("/Users/a%2Fb", Endpoint::User("a/b".to_owned())),
            ("/Users/.search", Endpoint::UsersSearch),
            ("/Groups", Endpoint::Groups),
            ("/Groups/x", Endpoint::Group("x".to_owned())),
            ("/Groups/.search", Endpoint::GroupsSearch),
            ("/ServiceProviderConfig", Endpoint::ServiceProviderConfig),
            ("/ResourceTypes", Endpoint::ResourceTypes),
            ("/ResourceTypes/User", Endpoint::ResourceType("User".to_owned())),
            ("/Schemas", Endpoint::Schemas),
            ("/Schemas/urn%3Aa:b", Endpoint::Schema("urn:a:b".to_owned())),
            ("/Me", Endpoint::Me),
            ("/Me/x/y", Endpoint::Me),
            ("/Bulk", Endpoint::Bulk),
        ];
        for (path, expected) in all {
            let found = endpoint(path);
            assert_eq!(found.as_ref(), Some(&expected), "{path}");
            assert!(
                found.is_some_and(|e| TEMPLATES.contains(&e.template())),
                "{path} has no label"
            );
        }
    }

    #[test]
    fn other_paths_lead_nowhere() {
        for path in [
            "//",
            "///",
            "/users",
            "Users",
            ".search",
            "/Users//",
            "/Users//x",
            "/Users/x/y",
            "/Users/%",
            "/Users/%f",
            "/Users/%ff",
            "/Groups/%C3%28",
            "/Schemas/a/b",
            "/.search/x",
            "/Roles",
        ] {
            assert_eq!(endpoint(path), None, "{path}");
        }
    }

    #[test]
    fn a_method_is_taken_only_when_allow_names_it() {
        assert!(Endpoint::Users.allows(&Method::POST));
        assert!(!Endpoint::Users.allows(&Method::PATCH));
        assert!(Endpoint::Users.allows(&Method::HEAD));
        assert!(!Endpoint::Bulk.allows(&Method::HEAD));
        assert!(Endpoint::User(String::new()).allows(&Method::PATCH));
        assert!(!Endpoint::Schemas.allows(&Method::POST));
    }
}
