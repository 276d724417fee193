//! One table of the file, read key by key as [`super::KEYS`] says; mistakes are noted and reading goes on.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::keys::{Form, Key, find, names_below};
use super::near::nearest;
use super::problem::Problem;
use super::values;

/// Keys by which people try to write a secret into the file.
const SECRET_NAMES: [&str; 4] = ["token", "password", "client_secret", "secret"];

/// The file's text and what was found wrong with it so far.
pub(super) struct Source<'a> {
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
}

impl<'a> Source<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self {
            text,
            problems: RefCell::new(Vec::new()),
        }
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        let before = self.text.as_bytes().get(..byte).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    pub(super) fn note(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }
}

/// A table and its path.
pub(super) struct Section<'a> {
    source: &'a Source<'a>,
    path: &'static str,
    /// `None`: the table is absent, and everything in it has its default.
    table: Option<&'a DeTable<'a>>,
    line: Option<usize>,
}

impl<'a> Section<'a> {
    /// The whole file.
    pub(super) const fn root(source: &'a Source<'a>, table: &'a DeTable<'a>) -> Self {
        Self {
            source,
            path: "",
            table: Some(table),
            line: None,
        }
    }

    fn join(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn value(&self, name: &str) -> Option<(&'a DeValue<'a>, usize)> {
        let (_, value) = self
            .table?
            .iter()
            .find(|(key, _)| key.get_ref().as_ref() == name)?;
        Some((value.get_ref(), self.source.line(value.span().start)))
    }

    /// True when the key is there, whatever it holds.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// True when the key is there and holds a text.
    pub(super) fn is_text(&self, name: &str) -> bool {
        matches!(self.value(name), Some((DeValue::String(_), _)))
    }

    /// Notes that the key holds something wrong.
    pub(super) fn wrong(&self, name: &str, what: impl Into<String>, expected: Option<String>) {
        let line = self.value(name).map(|(_, line)| line).or(self.line);
        let problem = Problem {
            line,
            key: self.join(name),
            what: what.into(),
            expected,
        };
        self.source.note(problem);
    }

    /// Notes that the key is not there and must be.
    pub(super) fn missing(&self, name: &str, expected: Option<String>) {
        self.wrong(name, "is missing", expected);
    }

    /// A table below this one; its path must be one of the keys' sections. Absent tables read as their
    /// defaults.
    pub(super) fn section(&self, path: &'static str) -> Self {
        let name = last(path);
        let (table, line) = match self.value(name) {
            None => (None, self.line),
            Some((DeValue::Table(table), line)) => (Some(table), Some(line)),
            Some((other, line)) => {
                let expected = Some(format!("a table: [{path}]"));
                self.wrong(name, format!("is {}", kind(other)), expected);
                (None, Some(line))
            }
        };
        Self {
            source: self.source,
            path,
            table,
            line,
        }
    }

    /// The tables of a list below this one that need not be there.
    pub(super) fn sections_if_any(&self, path: &'static str) -> Vec<Self> {
        if self.has(last(path)) {
            self.sections(path)
        } else {
            Vec::new()
        }
    }

    /// The tables of a list below this one (`[[tenant]]`).
    pub(super) fn sections(&self, path: &'static str) -> Vec<Self> {
        let name = last(path);
        let expected = || Some(format!("at least one [[{path}]]"));
        let entries = match self.value(name) {
            None => {
                self.missing(name, expected());
                return Vec::new();
            }
            Some((DeValue::Array(entries), _)) => entries,
            Some((other, _)) => {
                self.wrong(name, format!("is {}", kind(other)), expected());
                return Vec::new();
            }
        };
        if entries.is_empty() {
            self.wrong(name, "is empty", expected());
        }
        let mut sections = Vec::new();
        for entry in entries.iter() {
            match entry.get_ref() {
                DeValue::Table(table) => {
                    let line = Some(self.source.line(entry.span().start));
                    sections.push(Self {
                        source: self.source,
                        path,
                        table: Some(table),
                        line,
                    });
                }
                other => self.wrong(name, format!("holds {}", kind(other)), expected()),
            }
        }
        sections
    }

    /// Notes every key that is none, with the nearest that is.
    pub(super) fn refuse_unknown(&self) {
        let known = names_below(self.path);
        for (key, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let from_elsewhere = [format!("{name}_env"), format!("{name}_file")];
            let expected = if SECRET_NAMES.contains(&name) && known.contains(&from_elsewhere[0].as_str()) {
                Some(format!(
                    "{}: secrets do not stand in this file",
                    from_elsewhere.join(" or ")
                ))
            } else if let Some(near) = nearest(name, known.iter().copied()) {
                Some(format!("did you mean {}?", self.join(near)))
            } else {
                Some(format!("one of {}", known.join(", ")))
            };
            let line = Some(self.source.line(key.span().start));
            let what = "is no key of this table".to_owned();
            self.source.note(Problem {
                line,
                key: self.join(name),
                what,
                expected,
            });
        }
    }

    /// The key's entry in the table of keys, and its value's text: the one given or the default.
    fn read<T>(&self, name: &str, take: impl Fn(&DeValue<'_>, &Key) -> Option<T>) -> Option<T> {
        let key = find(&self.join(name))?; // a test reads every key
        match self.value(name) {
            Some((value, _)) => {
                let taken = take(value, key);
                if taken.is_none() {
                    self.wrong(
                        name,
                        format!("{} is not allowed", shown(value)),
                        Some(expected(key)),
                    );
                }
                taken
            }
            None => {
                if key.required {
                    self.missing(name, Some(expected(key)));
                }
                let default = DeValue::parse(key.default?).ok()?;
                take(default.get_ref(), key)
            }
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.read(name, |value, _| {
            value
                .as_str()
                .filter(|text| !text.trim().is_empty())
                .map(str::to_owned)
        })
    }

    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.read(name, |value, _| value.as_bool())
    }

    /// A text that some type checks itself.
    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.read(name, |value, _| value.as_str()?.parse().ok())
    }

    pub(super) fn choice<T: Copy>(&self, name: &str, meaning: &[(&str, T)]) -> Option<T> {
        self.read(name, |value, _| {
            let word = value.as_str()?;
            meaning
                .iter()
                .find(|(name, _)| *name == word)
                .map(|(_, value)| *value)
        })
    }

    pub(super) fn address(&self, name: &str) -> Option<SocketAddr> {
        self.parsed(name)
    }

    pub(super) fn url(&self, name: &str) -> Option<String> {
        self.read(name, |value, _| values::url(value.as_str()?))
    }

    pub(super) fn path(&self, name: &str, folder: &Path) -> Option<PathBuf> {
        self.text(name).map(|text| folder.join(text))
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        let millis = self.read(name, |value, key| {
            let Form::Duration(from, to) = key.form else {
                return None;
            };
            values::duration(value.as_str()?).filter(|millis| (from..=to).contains(millis))
        });
        millis.map(Duration::from_millis)
    }

    pub(super) fn size(&self, name: &str) -> Option<usize> {
        let bytes = self.read(name, |value, key| {
            let Form::Size(from, to) = key.form else {
                return None;
            };
            values::size(value.as_str()?).filter(|bytes| (from..=to).contains(bytes))
        })?;
        usize::try_from(bytes).ok()
    }

    pub(super) fn integer(&self, name: &str) -> Option<u64> {
        self.read(name, |value, key| {
            let Form::Integer(from, to) = key.form else {
                return None;
            };
            integer(value).filter(|number| (from..=to).contains(number))
        })
    }

    pub(super) fn percent(&self, name: &str) -> Option<f64> {
        self.read(name, |value, _| {
            let whole = integer(value)
                .and_then(|number| u32::try_from(number).ok())
                .map(f64::from);
            let number = whole.or_else(|| value.as_float()?.as_str().parse().ok())?;
            (0.0..=100.0).contains(&number).then_some(number)
        })
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<String>> {
        self.read(name, |value, _| {
            let texts = value.as_array()?.iter().map(|text| text.get_ref().as_str());
            texts
                .map(|text| text.filter(|text| !text.trim().is_empty()).map(str::to_owned))
                .collect()
        })
    }

    /// A list in which every text is read by some type.
    pub(super) fn all_parsed<T: std::str::FromStr>(&self, name: &str) -> Option<Vec<T>> {
        self.read(name, |value, _| {
            let texts = value.as_array()?.iter().map(|text| text.get_ref().as_str());
            texts.map(|text| text?.parse().ok()).collect()
        })
    }

    /// A day or a time, as a text or as TOML writes it.
    pub(super) fn date(&self, name: &str) -> Option<rollcall_domain::Timestamp> {
        self.read(name, |value, _| match value {
            DeValue::String(text) => values::date(text),
            DeValue::Datetime(time) => values::date(&time.to_string()),
            _ => None,
        })
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn expected(key: &Key) -> String {
    match key.form {
        Form::Text => "a text that is not empty".to_owned(),
        Form::Name => {
            "1 to 64 characters of a-z, 0-9, - and _, beginning with a letter or a digit".to_owned()
        }
        Form::Choice(words) => words
            .iter()
            .map(|word| format!("\"{word}\""))
            .collect::<Vec<_>>()
            .join(" or "),
        Form::Address => "an IP address and a port, such as \"127.0.0.1:8080\"".to_owned(),
        Form::Url => "a URL such as \"https://rollcall.example.com\", without query".to_owned(),
        Form::Path => "a path; a relative one starts at the folder of this file".to_owned(),
        Form::SecretEnv => "the name of an environment variable, of A-Z, 0-9 and _".to_owned(),
        Form::SecretFile => "the path of a file".to_owned(),
        Form::Duration(from, to) => {
            let (from, to) = (values::duration_text(from), values::duration_text(to));
            format!("a duration from \"{from}\" to \"{to}\", in ms, s, m, h or d")
        }
        Form::Size(from, to) => {
            let (from, to) = (values::size_text(from), values::size_text(to));
            format!("a size from \"{from}\" to \"{to}\", in B, KiB, MiB or GiB")
        }
        Form::Integer(from, to) => format!("a whole number from {from} to {to}, without quotes"),
        Form::Switch => "true or false, without quotes".to_owned(),
        Form::Percent => "a number from 0 to 100, without quotes".to_owned(),
        Form::Texts => "a list of texts, such as [\"*_admin\"]".to_owned(),
        Form::Networks => "a list of IP addresses and networks, such as [\"10.0.0.0/8\"]".to_owned(),
        Form::Holes => {
            "a list of holes as the error names them: stream/partition/first-last, such as [\"events/0/6-9\"]"
                .to_owned()
        }
        Form::Date => "a day such as \"2027-01-31\", or a time such as \"2027-01-31T09:30:00Z\"".to_owned(),
        Form::ClientId => "1 to 48 characters of A-Z, a-z, 0-9, -, _ and .".to_owned(),
        Form::TokenName => {
            "1 to 32 characters of a-z, 0-9, -, _ and ., beginning with a letter or a digit".to_owned()
        }
    }
}

/// Longest value that is repeated in an error, in characters.
const SHOWN_MAX: usize = 60;

fn shown(value: &DeValue<'_>) -> String {
    let text = match value {
        DeValue::String(text) => format!("{:?}", text.as_ref()),
        DeValue::Integer(number) => number.as_str().to_owned(),
        DeValue::Float(number) => number.as_str().to_owned(),
        other => return kind(other).to_owned(),
    };
    if text.chars().count() > SHOWN_MAX {
        return format!("{}…", text.chars().take(SHOWN_MAX).collect::<String>());
    }
    text
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
