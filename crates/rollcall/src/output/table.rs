//! One look for all tables.

use comfy_table::{ContentArrangement, Table, presets};

/// A table with a header; cells are text. Long cells are not broken: a terminal scrolls, and a test compares.
#[must_use]
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    table.add_rows(
        rows.into_iter()
            .map(|row| row.iter().map(|cell| clean(cell)).collect::<Vec<_>>()),
    );
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Names come from outside: what could steer a terminal is shown as a replacement.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_outside_cannot_steer_the_terminal() {
        let text = table(&["name"], [vec!["ida\u{1b}[2J\n".to_owned()]]);
        assert!(!text.contains('\u{1b}') && text.lines().count() == 2, "{text:?}");
    }
}
