//! The page of tolerance shows the table of the code.

use rollcall_scim::tolerance::{Quirk, Strict, Tolerance, Trace};
use rollcall_tests::golden_part;

fn strict(row: &Tolerance) -> String {
    match row.strict {
        Strict::Same => "the same".to_owned(),
        Strict::Refuses(kind) => format!("400 `{kind}`"),
        Strict::RefusesBy(body, path) => format!("400 `{body}` / `{path}`"),
        Strict::Conflict => "409 `uniqueness`".to_owned(),
        Strict::Otherwise(what) => what.to_owned(),
    }
}

#[test]
fn the_page_of_tolerance_shows_every_row() {
    let mut table = String::from(
        "\n| key | what arrives | what it becomes | from | trace | strict |\n|---|---|---|---|---|---|\n",
    );
    for row in Quirk::ALL.iter().map(|quirk| quirk.row()) {
        let trace = match row.trace {
            Trace::Nothing => "–",
            Trace::Counted => "counted",
            Trace::Noted => "noted",
        };
        table.push_str(&format!(
            "| `{}` | {} | {} | {} | {trace} | {} |\n",
            row.key,
            row.arrives,
            row.becomes,
            row.from,
            strict(row)
        ));
    }
    table.push('\n');
    golden_part("docs/tolerance.md", "tolerance", &table);
}
