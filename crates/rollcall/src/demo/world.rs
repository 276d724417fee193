//! The stage of the story: the engine, a Fluent, two identity providers, and what must be in Fluent at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rollcall_domain::TenantId;
use rollcall_fluent_sim::{JournalResult, Sim, UserSnapshot};

use super::expectation::{Expectation, Expected};
use super::fluent_hand::FluentHand;
use super::idp::{Idp, Person};
use super::tell::Teller;
use crate::engine::Engine;

/// How long the story waits for a condition before it gives up: far above what any chapter takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// Everything that a chapter acts on.
pub(crate) struct World {
    engine: Engine,
    sim: Sim,
    tenant: TenantId,
    entra: Idp,
    okta: Idp,
    hand: FluentHand,
    teller: Teller,
    pub(crate) expectation: Expectation,
}

impl World {
    pub(crate) fn new(
        engine: Engine,
        sim: Sim,
        tenant: TenantId,
        idps: [Idp; 2],
        hand: FluentHand,
        teller: Teller,
    ) -> Self {
        let [entra, okta] = idps;
        let expectation = people_in(&sim); // what is there before us must be there after us
        Self {
            engine,
            sim,
            tenant,
            entra,
            okta,
            hand,
            teller,
            expectation,
        }
    }

    pub(crate) const fn entra(&self) -> &Idp {
        &self.entra
    }

    pub(crate) const fn okta(&self) -> &Idp {
        &self.okta
    }

    pub(crate) fn tell(&mut self, title: &str, text: &str, took: Duration) {
        self.teller.chapter(title, text, took);
    }

    /// Activates a rule set as an operator does.
    pub(crate) async fn activate_rules(&self, rules: &str) -> anyhow::Result<()> {
        self.engine
            .activate_rules(&self.tenant, rules, "demo")
            .await
            .map(|_version| ())
    }

    /// Prints why the person holds what it holds.
    pub(crate) async fn explain(&mut self, user_name: &str) -> anyhow::Result<()> {
        self.until_settled().await?; // so that it is on record
        let lines = self.engine.explain_lines(&self.tenant, user_name).await?;
        self.teller.lines(&lines);
        Ok(())
    }

    /// Waits until Fluent holds exactly what is expected.
    pub(crate) async fn until_as_expected(&self) -> anyhow::Result<()> {
        let arrived = until(|| self.expectation.differences(&people_in(&self.sim)).is_empty()).await;
        if arrived {
            return Ok(());
        }
        let differences = self.expectation.differences(&people_in(&self.sim));
        bail!(
            "Fluent is not as expected after {PATIENCE:?}:\n  {}",
            first_lines(&differences)
        )
    }

    /// Waits until the person is held, and gives the reason.
    pub(crate) async fn until_held(&self, user_name: &str) -> anyhow::Result<String> {
        let reason = || {
            self.engine
                .hold_reasons(&self.tenant, user_name)
                .into_iter()
                .next()
        };
        until(|| reason().is_some()).await;
        reason().context("the person is not held")
    }

    /// Waits until nothing is left to be done for anybody.
    pub(crate) async fn until_settled(&self) -> anyhow::Result<()> {
        if until(|| self.engine.is_quiet()).await {
            Ok(())
        } else {
            bail!("the engine is still at work after {PATIENCE:?}")
        }
    }

    /// Waits until the person is INACTIVE in Fluent.
    pub(crate) async fn until_inactive(&self, user_name: &str) -> anyhow::Result<()> {
        let out = || {
            self.sim
                .handle()
                .user(user_name)
                .is_some_and(|user| user.status == "INACTIVE")
        };
        if until(out).await {
            Ok(())
        } else {
            bail!("{user_name} is still usable after {PATIENCE:?}")
        }
    }

    /// A person in Fluent's own screens gives somebody a role.
    pub(crate) async fn grant_by_hand(
        &self,
        user_name: &str,
        role: &str,
        kind: &str,
        id: &str,
    ) -> anyhow::Result<()> {
        let user = self
            .sim
            .handle()
            .user(user_name)
            .context("there is no such user in Fluent")?;
        self.hand.add_role(user.id, role, kind, id).await
    }

    /// How many of these are not in Fluent yet.
    pub(crate) fn missing_in_fluent(&self, people: &[(Person, String)]) -> usize {
        let fluent = self.sim.handle();
        people
            .iter()
            .filter(|(person, _)| fluent.user(&person.user_name).is_none())
            .count()
    }

    /// How many users were created after the leaver was made INACTIVE, by Fluent's own journal.
    pub(crate) fn created_after_the_leaver(&self, user_name: &str) -> anyhow::Result<usize> {
        let journal = self.sim.handle().journal();
        let out = journal
            .iter()
            .rposition(|entry| {
                entry.username.as_deref() == Some(user_name)
                    && entry.status.as_deref() == Some("INACTIVE")
                    && entry.result == JournalResult::Applied
            })
            .context("the journal knows of no deactivation")?;
        Ok(journal
            .iter()
            .skip(out)
            .filter(|entry| entry.operation == "createUser")
            .count())
    }

    /// The last chapter: compares Fluent with the expectation, prints every difference, and says whether there is none.
    pub(crate) fn verdict(&mut self) -> bool {
        let fluent = people_in(&self.sim);
        let differences = self.expectation.differences(&fluent);
        let active = fluent.0.values().filter(|person| person.active).count();
        let grants: usize = fluent.0.values().map(|person| person.roles.len()).sum();
        self.teller.figures(&[
            ("users in Fluent", fluent.0.len().to_string()),
            ("of them active", active.to_string()),
            ("grants", grants.to_string()),
            ("differences from the expectation", differences.len().to_string()),
        ]);
        self.teller.lines(&differences);
        differences.is_empty()
    }

    /// The addresses, for `--keep`.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SCIM", format!("http://{}/scim/v2", self.engine.address())),
            (
                "health and metrics",
                format!("http://{}/readyz and /metrics", self.engine.address()),
            ),
            ("Fluent simulator", self.sim.url()),
            ("its control API", format!("{}/sim/v1", self.sim.control_url())),
        ]
    }

    /// The closing line of the account.
    pub(crate) fn conclude(&self, outcome: &anyhow::Result<bool>, took: Duration) {
        let word = if matches!(outcome, Ok(true)) {
            "Fluent is exactly as expected."
        } else {
            "The story did not end as expected."
        };
        self.teller
            .say(&format!("\n{word} {:.2} s in all.", took.as_secs_f64()));
    }

    pub(crate) fn to_json(&self, outcome: &anyhow::Result<bool>) -> serde_json::Value {
        self.teller.to_json(outcome)
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let stopped = self.engine.stop().await;
        self.sim.stop().await;
        stopped
    }
}

fn first_lines(lines: &[String]) -> String {
    const SHOWN: usize = 10;
    let mut text = lines.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  ");
    if lines.len() > SHOWN {
        text.push_str(&format!("\n  … and {} more", lines.len() - SHOWN));
    }
    text
}

/// Looks until the condition holds or patience ends; says which.
async fn until(condition: impl Fn() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        tokio::time::sleep(GLANCE).await;
    }
    condition()
}

/// Everybody in Fluent, in the words of the expectation.
fn people_in(sim: &Sim) -> Expectation {
    let people: BTreeMap<String, Expected> = sim
        .handle()
        .users()
        .into_iter()
        .map(|user| (user.username.clone(), expected(&user)))
        .collect();
    Expectation(people)
}

fn expected(user: &UserSnapshot) -> Expected {
    let roles = user.grants.iter();
    Expected {
        active: user.status == "ACTIVE",
        roles: roles
            .map(|pair| {
                (
                    pair.role.clone(),
                    pair.context_type.clone(),
                    pair.context_id.clone(),
                )
            })
            .collect(),
    }
}
