//! A tenant's state as pages of bytes. Many small entries share a page, so that a million users load in a few
//! thousand reads; few enough share one that a change of one user stays cheap to write.

use rollcall_domain::TenantId;

use super::codec::Writer;
use super::key::Kind;
use crate::Verdict;
use crate::fold::{Account, Group, Index, Link, TenantState, User, part_event};

/// Entries of one page of users, accounts, roles or verdicts.
pub(super) const PAGE: usize = 32;

/// The pages that changed since the last commit, as (kind, page, bytes).
pub(super) fn changed_pages(state: &mut TenantState, tenant: &TenantId) -> Vec<(Kind, u32, Vec<u8>)> {
    let mut pages = vec![(Kind::Header, 0, header(state))];
    let mut touched = std::mem::take(&mut state.touched);
    if touched.connections {
        pages.push((Kind::Connections, 0, connections(state)));
    }
    if touched.policy {
        pages.push((Kind::Policy, 0, json(&state.policy)));
    }
    if touched.catalog {
        pages.push((Kind::Catalog, 0, json(&state.catalog)));
    }
    if touched.rules {
        pages.push((
            Kind::Rules,
            0,
            json(&(&state.rules.version, &state.rules.set, &state.rules.from_file)),
        ));
    }
    if touched.guard {
        pages.push((Kind::Guard, 0, guard(state)));
    }
    if touched.parts {
        pages.push((Kind::Parts, 0, parts(state, tenant)));
    }
    if touched.queue {
        pages.push((Kind::Queue, 0, queue(state)));
    }
    for page in pages_of(touched.users.iter().map(|ix| ix.number())) {
        pages.push((
            Kind::Users,
            page,
            page_of(page, |start| state.users.page(start, PAGE), put_user),
        ));
    }
    for page in pages_of(touched.accounts.iter().map(|ix| ix.number())) {
        let entries = |start| state.accounts.page(start, PAGE);
        pages.push((
            Kind::Accounts,
            page,
            page_of(page, entries, |w, a| put_account(w, a, state)),
        ));
    }
    touched.groups.sort_unstable();
    touched.groups.dedup();
    for ix in &touched.groups {
        if let Some(group) = state.groups.get(*ix) {
            let mut writer = Writer::default();
            put_group(&mut writer, group);
            pages.push((Kind::Groups, ix.number(), writer.0));
        }
    }
    roles(state, &mut pages);
    verdicts(state, &mut pages);
    touched.clear();
    state.touched = touched;
    pages
}

fn pages_of(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut pages: Vec<u32> = numbers.map(|number| number / PAGE as u32).collect();
    pages.sort_unstable();
    pages.dedup();
    pages
}

fn page_of<'s, I, T: 's, E: Iterator<Item = (I, &'s T)>>(
    page: u32,
    entries: impl FnOnce(usize) -> E,
    put: impl Fn(&mut Writer, &T),
) -> Vec<u8> {
    let mut writer = Writer::default();
    for (_, entry) in entries(page as usize * PAGE) {
        put(&mut writer, entry);
    }
    writer.0
}

fn json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn header(state: &TenantState) -> Vec<u8> {
    let mut w = Writer::default();
    w.u64(state.sequence.0);
    w.i64(state.event_time.as_millis());
    let c = state.counts;
    for count in [
        c.users,
        c.active,
        c.groups,
        c.rejected,
        c.duplicates,
        c.unreadable,
        c.dropped_members,
        c.ahead_of_time,
    ] {
        w.u64(count);
    }
    let clock = state.guard.clock;
    w.i64(clock.now);
    w.i64(clock.ahead.unwrap_or(i64::MIN));
    w.u64(state.policy_since.0);
    w.u64(state.rules_since.0);
    w.count(state.verdicts.next());
    w.0
}

fn connections(state: &TenantState) -> Vec<u8> {
    let mut w = Writer::default();
    for (_, connection) in state.connections.iter() {
        w.text(connection.name.as_str());
    }
    w.0
}

fn put_user(w: &mut Writer, user: &User) {
    w.raw(user.id.0.as_bytes());
    let external = u8::from(user.external.is_some());
    w.u8(u8::from(user.active) | u8::from(user.deleted) << 1 | external << 2);
    if let Some(external) = &user.external {
        w.raw(&external.0);
    }
    w.i64(user.created.as_millis());
    w.i64(user.changed.as_millis());
    w.u32(user.account.number());
    w.u32(user.revision.0);
    w.u16(user.connection);
    w.u32(user.standing.0);
    put_links(w, &user.roles);
    put_links(w, &user.groups);
}

fn put_links<I: Index>(w: &mut Writer, links: &[Link<I>]) {
    w.count(links.len());
    for link in links {
        w.u32(link.to.number());
        w.u32(link.since.0);
    }
}

fn put_account(w: &mut Writer, account: &Account, state: &TenantState) {
    w.raw(&account.key.0);
    let p = account.published;
    w.u64(p.hash);
    let waits = p.waits.map_or(3, |lane| lane as u8);
    w.u8(waits | u8::from(p.unpublished) << 2 | u8::from(p.had_access) << 3);
    w.count(account.claimants.len());
    for user in &account.claimants {
        w.u32(user.number());
    }
    let kept = account.kept.as_deref().map(Vec::as_slice).unwrap_or_default();
    w.count(kept.len());
    for one in kept {
        w.raw(one.cause.0.as_bytes());
        w.u8(u8::from(one.rejected));
        // By text: the numbers of grants are made anew at every start.
        let grants: Vec<_> = one
            .grants
            .iter()
            .filter_map(|ix| state.roles.grants.get(*ix))
            .collect();
        w.text(&serde_json::to_string(&grants).unwrap_or_default());
    }
}

fn put_group(w: &mut Writer, group: &Group) {
    w.raw(group.id.0.as_bytes());
    w.u8(u8::from(group.deleted));
    w.u32(group.connection.number());
    w.text(&group.display_name);
    w.option(group.external_id.as_deref());
    w.u32(group.revision.0);
    w.u32(group.member_revision.0);
    w.i64(group.created.as_millis());
    w.i64(group.changed.as_millis());
    w.u32(group.named.0);
    w.u32(group.identified.0);
    put_links(w, &group.roles);
    // Parents only: a group's own page then changes with its own place, and users name their groups
    // themselves.
    w.count(group.parents.len());
    for (parent, since) in &group.parents {
        w.u32(parent.number());
        w.u32(since.0);
    }
}

fn guard(state: &TenantState) -> Vec<u8> {
    let mut w = Writer::default();
    let losses = state.guard.losses();
    w.count(losses.len());
    for (at, count) in losses {
        w.i64(at);
        w.u64(count);
    }
    w.count(state.guard.trips.len());
    for (cause, trip) in &state.guard.trips {
        w.raw(cause.0.as_bytes());
        w.u64(trip.sequence.0);
        w.u64(trip.open);
        w.count(trip.accounts.len());
        for account in &trip.accounts {
            w.u32(account.number());
        }
    }
    w.count(state.guard.rejected.len());
    for account in &state.guard.rejected {
        w.u32(account.number());
    }
    w.0
}

fn parts(state: &TenantState, tenant: &TenantId) -> Vec<u8> {
    let mut w = Writer::default();
    w.count(state.parts.requests.len());
    for (key, request) in &state.parts.requests {
        w.option(key.connection.as_deref());
        w.text(&key.request);
        w.u16(request.count);
        w.u64(request.since.0);
        w.u64(request.bytes as u64);
        w.count(request.parts.len());
        for (index, data) in &request.parts {
            w.u16(*index);
            let bytes = part_event(data.clone(), tenant.clone()).encode();
            w.count(bytes.len());
            w.raw(&bytes);
        }
    }
    w.0
}

fn queue(state: &TenantState) -> Vec<u8> {
    let mut w = Writer::default();
    w.u32(state.dirty.everybody.map_or(u32::MAX, |account| account.number()));
    w.count(state.dirty.groups.len());
    for group in &state.dirty.groups {
        w.u32(group.number());
    }
    w.0
}

/// Role texts are only ever added: the pages from the last stored one on.
fn roles(state: &mut TenantState, pages: &mut Vec<(Kind, u32, Vec<u8>)>) {
    let book = &state.roles;
    let (assigned, app_roles) = book.stored;
    for page in new_pages(app_roles, book.app_roles.len()) {
        let entries = |start| book.app_roles.page(start, PAGE);
        pages.push((
            Kind::AppRoles,
            page,
            page_of(page, entries, |w, entry| w.text(&entry.text.0)),
        ));
    }
    for page in new_pages(assigned, book.assigned.len()) {
        let entries = |start| book.assigned.page(start, PAGE);
        let bytes = page_of(page, entries, |w, entry| {
            w.text(&serde_json::to_string(&entry.role).unwrap_or_default());
        });
        pages.push((Kind::Assigned, page, bytes));
    }
    state.roles.stored = (book.assigned.len(), book.app_roles.len());
}

fn new_pages(from: usize, to: usize) -> std::ops::Range<u32> {
    if from == to {
        return 0..0;
    }
    let page = |number: usize| u32::try_from(number / PAGE).unwrap_or(u32::MAX);
    page(from)..page(to - 1) + 1
}

fn verdicts(state: &mut TenantState, pages: &mut Vec<(Kind, u32, Vec<u8>)>) {
    let max = crate::limits::VERDICTS_MAX;
    let (next, fresh) = (state.verdicts.next(), std::mem::take(&mut state.verdicts.fresh));
    let numbers = (0..fresh).map(|back| u32::try_from((next + max - 1 - back) % max).unwrap_or(0));
    for page in pages_of(numbers) {
        let mut w = Writer::default();
        for entry in state.verdicts.page(page as usize * PAGE, PAGE) {
            w.raw(entry.id.0.as_bytes());
            w.u64(entry.sequence.0);
            match entry.verdict {
                Verdict::Accepted { revision } => {
                    w.u8(0);
                    w.u32(revision.0);
                }
                Verdict::Buffered => w.u8(1),
                Verdict::Rejected { rejection } => {
                    w.u8(2);
                    w.text(&serde_json::to_string(&rejection).unwrap_or_default());
                }
            }
        }
        pages.push((Kind::Verdicts, page, w.0));
    }
}
