//! The tables of several runs inside a document that people write.
//!
//! Knows two marks for each benchmark. Everything outside them stays as it is.

use crate::{behaviour, report::Report};

/// What tables stand between.
#[derive(Debug)]
pub struct Marks {
    begin: &'static str,
    end: &'static str,
}

/// The marks of SegBench.
pub const SEGMENTS: Marks = Marks {
    begin: "<!-- tables: written by `make bench-docs` -->\n",
    end: "<!-- end of the tables -->",
};

/// The marks of the behaviour benchmark.
pub const BEHAVIOUR: Marks = Marks {
    begin: "<!-- behaviour: written by `segbench behaviour doc` -->\n",
    end: "<!-- end of behaviour -->",
};

/// The drawing of all runs, where `make bench-docs` leaves it.
const PLOT: &str = "![time against users](../benches/results/times.svg)\n";

/// The drawing and the tables, fewest users first.
pub fn tables(reports: &[Report]) -> String {
    let mut reports: Vec<&Report> = reports.iter().collect();
    reports.sort_by_key(|report| report.users);
    let tables: Vec<String> = reports.iter().map(|report| report.to_markdown()).collect();
    format!("{PLOT}\n{}", tables.join("\n"))
}

/// The tables of the behaviour benchmark, fewest users first.
pub fn behaviour_tables(mut reports: Vec<behaviour::report::Report>) -> String {
    reports.sort_by_key(|report| (report.users, report.events));
    let tables: Vec<String> = reports.iter().map(|report| report.to_markdown()).collect();
    tables.join("\n")
}

impl Marks {
    /// The document with these tables instead of those that it has; `None` without marks.
    pub fn replaced(&self, document: &str, tables: &str) -> Option<String> {
        let Self { begin, end } = self;
        let (before, rest) = document.split_once(begin)?;
        let (_, after) = rest.split_once(end)?;
        Some(format!("{before}{begin}\n{tables}\n{end}{after}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let Marks { begin, end } = SEGMENTS;
        let replaced = |document: &str, tables| SEGMENTS.replaced(document, tables);
        let document = format!("# Head\n{begin}old\n{end}\ntail");
        let new = replaced(&document, "new").unwrap_or_default();
        assert_eq!(new, format!("# Head\n{begin}\nnew\n{end}\ntail"));
        assert_eq!(replaced(&new, "new").as_deref(), Some(new.as_str()));
        assert_eq!(replaced("# Head", "new"), None);
        assert_eq!(replaced(&format!("{end}{begin}"), "new"), None);
    }

    #[test]
    fn runs_stand_in_the_order_of_their_users() {
        let text = tables(&[testing::report(10_000_000), testing::report(1_000_000)]);
        let (one, ten) = (text.find("## 1,000,000 "), text.find("## 10,000,000 "));
        assert!(one.is_some() && one < ten);
    }
}
