//! The tables of several runs inside a document that people write.
//!
//! Knows two marks. Everything outside them stays as it is.

use crate::report::Report;

/// What the tables stand between.
const BEGIN: &str = "<!-- tables: written by `make bench-docs` -->\n";
const END: &str = "<!-- end of the tables -->";

/// The drawing of all runs, where `make bench-docs` leaves it.
const PLOT: &str = "![time against users](../benches/results/times.svg)\n";

/// The drawing and the tables, fewest users first.
pub fn tables(reports: &[Report]) -> String {
    let mut reports: Vec<&Report> = reports.iter().collect();
    reports.sort_by_key(|report| report.users);
    let tables: Vec<String> = reports.iter().map(|report| report.to_markdown()).collect();
    format!("{PLOT}\n{}", tables.join("\n"))
}

/// The document with these tables instead of those that it has; `None` without marks.
pub fn replaced(document: &str, tables: &str) -> Option<String> {
    let (before, rest) = document.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{tables}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let document = format!("# Head\n{BEGIN}old\n{END}\ntail");
        let new = replaced(&document, "new").unwrap_or_default();
        assert_eq!(new, format!("# Head\n{BEGIN}\nnew\n{END}\ntail"));
        assert_eq!(replaced(&new, "new").as_deref(), Some(new.as_str()));
        assert_eq!(replaced("# Head", "new"), None);
        assert_eq!(replaced(&format!("{END}{BEGIN}"), "new"), None);
    }

    #[test]
    fn runs_stand_in_the_order_of_their_users() {
        let text = tables(&[testing::report(10_000_000), testing::report(1_000_000)]);
        let (one, ten) = (text.find("## 1,000,000 "), text.find("## 10,000,000 "));
        assert!(one.is_some() && one < ten);
    }
}
