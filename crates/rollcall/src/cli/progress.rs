//! How far a long command has come, on the standard error.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use rollcall_eventlog::copy::{CopyPhase, CopyProgress};

/// How often a line is written where there is no terminal: seldom enough for a log, often enough to see it move.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A bar on a terminal; elsewhere a line now and then.
#[derive(Debug)]
pub(super) enum CopyShown {
    Bar(ProgressBar),
    Lines { next: Option<Instant> },
}

impl CopyShown {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { next: None };
        }
        let bar = ProgressBar::new(0);
        let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {eta} left");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Self::Bar(bar)
    }

    pub(super) fn tell(&mut self, progress: &CopyProgress) {
        match self {
            Self::Bar(bar) => {
                bar.set_message(doing(progress));
                bar.set_length(progress.end);
                bar.set_position(progress.at);
            }
            Self::Lines { next } => {
                if let Some(line) = line(next, progress, Instant::now()) {
                    let _ = writeln!(std::io::stderr().lock(), "{line}"); // whoever reads it may have gone
                }
            }
        }
    }

    pub(super) fn over(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn doing(progress: &CopyProgress) -> String {
    let word = match progress.phase {
        CopyPhase::Comparing => "comparing",
        CopyPhase::Copying => "copying",
    };
    format!("{word} {}/{}", progress.stream, progress.partition)
}

/// The line that is due now, the first one at once.
fn line(next: &mut Option<Instant>, progress: &CopyProgress, now: Instant) -> Option<String> {
    if next.is_some_and(|next| now < next) {
        return None;
    }
    *next = now.checked_add(LINE_EVERY);
    Some(format!(
        "{}: {} of {}, {} records in all",
        doing(progress),
        progress.at,
        progress.end,
        progress.records
    ))
}

#[cfg(test)]
mod tests {
    use rollcall_eventlog::{Partition, Stream};

    use super::*;

    #[test]
    fn a_line_is_told_at_once_and_then_every_few_seconds() {
        let progress = CopyProgress {
            phase: CopyPhase::Copying,
            stream: Stream::Events,
            partition: Partition(3),
            at: 20,
            end: 90,
            records: 70,
        };
        let (mut next, begun) = (None, Instant::now());
        let mut at = |seconds| line(&mut next, &progress, begun + Duration::from_secs(seconds));
        assert_eq!(
            at(0).as_deref(),
            Some("copying events/3: 20 of 90, 70 records in all")
        );
        assert_eq!((at(0), at(4)), (None, None));
        assert!(at(5).is_some());
        assert_eq!(at(9), None);
    }
}
