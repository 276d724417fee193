//! What holds of every patch, on generated input.

use super::*;
use crate::members::MemberRef;
use proptest::prelude::*;

// Generated member operations against a model that keeps a plain list.

fn member_operation() -> impl Strategy<Value = MemberOperation> {
    let ids = || {
        prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d"]), 0..4)
            .prop_map(|ids| ids.into_iter().map(MemberRef::new).collect::<Vec<_>>())
    };
    prop_oneof![
        4 => ids().prop_map(MemberOperation::Add),
        4 => ids().prop_map(MemberOperation::Remove),
        1 => ids().prop_map(MemberOperation::Replace),
        1 => ids().prop_map(MemberOperation::Meet),
        1 => Just(MemberOperation::RemoveAll),
    ]
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list.dedup();
    list
}

fn plainly(mut list: Vec<String>, operations: &[MemberOperation]) -> Vec<String> {
    let names = |refs: &[MemberRef]| refs.iter().map(|r| r.value.clone()).collect::<Vec<_>>();
    for operation in operations {
        match operation {
            MemberOperation::Add(refs) => list.extend(names(refs)),
            MemberOperation::Remove(refs) => list.retain(|id| !names(refs).contains(id)),
            MemberOperation::RemoveAll => list.clear(),
            MemberOperation::Replace(refs) => list = names(refs),
            MemberOperation::Meet(_) => {}
        }
    }
    sorted(list)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{1,3}", ".{1,6}"].prop_filter("not blank", |text| !text.trim().is_empty())
}

proptest! {
    #[test]
    fn the_net_of_member_operations_is_what_they_do_one_by_one(
        before in prop::collection::vec(prop::sample::select(vec!["a", "b", "c", "d", "e"]), 0..5),
        operations in prop::collection::vec(member_operation(), 0..8),
    ) {
        let before: Vec<String> = before.into_iter().map(str::to_owned).collect();
        let expected = plainly(before.clone(), &operations);
        let net = MembersChange { operations }.net();
        let after = match net {
            NetMembers::Replace(list) => list.into_iter().map(|r| r.value).collect(),
            NetMembers::Difference { add, remove } => {
                prop_assert!(add.iter().all(|a| remove.iter().all(|r| r.value != a.value)));
                plainly(before, &[MemberOperation::Remove(remove), MemberOperation::Add(add)])
            }
        };
        prop_assert_eq!(sorted(after), expected);
    }

    #[test]
    fn what_is_added_and_then_removed_leaves_no_trace(
        value in text(),
        attribute in prop::sample::select(vec!["phoneNumbers", "roles", "entitlements", "ims"]),
        spelled_as_filter in any::<bool>(),
    ) {
        prop_assume!(!value.trim_start().starts_with('{'));
        let quoted = Value::from(value.as_str());
        let remove = if spelled_as_filter {
            json!({"op": "remove", "path": format!("{attribute}[value eq {quoted}]")})
        } else {
            json!({"op": "remove", "path": attribute, "value": [{"value": value}]})
        };
        let add = json!({"op": "add", "path": attribute, "value": [{"value": value}]});
        let after = patched(&ida(), &json!([add, remove]));
        prop_assert_eq!(after, Value::Object(ida().into_attributes()));
    }

    #[test]
    fn doing_a_patch_twice_equals_doing_it_once(
        value in text(),
        kind in prop::sample::select(vec!["work", "home"]),
        op in prop::sample::select(vec!["add", "replace"]),
    ) {
        let operations = json!([
            {"op": op, "path": format!("emails[type eq \"{kind}\"].value"), "value": value},
            {"op": op, "path": "roles", "value": [{"value": value, "primary": true}]},
            {"op": op, "value": {"name.givenName": value, "manager": value}},
        ]);
        let patch = read(ResourceKind::User, &operations);
        let once = apply(&ida(), &patch.operations).unwrap();
        let again = apply(&once, &patch.operations).unwrap();
        prop_assert_eq!(once.attributes(), again.attributes());
    }

    #[test]
    fn no_path_makes_the_reader_panic(
        path in ".{0,60}|(emails|members|roles|name|urn:x)(\\[|\\]|\"|\\.|value|type| eq |\\\\|x){0,12}",
        op in prop::sample::select(vec!["add", "replace", "remove"]),
        of_group in any::<bool>(),
    ) {
        let start = if of_group { group() } else { ida() };
        for dialect in [Dialect::Tolerant, Dialect::Strict] {
            for body in [
                body(&json!([{"op": op, "path": path, "value": "x"}])),
                body(&json!([{"op": op, "value": {path.as_str(): ["x"]}}])),
            ] {
                if let Ok(patch) = read_patch(start.kind(), dialect, &body) {
                    let _ = apply(&start, &patch.operations);
                }
            }
        }
    }
}
