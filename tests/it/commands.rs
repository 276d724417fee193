//! The command line, what it prints, and that its documentation is whole.

use rollcall::admin::api::{
    CredentialStatus, Did, EventRef, ExplainedGrant, Explanation, FluentStatusReport, HeldAccount,
    InstanceStatus, LedgerEntry, PutAside, Reason, ReplayedUser, ShareStatus, Standing, TenantStatus,
    TrapReport, WaitingDecision,
};
use rollcall::output::{Checked, checks, explanation, holds, replayed, status};
use rollcall_domain::{
    AccountKey, AppRole, Claimant, ConnectionName, ContextType, Derivation, DerivationId, DesiredGrant,
    DesiredStatus, DesiredUser, EventId, Expansion, FluentUserId, Gains, Grant, GroupId, GroupRoleOrigin,
    Hold, HoldId, InactiveReason, Note, RoleName, RoleSource, Sequence, TenantId, Timestamp, UserId,
};
use rollcall_ingest::Trap;
use rollcall_tests::{golden, golden_part};
use uuid::Uuid;

fn account() -> AccountKey {
    "3f2340eab29a3874210c4767f47d6c00".parse().unwrap()
}

fn time() -> Timestamp {
    "2026-03-01T09:30:00Z".parse().unwrap()
}

fn picker() -> Grant {
    Grant::new("FULFILLMENT_PICKER", ContextType::Agent, "27")
}

fn guard() -> HoldId {
    HoldId::Guard {
        cause: EventId(Uuid::from_u128(7)),
    }
}

fn unknown_role() -> Hold {
    Hold::UnknownRole {
        app_role: AppRole("Agent_CHIC-01_Piker".to_owned()),
        role: RoleName("Piker".to_owned()),
        near: Some("Picker".to_owned()),
    }
}

fn explained() -> Explanation {
    let event = |did, sequence, actor: &str| EventRef {
        did,
        id: EventId(Uuid::from_u128(9)),
        sequence: Sequence(sequence),
        time: time(),
        source: "scim/entra".to_owned(),
        actor: actor.to_owned(),
    };
    let group = |name: &str| name.to_owned();
    let chain = vec![
        event(
            Did::AddedTo {
                group: group("Seasonal CHIC-01"),
            },
            305,
            "connection/entra",
        ),
        event(
            Did::NestedIn {
                group: group("All seasonal"),
            },
            12,
            "connection/entra",
        ),
        event(
            Did::Named {
                group: group("All seasonal"),
            },
            11,
            "connection/entra",
        ),
        event(Did::RulesActivated, 7, "uid-1000"),
    ];
    let assigned = vec![event(Did::Assigned, 1198, "connection/entra")];
    let reason = |source, expansion, groups: &[&str], events| Reason {
        derivation: Derivation {
            id: DerivationId(1),
            user: UserId(Uuid::from_u128(1)),
            source,
            app_role: AppRole("Agent_CHIC-01_Picker".to_owned()),
            expansion,
            grant: picker(),
        },
        groups: groups.iter().map(|name| (*name).to_owned()).collect(),
        events,
    };
    let group = RoleSource::Group {
        path: vec![GroupId(Uuid::from_u128(2)), GroupId(Uuid::from_u128(3))],
        origin: GroupRoleOrigin::RuleSet,
    };
    let rule = Expansion::Rule {
        logical_role: RoleName("Picker".to_owned()),
    };
    let rehired = event(Did::Rehired, 1197, "connection/entra");
    Explanation {
        standing: vec![Standing {
            user: UserId(Uuid::from_u128(1)),
            event: rehired,
        }],
        tenant: TenantId::new("acme").unwrap(),
        account: account(),
        username: Some("ida.moreno@chic.example".to_owned()),
        sequence: Sequence(1204),
        status: DesiredStatus::Active,
        gains: Gains::Withheld,
        grants: vec![ExplainedGrant {
            grant: picker(),
            place: Some("CHIC-01".to_owned()),
            because: vec![
                reason(RoleSource::Personal, Expansion::Direct, &[], assigned),
                reason(group, rule, &["Seasonal CHIC-01", "All seasonal"], chain),
            ],
        }],
        retained: vec![Grant::new("STORE", ContextType::Retailer, "5")],
        holds: vec![unknown_role()],
        notes: vec![Note::Cut {
            field: "firstName".to_owned(),
        }],
        claimants: vec![Claimant {
            user: UserId(Uuid::from_u128(1)),
            connection: ConnectionName::new("entra").unwrap(),
            live: true,
            external_key: None,
        }],
        fluent: Some(LedgerEntry {
            user: Some(FluentUserId("10042".to_owned())),
            owned: vec![picker()],
            served: Some(Sequence(1198)),
            unsettled: true,
        }),
    }
}

#[test]
fn an_explanation_reads_as_sentences() {
    let whole = explained();
    golden("tests/it/golden/explain.txt", &explanation(&whole, None));
    assert!(
        explanation(&whole, Some("Picker")).contains("FULFILLMENT_PICKER"),
        "a logical role is found"
    );
    assert!(explanation(&whole, Some("Agent_CHIC-01_Picker")).contains("FULFILLMENT_PICKER"));
    assert!(explanation(&whole, Some("STORE")).contains("no grant from STORE"));
}

#[test]
fn the_status_reads_as_a_table() {
    let tenant = |id: &str, fluent| TenantStatus {
        tenant: TenantId::new(id).unwrap(),
        sequence: Sequence(1204),
        lag_events: 3,
        users: 312,
        active_users: 309,
        groups: 4,
        accounts: 312,
        held: 1,
        dirty: 17,
        queued: 2,
        waiting: 0,
        rules: Some("9f86d081884c7d659a2feaa0c55ad015".to_owned()),
        unreadable: 0,
        put_aside: Vec::new(),
        fluent,
        warnings: Vec::new(),
    };
    let credential = |name: &str, id: Option<&str>, kind: &str, state: &str| CredentialStatus {
        tenant: TenantId::new("acme").unwrap(),
        connection: ConnectionName::new("entra").unwrap(),
        name: name.to_owned(),
        id: id.map(str::to_owned),
        kind: kind.to_owned(),
        state: state.to_owned(),
        expires: id.map(|_| time().plus_millis(7 * 24 * 3_600_000)),
        last_used: id.is_none().then(time),
    };
    let broken = FluentStatusReport {
        problem: Some("login refused".to_owned()),
        ..FluentStatusReport::default()
    };
    let instance = InstanceStatus {
        version: "0.1.0".to_owned(),
        started: time(),
        ready: false,
        not_ready: vec!["projector: 3 events behind".to_owned()],
        certificate_ends: None,
        put_aside_of_nobody: 0,
        role: "reconcile".to_owned(),
        shares: vec![ShareStatus {
            group: "reconcile".to_owned(),
            stream: "outcomes".to_owned(),
            partitions: vec![0, 2, 4],
            of: 24,
            lease_ms: Some(15_900),
        }],
        warnings: vec!["token 2026-11 of acme/entra expires at 2026-03-08T09:30:00.000Z".to_owned()],
        credentials: vec![
            credential("", None, "configured", "valid"),
            credential("2026-11", Some("01ababababababab"), "stored", "expires-soon"),
        ],
        tenants: vec![
            tenant(
                "acme",
                FluentStatusReport {
                    reachable: true,
                    ..FluentStatusReport::default()
                },
            ),
            TenantStatus {
                warnings: vec![TrapReport {
                    connection: ConnectionName::new("entra").unwrap(),
                    trap: Trap::RolesNeverRemoved.name().to_owned(),
                    count: 12,
                    since: time(),
                    last: time(),
                    advice: Trap::RolesNeverRemoved.advice().to_owned(),
                }],
                unreadable: 2,
                put_aside: vec![PutAside {
                    position: 17,
                    reason: "it is no JSON".to_owned(),
                }],
                ..tenant("beta", broken)
            },
        ],
    };
    golden("tests/it/golden/status.txt", &status(&instance));
}

#[test]
fn holds_name_what_to_approve() {
    let decision = WaitingDecision {
        hold: guard(),
        about: "300 accounts lose access by the deletion of group “Seasonal CHIC-01”".to_owned(),
        affected: 300,
        since: Sequence(12),
    };
    let held = HeldAccount {
        account: account(),
        username: Some("ida.moreno@chic.example".to_owned()),
        holds: vec![unknown_role(), Hold::NoEmail],
    };
    let erased = HeldAccount {
        account: account(),
        username: None,
        holds: vec![Hold::Protected],
    };
    golden("tests/it/golden/holds.txt", &holds(&[decision], &[held, erased]));
    assert_eq!(holds(&[], &[]), "nothing is held\n");
}

#[test]
fn replayed_users_and_checks_read_well() {
    let desired = DesiredUser {
        account: account(),
        sequence: Sequence(1204),
        status: DesiredStatus::Active,
        gains: Gains::Withheld,
        profile: None,
        grants: vec![DesiredGrant {
            grant: picker(),
            because: vec![DerivationId(1)],
        }],
        retained: vec![Grant::new("STORE", ContextType::Retailer, "5")],
        holds: Vec::new(),
        notes: Vec::new(),
        claimants: Vec::new(),
    };
    let gone = DesiredUser {
        status: DesiredStatus::Inactive {
            reason: InactiveReason::Deleted,
        },
        gains: Gains::Allowed,
        grants: Vec::new(),
        retained: Vec::new(),
        ..desired.clone()
    };
    let one = ReplayedUser {
        username: Some("ida.moreno@chic.example".to_owned()),
        desired,
    };
    let other = ReplayedUser {
        username: None,
        desired: gone,
    };
    golden(
        "tests/it/golden/replay.txt",
        &format!("{}\n{}\n", replayed(&one), replayed(&other)),
    );
    let list = [
        Checked::good("configuration", "rollcall.toml: 1 tenant"),
        Checked::warning("server.public_url", "begins with http://"),
        Checked::failed("Fluent of acme", "login refused"),
    ];
    golden("tests/it/golden/check.txt", &format!("{}\n", checks(&list)));
}

/// A command and all below it: how it is written, what it does, its arguments.
fn describe(command: &clap::Command, path: &str, text: &mut String) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    if !command.has_subcommands() {
        let mut usage = path.to_owned();
        let mut rows = String::new();
        for argument in command
            .get_arguments()
            .filter(|argument| argument.get_id() != "help")
        {
            let name = argument_name(argument);
            let shown = if argument.is_required_set() {
                name.clone()
            } else {
                format!("[{name}]")
            };
            if !argument.is_global_set() {
                usage.push_str(&format!(" {shown}"));
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                let name = name.replace('|', "\\|");
                rows.push_str(&format!("| `{name}` | {help} |\n"));
            }
        }
        text.push_str(&format!("\n### `{usage}`\n\n{about}.\n"));
        if !rows.is_empty() {
            text.push_str(&format!("\n| argument | meaning |\n|---|---|\n{rows}"));
        }
    }
    for below in command
        .get_subcommands()
        .filter(|below| below.get_name() != "help")
    {
        describe(below, &format!("{path} {}", below.get_name()), text);
    }
}

fn argument_name(argument: &clap::Arg) -> String {
    let value = argument
        .get_value_names()
        .and_then(|names| names.first())
        .map(ToString::to_string);
    match (argument.get_long(), argument.get_action().takes_values()) {
        (Some(long), true) => format!("--{long} {}", value.unwrap_or_default()),
        (Some(long), false) => format!("--{long}"),
        (None, _) => value.unwrap_or_default(),
    }
}

#[test]
fn the_documentation_names_every_command_and_exit_code() {
    let mut codes = String::from("\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in rollcall::exit::ALL {
        codes.push_str(&format!("| {code} | {meaning} |\n"));
    }
    codes.push('\n');
    golden_part("docs/commands.md", "exit", &codes);
    let mut commands = String::new();
    describe(&rollcall::cli::definition(), "rollcall", &mut commands);
    commands.push('\n');
    golden_part("docs/commands.md", "commands", &commands);
}

#[test]
fn the_documentation_names_every_metric() {
    let mut text = String::from("\n| metric | meaning |\n|---|---|\n");
    for (name, _kind, help) in rollcall::metrics::NAMES {
        text.push_str(&format!("| `{name}` | {help} |\n"));
    }
    text.push('\n');
    golden_part("docs/metrics.md", "metrics", &text);
}

#[test]
fn the_command_line_is_consistent() {
    rollcall::cli::definition().debug_assert();
}
