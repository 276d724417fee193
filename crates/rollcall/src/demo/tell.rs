//! How the story is told: chapters with the time that each took.

use std::fmt::Write as _;
use std::time::Duration;

/// Writes the account to the standard output, as text or, at the end, as one JSON document.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    json: bool,
    chapters: Vec<Chapter>,
    figures: Vec<(String, String)>,
}

#[derive(Debug)]
struct Chapter {
    title: String,
    text: String,
    took: Duration,
}

/// Columns of the text account.
const WIDTH: usize = 100;

impl Teller {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            ..Self::default()
        }
    }

    /// A chapter is over.
    pub(crate) fn chapter(&mut self, title: &str, text: &str, took: Duration) {
        self.chapters.push(Chapter {
            title: title.to_owned(),
            text: text.to_owned(),
            took,
        });
        if !self.json {
            let number = self.chapters.len();
            let time = format!("{:.3} s", took.as_secs_f64());
            let room = WIDTH.saturating_sub(time.len() + 5);
            print(&format!(
                "\n{number:>2}. {title:<room$} {time}\n{}",
                wrapped(text, 4)
            ));
        }
    }

    /// Lines that belong to the last chapter.
    pub(crate) fn lines(&mut self, lines: &[String]) {
        if !self.json {
            for line in lines {
                print(&format!("      {line}"));
            }
        }
    }

    /// Figures at the end.
    pub(crate) fn figures(&mut self, figures: &[(&str, String)]) {
        self.figures.extend(
            figures
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone())),
        );
        if !self.json {
            print("");
            for (name, value) in figures {
                print(&format!("  {name:<40} {value:>10}"));
            }
        }
    }

    /// Plain text outside a chapter.
    pub(crate) fn say(&self, text: &str) {
        if !self.json {
            print(text);
        }
    }

    /// The whole account as JSON.
    pub(crate) fn to_json(&self, outcome: &anyhow::Result<bool>) -> serde_json::Value {
        let chapters: Vec<_> = self
            .chapters
            .iter()
            .map(|c| serde_json::json!({"title": c.title, "text": c.text, "seconds": c.took.as_secs_f64()}))
            .collect();
        let figures: serde_json::Map<String, serde_json::Value> = self
            .figures
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        let error = outcome.as_ref().err().map(|error| format!("{error:#}"));
        let as_expected = matches!(outcome, Ok(true));
        serde_json::json!({"chapters": chapters, "figures": figures, "asExpected": as_expected, "error": error})
    }
}

fn print(text: &str) {
    crate::output::line(text);
}

fn wrapped(text: &str, indent: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        if column == 0 || column + 1 + word.chars().count() > WIDTH {
            if column > 0 {
                lines.push('\n');
            }
            let _ = write!(lines, "{:indent$}{word}", "");
            column = indent + word.chars().count();
        } else {
            let _ = write!(lines, " {word}");
            column += 1 + word.chars().count();
        }
    }
    lines
}
