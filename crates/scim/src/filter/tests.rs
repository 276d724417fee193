#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use super::*;
use crate::error::ScimType;
use crate::limits::{FILTER_BYTES_MAX, FILTER_DEPTH_MAX, FILTER_TERMS_MAX};
use crate::path::resolve_attribute;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn ida() -> Map<String, Value> {
    let value = json!({
        "id": "u-1",
        "externalId": "Ext-1",
        "userName": "Ida@Store.example",
        "active": true,
        "name": {"familyName": "Lind"},
        "emails": [
            {"type": "work", "value": "ida@store.example", "primary": true},
            {"type": "home", "value": "ida@home.example"}
        ],
        "roles": [{"value": "Agent_CHIC-01_STORE"}],
        "meta": {"lastModified": "2026-03-01T10:00:00.000Z"},
        crate::schema::ENTERPRISE_URN: {"manager": {"value": "u-17"}, "department": "Shoes"}
    });
    value.as_object().unwrap().clone()
}

fn matches(text: &str) -> bool {
    let filter = Filter::parse(ResourceKind::User, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.matches(&ida())
}

#[test]
fn every_operator_follows_its_rule() {
    for (text, expected) in [
        (r#"userName eq "ida@store.EXAMPLE""#, true),
        (r#"USERNAME Eq "ida@store.example""#, true),
        (r#"userName ne "ida@store.example""#, false),
        (r#"userName co "STORE""#, true),
        (r#"userName sw "ida""#, true),
        (r#"userName ew ".Example""#, true),
        (r#"userName gt "ie""#, false),
        (r#"userName lt "ie""#, true),
        (r#"userName ge "IDA@store.example""#, true),
        (r#"userName le "IDA@store.example""#, true),
        (r#"externalId eq "Ext-1""#, true),
        (r#"externalId eq "ext-1""#, false),
        (r#"id eq "U-1""#, false),
        (r#"roles.value eq "agent_CHIC-01_STORE""#, false),
        (r#"roles eq "Agent_CHIC-01_STORE""#, true),
        ("title pr", false),
        ("emails pr", true),
        ("name.familyName pr", true),
        (r#"emails.type eq "home""#, true),
        (r#"emails co "home.example""#, true),
    ] {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn an_attribute_without_value_satisfies_ne_and_eq_null_only() {
    for (text, expected) in [
        (r#"title ne "x""#, true),
        ("title eq null", true),
        ("title ne null", false),
        ("userName ne null", true),
        ("userName eq null", false),
        (r#"title eq "x""#, false),
        (r#"title co """#, false),
        (r#"title lt "x""#, false),
    ] {
        assert_eq!(matches(text), expected, "{text}");
    }
}

/// RFC 7643 section 2.4.
#[test]
fn a_value_that_says_nothing_of_primary_is_not_primary() {
    let document = json!({"emails": [{"type": "work", "primary": true}, {"type": "home"}]});
    let document = document.as_object().unwrap();
    for (text, expected) in [
        (r#"emails[type eq "home" and primary eq false]"#, true),
        (r#"emails[type eq "home" and primary ne true]"#, true),
        (r#"emails[type eq "home" and primary ne false]"#, false),
        (r#"emails[type eq "home" and not (primary eq true)]"#, true),
        (r#"emails[type eq "work" and primary eq false]"#, false),
        (r#"emails[type eq "home" and primary pr]"#, false),
        (r#"emails[type eq "home" and primary eq null]"#, true),
        ("emails.primary eq false", true),
        ("emails.primary eq true", true),
        ("roles.primary eq false", false),
        ("roles[primary eq false]", false),
    ] {
        let filter = Filter::parse(ResourceKind::User, text).unwrap();
        assert_eq!(filter.matches(document), expected, "{text}");
    }
}

/// Uniqueness passes over blanks around a name: who looks for it must find whom the creation would meet.
#[test]
fn a_unique_name_is_found_whatever_blanks_are_around_it() {
    let document = json!({"userName": " ida ", "title": " Boss", "externalId": " e1"});
    let document = document.as_object().unwrap();
    for (text, expected) in [
        (r#"userName eq "ida""#, true),
        (r#"userName eq "IDA  ""#, true),
        (r#"userName ne " ida""#, false),
        (r#"userName sw "ida""#, false),
        (r#"title eq "Boss""#, false),
        (r#"externalId eq "e1""#, false),
    ] {
        let filter = Filter::parse(ResourceKind::User, text).unwrap();
        assert_eq!(filter.matches(document), expected, "{text}");
    }
}

/// Names are one in the way in which uniqueness folds them, or a client that looks first would create in vain.
#[test]
fn names_are_equal_as_uniqueness_folds_them() {
    for (name, asked, found) in [
        ("οδυσσευς", "ΟΔΥΣΣΕΥΣ", true),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς", true),
        ("Πωλητες", "ΠΩΛΗΤΕΣ", true),
        ("Çelik", "çELIK", true),
        ("οδυσσευσ", "οδυσσευς", false),
        ("ida", "Ida", true),
    ] {
        let there = json!({"userName": name, "title": name});
        for attribute in ["userName", "title"] {
            let filter = Filter::parse(ResourceKind::User, &format!("{attribute} eq \"{asked}\"")).unwrap();
            assert_eq!(
                filter.matches(there.as_object().unwrap()),
                found,
                "{name} {asked}"
            );
        }
        assert_eq!(name.to_lowercase() == asked.to_lowercase(), found);
    }
}

#[test]
fn dates_are_compared_in_time_and_booleans_by_meaning() {
    for (text, expected) in [
        (r#"meta.lastModified eq "2026-03-01T11:00:00+01:00""#, true),
        (r#"meta.lastModified gt "2026-03-01T09:59:59.9999999Z""#, true),
        (r#"meta.LastModified lt "2026-03-01T09:00:00Z""#, false),
        ("meta.lastModified ge 2026-03-01", true),
        ("meta.lastModified ge 2026-03-01T10:00:01", false),
        (r#"meta.lastModified sw "2026-03""#, true),
        ("active eq true", true),
        (r#"active eq "True""#, true),
        ("ActiVe ne False", true),
        ("active eq false", false),
        (
            r#"active eq true and (meta.lastModified ge "2026-01-01T00:00:00Z" and
               meta.lastModified le "2027-01-01T00:00:00Z")"#,
            true,
        ),
    ] {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn values_must_meet_a_value_path_in_one_element() {
    for (text, expected) in [
        (r#"emails[type eq "work" and value co "store"]"#, true),
        (r#"emails[type eq "work" and value co "home"]"#, false),
        (r#"emails.type eq "work" and emails.value co "home""#, true),
        (r#"emails[type eq "work"].value eq "IDA@store.example""#, true),
        (r#"emails[type eq "home"].value eq "ida@store.example""#, false),
        (
            r#"emails[type eq "home" or primary eq "True"].value sw ida"#,
            true,
        ),
        (r#"emails[not (type eq "work")]"#, true),
        (r#"emails[type eq "fax"]"#, false),
    ] {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn and_binds_before_or_and_groups_bind_first() {
    for (text, expected) in [
        (r#"active eq true or active eq true and active eq false"#, true),
        (r#"(active eq true or active eq true) and active eq false"#, false),
        (r#"not (active eq false) AND NOT(title pr)"#, true),
        (r#"not(active eq true)"#, false),
    ] {
        assert_eq!(matches(text), expected, "{text}");
    }
}

#[test]
fn what_identity_providers_write_is_understood() {
    let enterprise = crate::schema::ENTERPRISE_URN;
    let core = crate::schema::USER_URN;
    for text in [
        "externalId eq Ext-1".to_owned(),
        "userName sw I".to_owned(),
        "name.FamilyName eq Lind and (emails.Value co store.example or id eq 7)".to_owned(),
        format!(r#"{core}:userName eq "ida@store.example""#),
        format!(r#"{enterprise}:department eq "shoes""#),
        format!(r#"{enterprise}:manager.value eq "u-17""#),
        r#"id eq "u-1" and manager eq "u-17""#.to_owned(),
        r#"  userName   eq   "ida@store.example"  "#.to_owned(),
    ] {
        assert!(matches(&text), "{text}");
    }
    assert!(
        !matches(r#"userName eq "CORP\ida""#),
        "an unescaped backslash is taken as it stands"
    );
    assert!(!matches("externalId eq 123456789012345678901234567890"));
}

#[test]
fn digits_of_an_unquoted_number_are_all_kept() {
    let number = "123456789012345678901234567890";
    let filter = Filter::parse(ResourceKind::User, &format!("externalId eq {number}")).unwrap();
    assert_eq!(
        filter.lookup().unwrap().key,
        IndexKey::ExternalId(number.to_owned())
    );
}

#[test]
fn what_is_not_understood_is_invalid_filter_without_its_values() {
    for text in [
        "",
        " ",
        "userName",
        "userName eq",
        "eq \"x\"",
        r#"userName is "secret""#,
        r#"secret eq "x""#,
        r#"name eq "secret""#,
        r#"meta eq "secret""#,
        r#"userName eq "secret"#,
        r#"userName eq "secret" and"#,
        r#"userName eq "secret" or or"#,
        r#"(userName eq "secret""#,
        r#"userName eq "secret")"#,
        r#"emails[type eq "secret""#,
        r#"emails[secret eq "x"]"#,
        r#"emails[type eq "work"].secret eq "x""#,
        r#"userName[value eq "secret"]"#,
        r#"emails.value[value eq "secret"]"#,
        "active gt true",
        r#"active eq "secret""#,
        r#"meta.created gt "secret""#,
        "userName gt null",
        r#"userName eq "a" "secret""#,
        r#"urn:x:secret:userName eq "x""#,
        "not userName pr",
        "[]",
        "()",
    ] {
        let error = Filter::parse(ResourceKind::User, text).expect_err(text);
        assert_eq!(
            (error.status, error.scim_type),
            (400, Some(ScimType::InvalidFilter)),
            "{text}"
        );
        assert!(!error.detail.contains("secret"), "{text}: {}", error.detail);
    }
}

#[test]
fn bounds_are_kept() {
    let parse = |text: &str| Filter::parse(ResourceKind::User, text);
    let nested = |n: usize| format!("{}active pr{}", "(".repeat(n), ")".repeat(n));
    assert!(parse(&nested(FILTER_DEPTH_MAX)).is_ok());
    assert!(parse(&nested(FILTER_DEPTH_MAX + 1)).is_err());
    assert!(parse(&"(".repeat(FILTER_BYTES_MAX)).is_err());
    assert!(parse(&"not(".repeat(FILTER_BYTES_MAX / 4)).is_err());
    let terms = |n: usize| vec!["active pr"; n].join(" or ");
    assert!(parse(&terms(FILTER_TERMS_MAX)).is_ok());
    assert!(parse(&terms(FILTER_TERMS_MAX + 1)).is_err());
    assert!(parse(&format!(r#"userName eq "{}""#, "x".repeat(FILTER_BYTES_MAX))).is_err());
}

#[test]
fn filters_that_an_index_answers_are_recognised() {
    let lookup = |kind, text: &str| Filter::parse(kind, text).unwrap().lookup();
    let (user, group) = (ResourceKind::User, ResourceKind::Group);
    let s = str::to_owned;
    for (kind, text, key, exact) in [
        (user, r#"userName eq "Ida""#, IndexKey::UserName(s("Ida")), true),
        (user, "externalId eq 42", IndexKey::ExternalId(s("42")), true),
        (
            group,
            r#"displayName eq "A""#,
            IndexKey::DisplayName(s("A")),
            true,
        ),
        (user, r#"id eq "X""#, IndexKey::Id(s("X")), true),
        (group, r#"members[value eq "u"]"#, IndexKey::Member(s("u")), true),
        (group, r#"members.value eq "u""#, IndexKey::Member(s("u")), true),
        (group, r#"members eq "u""#, IndexKey::Member(s("u")), true),
        (user, r#"emails eq "a@x""#, IndexKey::Email(s("a@x")), true),
        (user, r#"emails.value eq "a@x""#, IndexKey::Email(s("a@x")), true),
        (user, r#"emails[value eq "a@x"]"#, IndexKey::Email(s("a@x")), true),
        (
            user,
            r#"emails[type eq "work"].value eq "a@x""#,
            IndexKey::Email(s("a@x")),
            false,
        ),
        (
            user,
            r#"emails[type eq "work" and value eq "a@x"]"#,
            IndexKey::Email(s("a@x")),
            false,
        ),
        (user, r#"groups[value eq "g"]"#, IndexKey::Group(s("g")), true),
        (user, r#"groups.value eq "g""#, IndexKey::Group(s("g")), true),
        (
            user,
            r#"manager eq "Y" and id eq "X""#,
            IndexKey::Id(s("X")),
            false,
        ),
        (
            user,
            r#"active eq true and userName eq "Ida""#,
            IndexKey::UserName(s("Ida")),
            false,
        ),
    ] {
        assert_eq!(lookup(kind, text), Some(Lookup { key, exact }), "{text}");
    }
    for text in [
        r#"userName ne "Ida""#,
        r#"userName eq "a" or userName eq "b""#,
        r#"not (userName eq "a")"#,
        "userName eq null",
        "groups[value eq null]",
        r#"groups[display eq "g"]"#,
        r#"emails[value eq "x" or type eq "work"]"#,
        r#"emails[not (value eq "x") and type eq "work"]"#,
        r#"phoneNumbers[value eq "x"]"#,
        r#"title eq "x""#,
    ] {
        assert_eq!(lookup(user, text), None, "{text}");
    }
}

/// RFC 7644 section 3.4.2.1: over several types, an attribute that one lacks is without value there.
#[test]
fn a_filter_across_types_takes_an_attribute_of_another_type_for_one_without_value() {
    let staff = json!({"displayName": "Staff"});
    for (text, expected) in [
        (r#"userName eq "Staff""#, false),
        ("userName pr", false),
        ("not (userName pr)", true),
        (r#"displayName eq "staff" and not (emails[type eq "work"])"#, true),
        (r#"emails.value co "x" or displayName sw "st""#, true),
        ("members pr", false),
    ] {
        let filter = Filter::parse_across(ResourceKind::Group, text).unwrap();
        assert_eq!(filter.matches(staff.as_object().unwrap()), expected, "{text}");
    }
    for text in ["nothing pr", "active gt true", "emails[nothing pr]"] {
        let error = Filter::parse_across(ResourceKind::Group, text).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{text}");
    }
}

#[test]
fn the_cost_of_a_filter_is_that_of_every_comparison_over_the_whole() {
    let one = Filter::parse(ResourceKind::User, "title pr").unwrap();
    let three = Filter::parse(ResourceKind::User, "title pr or emails[type pr and value pr]").unwrap();
    assert!(one.cost(&ida()) > 100);
    assert_eq!(three.cost(&ida()), 3 * one.cost(&ida()));
}

#[test]
fn what_a_filter_needs_of_members_is_told() {
    let needs = |text: &str| Filter::parse(ResourceKind::Group, text).unwrap().members_use();
    assert_eq!(needs(r#"displayName eq "x""#), MembersUse::None);
    assert_eq!(
        needs(r#"members[value eq "a"] and (displayName sw "x" or members.value eq "b")"#),
        MembersUse::Ids(vec!["a".to_owned(), "b".to_owned()])
    );
    for text in [
        "members pr",
        r#"members.type eq "Group""#,
        r#"members[value ne "a"]"#,
        "members eq null",
    ] {
        assert_eq!(needs(text), MembersUse::All, "{text}");
    }
}

// Generated filters, their printed form, and a model that evaluates them in another way.

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        4 => "[a-c]{0,3}|.{0,8}".prop_map(Literal::Text),
        1 => (-1000i64..1000).prop_map(|n| Literal::Number(n.to_string())),
        1 => any::<bool>().prop_map(Literal::Bool),
        1 => Just(Literal::Null),
    ]
}

fn comparison(names: &'static [&'static str], scope: Option<&'static str>) -> impl Strategy<Value = Filter> {
    let path = move |name: &str| match scope {
        None => resolve_attribute(ResourceKind::User, name).unwrap(),
        Some(outer) => {
            let outer = resolve_attribute(ResourceKind::User, outer).unwrap();
            AttrRef::core(outer.attribute.sub(name).unwrap())
        }
    };
    (
        prop::sample::select(names),
        prop::sample::select(CompareOp::ALL.to_vec()),
        literal(),
        any::<bool>(),
    )
        .prop_map(move |(name, (op, _), literal, present)| {
            let path = path(name);
            if present || compare::check(path.leaf(), op, &literal).is_err() {
                return Filter::Present(path);
            }
            Filter::Compare(path, op, literal)
        })
}

fn tree(leaf: impl Strategy<Value = Filter> + 'static) -> impl Strategy<Value = Filter> {
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|inner| Filter::Not(Box::new(inner))),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let names = &[
        "userName",
        "externalId",
        "active",
        "name.givenName",
        "department",
        "emails.value",
        "meta.created",
    ];
    let element = tree(comparison(&["value", "type", "primary"], Some("emails"))).prop_map(|inner| {
        Filter::Element(
            resolve_attribute(ResourceKind::User, "emails").unwrap(),
            Box::new(inner),
        )
    });
    tree(prop_oneof![comparison(names, None), element])
}

proptest! {
    #[test]
    fn a_printed_filter_reads_back_as_itself(filter in filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= FILTER_BYTES_MAX && filter.terms() <= FILTER_TERMS_MAX);
        let read = Filter::parse(ResourceKind::User, &text);
        // Depth is counted in brackets: a generated tree may be beyond the bound.
        if let Ok(read) = read {
            prop_assert_eq!(&read, &filter, "{}", text);
        } else {
            prop_assert!(read.unwrap_err().detail.contains("deeper"), "{}", text);
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,200}") {
        let _ = Filter::parse(ResourceKind::User, &text);
        let _ = Filter::parse(ResourceKind::Group, &text);
    }

    #[test]
    fn no_text_of_filter_words_makes_the_parser_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "(", ")", "[", "]", "\"", "not", "and", "or", "eq", "pr", "userName", "emails", ".value", "\\",
            "null",
            "true", "1", "\"x\"", " ", "members", "urn:ietf:params:scim:schemas:core:2.0:User", ":", "é",
        ]), 0..60),
        space in any::<bool>(),
    ) {
        let text = words.join(if space { " " } else { "" });
        for kind in ResourceKind::ALL {
            if let Ok(filter) = Filter::parse(kind, &text) {
                prop_assert!(filter.terms() <= FILTER_TERMS_MAX);
                let _ = filter.matches(&ida());
                prop_assert_eq!(Filter::parse(kind, &filter.to_string()), Ok(filter));
            }
        }
    }

    /// Whatever a filter finds is among what its index key finds: a resource that matches has the key.
    #[test]
    fn what_matches_has_the_key_that_the_index_is_asked_for(filter in filter(), name in "[a-c]{0,2}|[A-C]{1,2}") {
        let mut user = ida();
        for (attribute, value) in [
            ("userName", json!(name)),
            ("externalId", json!(name)),
            ("emails", json!([{"value": "x", "type": "a"}, {"value": name, "type": name}])),
        ] {
            user.insert(attribute.to_owned(), value);
        }
        let same = |text: &str| text.to_lowercase() == name.to_lowercase();
        if filter.matches(&user) {
            match filter.lookup().map(|lookup| lookup.key) {
                Some(IndexKey::UserName(text)) => prop_assert!(same(&text)),
                Some(IndexKey::ExternalId(text)) => prop_assert_eq!(text, name),
                Some(IndexKey::Email(text)) => prop_assert!(same(&text) || text.to_lowercase() == "x"),
                Some(other) => prop_assert!(false, "{other:?} was not asked for"),
                None => {}
            }
        }
    }

    /// Whatever part of a resource is at hand: what is said of it is what the whole would say.
    #[test]
    fn what_is_decided_from_a_part_is_what_the_whole_decides(
        filter in filter(),
        known in prop::collection::vec(any::<bool>(), 8),
    ) {
        let whole = ida();
        let names = ["userName", "externalId", "active", "name", "emails", "meta", crate::schema::ENTERPRISE_URN];
        let top = |path: &AttrRef| path.extension.map_or(path.attribute.name, |extension| extension.id);
        let has = |name: &str| names.iter().zip(&known).any(|(known, yes)| *known == name && *yes);
        let part: Map<String, Value> = whole
            .iter()
            .filter(|(name, _)| has(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let said = filter.decide(&part, &|path: &AttrRef| has(top(path)));
        if let Some(said) = said {
            prop_assert_eq!(said, filter.matches(&whole));
        }
        prop_assert_eq!(filter.decide(&whole, &|_: &AttrRef| true), Some(filter.matches(&whole)));
    }

    #[test]
    fn not_turns_every_answer_around(filter in filter()) {
        let ida = ida();
        prop_assert_ne!(Filter::Not(Box::new(filter.clone())).matches(&ida), filter.matches(&ida));
    }
}
