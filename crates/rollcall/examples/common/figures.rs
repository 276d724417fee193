//! Times, shares and the processor time of each part of the process.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Clock ticks of `/proc` per second on Linux.
const TICKS: f64 = 100.0;

/// What the machine is, and how busy it was before we began.
pub(crate) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores, load {}", load())
}

/// The load of the last minute.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    text.split(' ').next().unwrap().to_owned()
}

/// Milliseconds since 1970, with fractions.
pub(crate) fn wall_ms() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
        * 1000.0
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Name and processor seconds of a thread or process by its folder in `/proc`; none when it has ended.
fn used_by(folder: &Path) -> Option<(String, f64)> {
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let (name, rest) = stat.split_once('(').unwrap().1.rsplit_once(')').unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    Some((name.to_owned(), ticks / TICKS))
}

/// Processor seconds of another process.
pub(crate) fn processor_of(process: u32) -> f64 {
    used_by(Path::new(&format!("/proc/{process}"))).map_or(0.0, |(_, seconds)| seconds)
}

/// Processor seconds of the engine's threads, the simulator's and the load generator's.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Processor {
    pub(crate) engine: f64,
    pub(crate) simulator: f64,
    pub(crate) load: f64,
}

impl Processor {
    pub(crate) fn now() -> Self {
        let mut used = Self::default();
        for task in std::fs::read_dir("/proc/self/task").unwrap() {
            let task = task.unwrap();
            let is_first = task.file_name().to_str() == Some(&std::process::id().to_string());
            let Some((name, seconds)) = used_by(&task.path()) else {
                continue; // it has just ended
            };
            let part = match name {
                name if name.starts_with("simulator") => &mut used.simulator,
                name if name.starts_with("load") || is_first => &mut used.load,
                _ => &mut used.engine,
            };
            *part += seconds;
        }
        used
    }

    pub(crate) fn since(self) -> Self {
        let now = Self::now();
        Self {
            engine: now.engine - self.engine,
            simulator: now.simulator - self.simulator,
            load: now.load - self.load,
        }
    }

    /// Microseconds per request: engine, simulator, load generator.
    pub(crate) fn each(self, requests: usize) -> String {
        let us = |seconds: f64| seconds * 1e6 / requests.max(1) as f64;
        format!(
            "CPU µs each: engine {:.0}, simulator {:.0}, load {:.0}",
            us(self.engine),
            us(self.simulator),
            us(self.load)
        )
    }
}

/// A collection of times in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    pub(crate) fn add(&mut self, ms: f64) {
        self.0.push(ms);
    }

    pub(crate) fn time(&mut self, since: Instant) {
        self.add(since.elapsed().as_secs_f64() * 1000.0);
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The one that was added first.
    pub(crate) fn first(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    /// The value that this share (per hundred) of all is not above.
    pub(crate) fn at(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        sorted
            .get((sorted.len() * percent / 100).min(last))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "p50 {:.2} ms  p99 {:.2} ms  worst {:.2} ms  (n {})",
            self.at(50),
            self.at(99),
            self.at(100),
            self.len()
        )
    }
}

pub(crate) fn head(title: &str) {
    println!("\n{title}  [load {}]", load());
}

pub(crate) fn row(name: &str, value: impl std::fmt::Display) {
    println!("  {name:<58} {value}");
}

pub(crate) fn rate(name: &str, count: usize, took: Duration, more: &str) -> f64 {
    let rate = count as f64 / took.as_secs_f64();
    row(
        name,
        format!("{rate:>9.0}/s  ({count} in {:.2} s)  {more}", took.as_secs_f64()),
    );
    rate
}
