#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use proptest::prelude::*;
use rollcall_domain::{ConnectionName, GroupId, TenantKey};
use rollcall_projector::Page;
use rollcall_scim::{IndexKey, Resource};
use serde_json::{Value, json};
use uuid::Uuid;

/// Groups 1 to `total`, each with `members` members.
struct Many {
    total: u64,
    members: u64,
    /// Whether an index finds all of them.
    indexed: bool,
    /// How long each is.
    bytes: usize,
    /// How long a text each has before its name.
    text: usize,
}

fn id(number: u64) -> Id {
    Id::Group(GroupId(Uuid::from_u128(u128::from(number))))
}

fn number(id: Id) -> u64 {
    match id {
        Id::Group(group) => u64::try_from(group.0.as_u128()).unwrap(),
        Id::User(_) => 0,
    }
}

impl Source for Many {
    fn has(&self, _: Id) -> bool {
        true
    }
    fn page(&self, start: u64, count: usize) -> Page<Id> {
        Page {
            total: self.total,
            ids: (start..=self.total).take(count).map(id).collect(),
        }
    }
    fn beside(&self, anchor: Option<Id>, back: bool, count: usize) -> Option<Page<Id>> {
        let at = anchor.map(number);
        if at.is_some_and(|at| at > self.total) {
            return None;
        }
        let ids: Vec<u64> = if back {
            (1..at.unwrap_or(self.total + 1)).rev().take(count).collect()
        } else {
            (at.unwrap_or(0) + 1..=self.total).take(count).collect()
        };
        Some(Page {
            total: self.total,
            ids: ids.into_iter().map(id).collect(),
        })
    }
    fn find(&self, _: &IndexKey) -> Result<Option<Vec<Id>>, Failure> {
        Ok(self.indexed.then(|| (1..=self.total).map(id).collect()))
    }
    fn facts(&self, id: Id) -> Option<Resource> {
        let active = number(id).is_multiple_of(1_000);
        let facts = Resource::from_stored(ResourceKind::User, serde_json::Map::new());
        Some(facts.with("active", json!(active)))
    }
    fn candidate(&self, id: Id, _: Option<&Filter>) -> Result<Option<Resource>, Failure> {
        let name = json!(format!("{}group {}", "x".repeat(self.text), number(id)));
        let facts = self.facts(id).map(|facts| facts.with("externalId", json!("x")));
        Ok(facts.map(|facts| facts.with("displayName", name)))
    }
    fn shown(&self, id: Id, _: &Selection, members: u64) -> Result<Shown, Failure> {
        Ok(if self.members <= members {
            let resource = match self.bytes {
                0 => json!(number(id)),
                bytes => json!([number(id), "x".repeat(bytes)]),
            };
            Shown::Resource(resource, self.members)
        } else {
            Shown::TooLarge
        })
    }
}

const GROUPS: &[ResourceKind] = &[ResourceKind::Group];

fn query(parameters: &[(&str, &str)]) -> ListQuery {
    ListQuery::parse(parameters.iter().copied()).unwrap()
}

async fn list(many: Many, parameters: &[(&str, &str)]) -> Result<Value, Failure> {
    let query = query(parameters);
    let part = Part::new(&many, GROUPS, ResourceKind::Group, &query)?;
    let parts = [part];
    let answer = match &query.cursor {
        None => by_index(&parts, &query).await?,
        Some(text) => {
            let (key, of) = (TenantKey::new([7; 32]), ConnectionName::new("entra").unwrap());
            let cursors = Cursors::new(&key, &of, GROUPS, &query);
            by_cursor::page(&parts, &query, &cursors, text).await?
        }
    };
    Ok(serde_json::from_slice(&answer.to_text().unwrap()).unwrap())
}

fn many(total: u64) -> Many {
    Many {
        total,
        members: 0,
        indexed: false,
        bytes: 0,
        text: 0,
    }
}

/// RFC 7644 section 3.12: `tooMany` instead of work without bound.
#[tokio::test]
async fn a_filter_without_index_looks_at_every_page_and_at_no_more_than_its_bound() {
    let filter = [("filter", "displayName ew \"99\"")];
    let all = list(many(SCAN_MAX), &filter).await.unwrap();
    assert_eq!(
        (&all["totalResults"], &all["Resources"][0]),
        (&json!(SCAN_MAX / 100), &json!(99))
    );
    for parameters in [&[("filter", "displayName pr")], &[("sortBy", "displayName")]] {
        let refused = list(many(SCAN_MAX + 1), parameters).await.unwrap_err();
        assert_eq!(refused.scim_type, Some("tooMany"));
    }
}

#[tokio::test]
async fn a_page_ends_before_it_holds_too_many_members_but_never_before_its_first_group() {
    let half = Many {
        members: MEMBERS_PER_PAGE_MAX / 2,
        ..many(9)
    };
    let half = list(half, &[]).await.unwrap();
    assert_eq!(
        (&half["totalResults"], &half["itemsPerPage"]),
        (&json!(9), &json!(2))
    );
    let huge = || Many {
        members: MEMBERS_PER_PAGE_MAX * 3,
        ..many(3)
    };
    assert_eq!(list(huge(), &[]).await.unwrap()["Resources"], json!([1]));
    // By cursor, the next page goes on behind what was shown, and the page before likewise.
    let first = list(huge(), &[("cursor", "")]).await.unwrap();
    let second = list(huge(), &[("cursor", first["nextCursor"].as_str().unwrap())])
        .await
        .unwrap();
    assert_eq!(
        (&first["Resources"], &second["Resources"]),
        (&json!([1]), &json!([2]))
    );
    let third = list(huge(), &[("cursor", second["nextCursor"].as_str().unwrap())])
        .await
        .unwrap();
    assert_eq!(
        (&third["Resources"], third.get("nextCursor")),
        (&json!([3]), None)
    );
    let back = list(huge(), &[("cursor", third["previousCursor"].as_str().unwrap())])
        .await
        .unwrap();
    assert_eq!(back["Resources"], json!([2]));
}

/// Whatever the resources hold: the page goes on where it ended.
#[tokio::test]
async fn a_page_ends_before_it_holds_too_much_but_never_before_its_first_resource() {
    let fat = |bytes| Many { bytes, ..many(3) };
    let numbers = |page: &Value| -> Vec<u64> {
        let resources = page["Resources"].as_array().unwrap().iter();
        resources.map(|one| one[0].as_u64().unwrap()).collect()
    };
    let third = || fat(PAGE_BYTES_MAX / 3);
    let first = list(third(), &[("cursor", "")]).await.unwrap();
    assert_eq!(numbers(&first), [1, 2]);
    let next = [("cursor", first["nextCursor"].as_str().unwrap())];
    let second = list(third(), &next).await.unwrap();
    assert_eq!((numbers(&second), second.get("nextCursor")), (vec![3], None));
    let by_index = list(third(), &[]).await.unwrap();
    assert_eq!(
        (&by_index["totalResults"], &by_index["itemsPerPage"]),
        (&json!(3), &json!(2))
    );
    let huge = list(fat(PAGE_BYTES_MAX + 1), &[("startIndex", "2")])
        .await
        .unwrap();
    assert_eq!(numbers(&huge), [2]);
}

/// An IdP that polls for changes asks for what is in memory: far more is told apart than is read.
#[tokio::test]
async fn what_is_in_memory_is_asked_before_anything_is_read() {
    for (filter, total) in [
        ("active eq true", FACTS_MAX / 1_000),
        ("active eq true and displayName ew \"5000\"", FACTS_MAX / 10_000),
        ("not (active eq false or displayName sw \"x\")", FACTS_MAX / 1_000),
    ] {
        let query = query(&[("filter", filter)]);
        let many = many(FACTS_MAX);
        let parts = [Part::new(&many, &[ResourceKind::User], ResourceKind::User, &query).unwrap()];
        let answer = by_index(&parts, &query).await.unwrap();
        assert_eq!(answer.total, Some(usize::try_from(total).unwrap()), "{filter}");
    }
    for (total, filter) in [
        (FACTS_MAX + 1, "active eq true"),
        (SCAN_MAX + 1, "active eq false and displayName pr"),
        (SCAN_MAX + 1, "active eq true or displayName ew \"5000\""),
    ] {
        let query = query(&[("filter", filter)]);
        let many = many(total + SCAN_MAX / 100);
        let parts = [Part::new(&many, &[ResourceKind::User], ResourceKind::User, &query).unwrap()];
        let refused = by_index(&parts, &query).await.unwrap_err();
        assert_eq!(refused.scim_type, Some("tooMany"), "{filter}");
    }
}

/// RFC 9865 section 2: a cursor leads through whatever a filter finds, though an index finds more of it than one
/// request looks at. Not so through an order, and the refusal does not say so either.
#[tokio::test]
async fn a_cursor_walks_through_all_that_an_index_finds() {
    let indexed = || Many {
        indexed: true,
        ..many(SCAN_MAX + 50)
    };
    let filter = ("filter", "externalId eq \"x\"");
    let mut cursor = String::new();
    let mut seen = 0;
    loop {
        let parameters = [filter, ("count", "200"), ("cursor", cursor.as_str())];
        let page = list(indexed(), &parameters).await.unwrap();
        seen += page["itemsPerPage"].as_u64().unwrap();
        match page.get("nextCursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, SCAN_MAX + 50);
    let refused = list(indexed(), &[filter]).await.unwrap_err();
    assert!(refused.detail.contains("cursor"), "{}", refused.detail);
    for order in [
        &[filter, ("sortBy", "displayName"), ("cursor", "")][..],
        &[("sortBy", "displayName")],
    ] {
        let refused = list(indexed(), order).await.unwrap_err();
        assert_eq!(refused.scim_type, Some("tooMany"));
        assert!(!refused.detail.contains("cursor"), "{}", refused.detail);
    }
}

/// What one request can compare ends the page, and not the search.
#[tokio::test]
async fn a_cursor_walks_through_more_text_than_is_compared_for_one_page() {
    const TERMS: usize = 64;
    let terms = vec!["displayName ew \"7\""; TERMS].join(" or ");
    let long = || Many {
        // Each of them is compared by every term; some forty of them are as much as one request compares.
        text: SCAN_BYTES_MAX / TERMS / 40,
        ..many(100)
    };
    let refused = list(long(), &[("filter", &terms)]).await.unwrap_err();
    assert_eq!(refused.scim_type, Some("tooMany"));
    let mut cursor = String::new();
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = list(long(), &[("filter", &terms), ("cursor", &cursor)])
            .await
            .unwrap();
        let resources = page["Resources"].as_array().unwrap().iter();
        seen.extend(resources.map(|one| one.as_u64().unwrap()));
        pages += 1;
        match page.get("nextCursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!((seen, pages > 1), ((0..10).map(|n| n * 10 + 7).collect(), true));
}

/// Who does page by cursor is not told to: the total is left out where one request cannot tell it, as on the pages.
#[tokio::test]
async fn by_cursor_a_total_that_is_not_known_is_left_out() {
    let filter = ("filter", "displayName ew \"99\"");
    let nothing = [("cursor", ""), ("count", "0"), filter];
    let page = list(many(SCAN_MAX + 1), &nothing).await.unwrap();
    assert_eq!(
        (page.get("totalResults"), &page["itemsPerPage"]),
        (None, &json!(0))
    );
    let sorted = [("cursor", ""), ("count", "0"), ("sortBy", "displayName")];
    let refused = list(many(SCAN_MAX + 1), &sorted).await.unwrap_err();
    assert_eq!(refused.scim_type, Some("tooMany"));
}

/// A cursor that counts cannot go on when more is found by then than one request looks at; it is begun again.
#[tokio::test]
async fn a_cursor_that_counts_expires_when_too_much_is_found() {
    let indexed = |total| Many {
        indexed: true,
        ..many(total)
    };
    let filter = ("filter", "externalId eq \"x\"");
    let first = list(indexed(SCAN_MAX), &[filter, ("cursor", "")]).await.unwrap();
    let next = first["nextCursor"].as_str().unwrap();
    list(indexed(SCAN_MAX), &[filter, ("cursor", next)])
        .await
        .unwrap();
    let grown = list(indexed(SCAN_MAX + 1), &[filter, ("cursor", next)]).await;
    assert_eq!(grown.unwrap_err().scim_type, Some("expiredCursor"));
    list(indexed(SCAN_MAX + 1), &[filter, ("cursor", "")])
        .await
        .unwrap();
}

/// RFC 9865 section 2: with `count` 0 only the total is asked for.
#[tokio::test]
async fn by_cursor_too_nothing_but_the_total_can_be_asked_for() {
    for (parameters, total) in [
        (&[("cursor", ""), ("count", "0")][..], 1_000),
        (
            &[
                ("cursor", ""),
                ("count", "0"),
                ("filter", "displayName ew \"99\""),
            ],
            10,
        ),
        (
            &[("cursor", ""), ("count", "-1"), ("sortBy", "displayName")],
            1_000,
        ),
    ] {
        let page = list(many(1_000), parameters).await.unwrap();
        assert_eq!(
            (&page["totalResults"], &page["itemsPerPage"]),
            (&json!(total), &json!(0))
        );
        assert!(page.get("nextCursor").is_none() && page.get("previousCursor").is_none());
    }
}

/// RFC 9865 section 2: a filter that finds little in a large directory gives short pages that go on.
#[tokio::test]
async fn a_cursor_walks_through_more_than_is_looked_at_for_one_page() {
    let mut cursor = String::new();
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        let parameters = [("filter", "displayName ew \"9999\""), ("cursor", cursor.as_str())];
        let page = list(many(3 * SCAN_MAX + 5), &parameters).await.unwrap();
        seen.extend(
            page["Resources"]
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r.as_u64().unwrap()),
        );
        pages += 1;
        match page.get("nextCursor") {
            Some(next) => cursor = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, [9_999, 19_999, 29_999, 39_999, 49_999, 59_999]);
    assert_eq!(pages, 4);
}

/// RFC 9865 section 2.1.
#[tokio::test]
async fn a_cursor_that_leads_nowhere_is_refused_by_its_keyword() {
    let first = list(many(9), &[("cursor", ""), ("count", "5")]).await.unwrap();
    let next = first["nextCursor"].as_str().unwrap();
    let refused = |error: Failure| error.scim_type.unwrap();
    let expired = list(many(4), &[("cursor", next), ("count", "5")])
        .await
        .unwrap_err();
    assert_eq!(refused(expired), "expiredCursor");
    let other = list(many(9), &[("cursor", next), ("count", "6")])
        .await
        .unwrap_err();
    assert_eq!(refused(other), "invalidCount");
    let made_up = list(many(9), &[("cursor", "VZUTiyhEQJ94IR"), ("count", "5")])
        .await
        .unwrap_err();
    assert_eq!(refused(made_up), "invalidCursor");
}

/// RFC 7644 section 3.4.2.4: `count=0` asks for the total alone, whichever way pages are made.
#[tokio::test]
async fn a_count_of_nothing_gives_the_total_alone() {
    for parameters in [
        &[("count", "0")][..],
        &[("count", "0"), ("cursor", "")],
        &[("count", "0"), ("cursor", ""), ("sortBy", "displayName")],
    ] {
        let answer = list(many(9), parameters).await.unwrap();
        assert_eq!(
            (&answer["totalResults"], &answer["Resources"]),
            (&json!(9), &json!([]))
        );
        assert_eq!(
            (answer.get("nextCursor"), answer.get("previousCursor")),
            (None, None)
        );
    }
}

proptest! {
    /// Whatever is asked, pages forward and pages back show what a list cut into pieces shows.
    #[test]
    fn pages_by_cursor_cover_the_list_forward_and_back(
        total in 0u64..40,
        count in 1usize..9,
        filtered in any::<bool>(),
        sorted in any::<bool>(),
    ) {
        let count_text = count.to_string();
        let mut expected: Vec<u64> = (1..=total).collect();
        if filtered {
            expected.retain(|n| format!("group {n}").contains('1'));
        }
        if sorted {
            expected.sort_by_key(|n| std::cmp::Reverse(format!("group {n}")));
        }
        let page = |cursor: &str| {
            let mut parameters = vec![("cursor", cursor), ("count", count_text.as_str())];
            if filtered {
                parameters.push(("filter", "displayName co \"1\""));
            }
            if sorted {
                parameters.extend([("sortBy", "displayName"), ("sortOrder", "descending")]);
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(list(many(total), &parameters)).unwrap()
        };
        let numbers = |page: &Value| -> Vec<u64> {
            page["Resources"].as_array().unwrap().iter().map(|r| r.as_u64().unwrap()).collect()
        };
        let mut pages = vec![page("")];
        while let Some(next) = pages.last().and_then(|page| page.get("nextCursor")) {
            let next = page(next.as_str().unwrap());
            prop_assert!(pages.len() <= 60);
            pages.push(next);
        }
        let chunks: Vec<Vec<u64>> = expected.chunks(count).map(<[u64]>::to_vec).collect();
        let shown: Vec<Vec<u64>> = pages.iter().map(numbers).collect();
        prop_assert_eq!(&shown, &if chunks.is_empty() { vec![vec![]] } else { chunks });
        prop_assert!(pages[0].get("previousCursor").is_none());
        for two in pages.windows(2) {
            let before = page(two[1]["previousCursor"].as_str().unwrap());
            prop_assert_eq!(numbers(&before), numbers(&two[0]));
            let again = page(before["nextCursor"].as_str().unwrap());
            prop_assert_eq!(numbers(&again), numbers(&two[1]));
        }
    }
}
