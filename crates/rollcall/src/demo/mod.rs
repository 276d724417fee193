//! `rollcall demo`: the main job as a story, with the real engine over real HTTP against a Fluent simulator.
//!
//! Or the same story told to processes that run already, and compared in the same way.
//!
//! Requests have the shapes that Entra ID and Okta send. What Fluent must hold at the end is written down by the story
//! itself ([`expectation`]), by rules of its own; any difference fails the command.

mod expectation;
mod fluent_hand;
mod idp;
mod stage;
mod story;
mod tell;
mod world;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use rollcall_domain::TenantId;
use rollcall_fluent_sim::{Fault, FaultKind, Seed, Sim, SimConfig};

use self::fluent_hand::FluentHand;
use self::idp::Idp;
use self::stage::{Here, Stage, There};
use self::tell::Teller;
use self::world::World;
use crate::engine::{DemoOptions, Engine, Running};
use crate::output::line;

/// What Fluent holds before the story: roles, a retailer with two warehouses, and users that are not ours.
const SEED: &str = include_str!("seed.json");
/// Each answer of the simulator takes this long at least, and up to as much again: a Fluent over the internet.
const FLUENT_LATENCY_MS: (u64, u64) = (8, 8);
/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 24;
/// Digits that tell the topics of one demonstration from those of others.
const DEMO_DIGITS: usize = 8;

/// Runs the story. Everything lies in a temporary folder that is removed at the end.
///
/// # Errors
/// When a step fails. False when Fluent differs from the expectation at the end.
pub(crate) async fn run(options: DemoOptions) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let teller = Teller::new(options.json);
    teller.say("Rollcall demo: the season at Chicago.");
    let mut world = match &options.running {
        None => build(folder.path(), options.kafka.as_deref(), teller).await?,
        Some(running) => join(running, teller).await?,
    };
    let began = Instant::now();
    let outcome = match story::tell(&mut world).await {
        Ok(()) => world.verdict().await,
        Err(error) => Err(error),
    };
    world.conclude(&outcome, began.elapsed());
    if options.json {
        line(&format!("{:#}", world.to_json(&outcome)));
    }
    if options.keep && !options.json {
        line("\nEverything is left running; Ctrl-C ends it.");
        for (name, address) in world.addresses() {
            line(&format!("  {name:<22} {address}"));
        }
        line(&format!(
            "  {:<22} {}",
            "configuration",
            folder.path().join("rollcall.toml").display()
        ));
        crate::engine::terminated()?.await;
    }
    world.stop().await?;
    outcome
}

async fn build(folder: &Path, kafka: Option<&str>, teller: Teller) -> anyhow::Result<World> {
    let seed: Seed = serde_json::from_str(SEED).context("reading the seed")?;
    let sim = Sim::start(SimConfig {
        seed: Some(seed),
        ..SimConfig::default()
    })
    .await?;
    let tenant = TenantId::new("midwest")?;
    let tokens = [token()?, token()?];
    let config = write_config(folder, &sim, &tokens, kafka)?;
    let engine = Engine::start(config).await?;
    let here = Here { engine, sim, tenant };
    open(Stage::Here(Box::new(here)), tokens, teller).await
}

/// Goes to processes that run already. Nothing of the story may have happened there.
async fn join(running: &Running, teller: Teller) -> anyhow::Result<World> {
    let there = There::new(running.scim.clone(), &running.fluent, running.admin.clone());
    let stage = Stage::There(Box::new(there));
    let seed: Seed = serde_json::from_str(SEED).context("reading the seed")?;
    let found = stage.users().await?.len();
    // The simulator's own API user is there beside those of the seed.
    if found > seed.users.len() + 1 {
        bail!(
            "the simulated Fluent holds {found} users: the story begins with those of its seed alone; begin with \
             empty topics and a simulator started with --seed"
        );
    }
    open(stage, running.tokens.clone(), teller).await
}

async fn open(stage: Stage, tokens: [String; 2], teller: Teller) -> anyhow::Result<World> {
    let (fixed_ms, jitter_ms) = FLUENT_LATENCY_MS;
    let slow = Fault::new(FaultKind::Latency { fixed_ms, jitter_ms });
    stage.inject(slow).await?;
    let [entra_url, okta_url] = stage.scim_urls();
    teller.say(&format!(
        "SCIM at {entra_url}, a Fluent simulator at {}.",
        stage.fluent_url()
    ));
    let [entra, okta] = tokens;
    let idps = [
        Idp::new(entra_url, entra, "Microsoft.Azure.ActiveDirectory"),
        Idp::new(okta_url, okta, "Okta SCIM Client 1.0.0"),
    ];
    let hand = FluentHand::log_in(stage.fluent_url(), &SimConfig::default().credentials).await?;
    World::new(stage, idps, hand, teller).await
}

/// A configuration as an admin would write it, read by the ordinary loader.
fn write_config(
    folder: &Path,
    sim: &Sim,
    tokens: &[String; 2],
    kafka: Option<&str>,
) -> anyhow::Result<crate::config::Config> {
    let credentials = SimConfig::default().credentials;
    let secrets = [
        ("entra.token", tokens[0].as_str()),
        ("okta.token", tokens[1].as_str()),
        ("fluent.password", credentials.password.as_str()),
        ("fluent.secret", credentials.client_secret.as_str()),
    ];
    for (name, secret) in secrets {
        std::fs::write(folder.join(name), secret)?;
    }
    let log = kafka.map(log_in_kafka).transpose()?.unwrap_or_default();
    let text = format!(
        r#"[server]
listen = "127.0.0.1:0"

{log}[[tenant]]
id = "midwest"

[[tenant.connection]]
name = "entra"
token_file = "entra.token"

[[tenant.connection]]
name = "okta"
token_file = "okta.token"

[tenant.fluent]
url = "{url}"
account = "MIDWEST"
username = "{username}"
password_file = "fluent.password"
client_id = "{client_id}"
client_secret_file = "fluent.secret"
concurrency = 16
"#,
        url = sim.url(),
        username = credentials.username,
        client_id = credentials.client_id,
    );
    let file = folder.join("rollcall.toml");
    std::fs::write(&file, text)?;
    Ok(crate::config::load(&file, &|_name| None)?)
}

/// Topics that nobody else uses, each with one copy: a demonstration outlives no broker.
fn log_in_kafka(brokers: &str) -> anyhow::Result<String> {
    let name = token()?;
    let name: String = name.chars().take(DEMO_DIGITS).collect();
    Ok(format!(
        "[log]\nengine = \"kafka\"\n\n[kafka]\nbrokers = {brokers:?}\ntopic_prefix = \"rollcall-demo-{name}.\"\n\
         partitions = 2\naccount_partitions = 4\nreplication = 1\nmin_insync = 1\n\n"
    ))
}

/// A random bearer token, hexadecimal.
fn token() -> anyhow::Result<String> {
    let mut bytes = [0u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).context("drawing a token")?;
    Ok(crate::digest::hex(&bytes))
}
