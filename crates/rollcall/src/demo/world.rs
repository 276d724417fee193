//! The stage of the story: the engine, a Fluent, two identity providers, and what must be in Fluent at the end.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rollcall_fluent_sim::{JournalResult, UserSnapshot};

use super::expectation::{Expectation, Expected};
use super::fluent_hand::FluentHand;
use super::idp::{Idp, Person};
use super::stage::Stage;
use super::tell::Teller;

/// How long the story waits for a condition before it gives up: far above what any chapter takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(5);

/// Everything that a chapter acts on.
pub(crate) struct World {
    stage: Stage,
    entra: Idp,
    okta: Idp,
    hand: FluentHand,
    teller: Teller,
    pub(crate) expectation: Expectation,
}

impl World {
    pub(crate) async fn new(
        stage: Stage,
        idps: [Idp; 2],
        hand: FluentHand,
        teller: Teller,
    ) -> anyhow::Result<Self> {
        let [entra, okta] = idps;
        Ok(Self {
            expectation: people_in(&stage).await?, // what is there before us must be there after us
            stage,
            entra,
            okta,
            hand,
            teller,
        })
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
        self.stage.activate_rules(rules).await
    }

    /// Prints why the person holds what it holds.
    pub(crate) async fn explain(&mut self, user_name: &str) -> anyhow::Result<()> {
        self.until_settled().await?; // so that it is on record
        let lines = self.stage.explain_lines(user_name).await?;
        self.teller.lines(&lines);
        Ok(())
    }

    /// Waits until Fluent holds exactly what is expected.
    pub(crate) async fn until_as_expected(&self) -> anyhow::Result<()> {
        let differences = async || anyhow::Ok(self.expectation.differences(&people_in(&self.stage).await?));
        if until(async || Ok(differences().await?.is_empty())).await? {
            return Ok(());
        }
        bail!(
            "Fluent is not as expected after {PATIENCE:?}:\n  {}",
            first_lines(&differences().await?)
        )
    }

    /// Waits until the person is held, and gives the reason.
    pub(crate) async fn until_held(&self, user_name: &str) -> anyhow::Result<String> {
        let reasons = async || self.stage.hold_reasons(user_name).await;
        until(async || Ok(!reasons().await?.is_empty())).await?;
        let reason = reasons().await?.into_iter().next();
        reason.context("the person is not held")
    }

    /// Waits until nothing is left to be done for anybody.
    pub(crate) async fn until_settled(&self) -> anyhow::Result<()> {
        if until(async || self.stage.is_quiet().await).await? {
            Ok(())
        } else {
            bail!("the engine is still at work after {PATIENCE:?}")
        }
    }

    async fn user(&self, user_name: &str) -> anyhow::Result<Option<UserSnapshot>> {
        let users = self.stage.users().await?;
        Ok(users.into_iter().find(|user| user.username == user_name))
    }

    /// Waits until the person is INACTIVE in Fluent.
    pub(crate) async fn until_inactive(&self, user_name: &str) -> anyhow::Result<()> {
        let out = async || {
            let user = self.user(user_name).await?;
            Ok(user.is_some_and(|user| user.status == "INACTIVE"))
        };
        if until(out).await? {
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
            .user(user_name)
            .await?
            .context("there is no such user in Fluent")?;
        self.hand.add_role(user.id, role, kind, id).await
    }

    /// How many of these are not in Fluent yet.
    pub(crate) async fn missing_in_fluent(&self, people: &[(Person, String)]) -> anyhow::Result<usize> {
        let fluent = people_in(&self.stage).await?;
        let missing = people
            .iter()
            .filter(|(person, _)| !fluent.0.contains_key(&person.user_name));
        Ok(missing.count())
    }

    /// How many users were created after the leaver was made INACTIVE, by Fluent's own journal.
    pub(crate) async fn created_after_the_leaver(&self, user_name: &str) -> anyhow::Result<usize> {
        let journal = self.stage.journal().await?;
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
    pub(crate) async fn verdict(&mut self) -> anyhow::Result<bool> {
        let fluent = people_in(&self.stage).await?;
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
        Ok(differences.is_empty())
    }

    /// The addresses, for `--keep`.
    pub(crate) fn addresses(&self) -> Vec<(&'static str, String)> {
        self.stage.addresses()
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
        self.stage.stop().await
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
async fn until(condition: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<bool> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if condition().await? {
            return Ok(true);
        }
        tokio::time::sleep(GLANCE).await;
    }
    condition().await
}

/// Everybody in Fluent, in the words of the expectation.
async fn people_in(stage: &Stage) -> anyhow::Result<Expectation> {
    let users = stage.users().await?;
    let people: BTreeMap<String, Expected> = users
        .iter()
        .map(|user| (user.username.clone(), expected(user)))
        .collect();
    Ok(Expectation(people))
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
