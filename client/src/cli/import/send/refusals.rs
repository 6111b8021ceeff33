//! Rows that are refused, by us or by the server, and where they are told.
//!
//! Knows which column of a file a refusal is about. Does not know what goes on after it.

use super::super::mapping::Mapping;
use super::super::pending::FoundRow;
use super::super::rejects::Reject;
use super::{Sending, Stop, Strictness};
use crate::bulk::{Refusal, blame::speaks_of};
use crate::cli::error::with_hint;
use crate::cli::session::Mutation;

impl Sending<'_> {
    pub(super) fn refuse(&mut self, row: FoundRow, reason: String) -> Result<(), Stop> {
        let reject = Reject {
            file: self.files.get(row.file).cloned().unwrap_or_default(),
            line: row.line,
            column: None,
            reason,
            record: row.record,
        };
        self.reject(&reject)?;
        match self.strictness {
            Strictness::Strict => Err(Stop::BadRow(reject.told())),
            Strictness::Lenient => Ok(()),
        }
    }

    pub(super) fn take_refusals(&mut self) -> Result<(), Stop> {
        loop {
            let Some(server) = &self.server else {
                return Ok(());
            };
            let Ok(refusal) = server.refusals.try_recv() else {
                return Ok(());
            };
            let reject = self.reject_of(&refusal);
            self.reject(&reject)?;
            if self.strictness == Strictness::Strict {
                return Err(Stop::RefusedRow(reject.told()));
            }
        }
    }

    pub(super) fn reject_of(&self, refusal: &Refusal) -> Reject {
        let (file, line, record) = match self.pending.row_of(refusal.together.start) {
            Some(row) => (row.file, row.line, row.record),
            None => (0, 0, Vec::new()),
        };
        Reject {
            file: self.files.get(file).cloned().unwrap_or_default(),
            line,
            column: column_of(self.mapping, refusal),
            reason: with_hint(&refusal.failure),
            record,
        }
    }

    pub(super) fn reject(&mut self, reject: &Reject) -> Result<(), Stop> {
        self.totals.rejected += 1;
        if let Some(line) = self.rejects.add(reject)? {
            self.progress.aside(|| writeln!(self.stderr, "{line}"))?;
        }
        Ok(())
    }
}

/// The column whose attribute a refusal speaks of.
fn column_of(mapping: &Mapping, refusal: &Refusal) -> Option<String> {
    let names: Vec<&str> = match &refusal.mutation {
        Mutation::Set { values, .. } => values.iter().map(|(name, _)| name.as_str()).collect(),
        Mutation::Add { attribute, .. } | Mutation::Remove { attribute, .. } => vec![attribute],
        Mutation::Ensure { .. }
        | Mutation::Tag { .. }
        | Mutation::Hold { .. }
        | Mutation::Untag { .. }
        | Mutation::DeleteUser { .. } => Vec::new(),
        Mutation::Track(track) => track.values.iter().map(|(name, _)| name.as_str()).collect(),
    };
    let name = match names.as_slice() {
        [only] => Some(*only),
        several => several
            .iter()
            .copied()
            .find(|name| speaks_of(&refusal.failure.message, name)),
    }?;
    let properties = mapping.events.iter().flat_map(|event| &event.properties);
    let properties = properties.map(|rule| (rule.target(), &rule.column));
    let attributes = mapping.attributes.iter();
    let attributes = attributes.map(|rule| (rule.target(), &rule.column));
    let mut rules = attributes.chain(properties);
    let (_, column) = rules.find(|(target, _)| *target == name)?;
    Some(column.clone())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

    use super::*;
    use crate::FailureCode;
    use crate::cli::session::{Datum, Failure};

    #[test]
    fn a_refusal_is_traced_to_its_column() {
        let mapping = Mapping::parse(
            "key = \"id\"\n[[attribute]]\ncolumn = \"sex\"\nname = \"gender\"\ntype = \"enum\"\n\
             [[attribute]]\ncolumn = \"age\"\ntype = \"integer\"\n",
        )
        .unwrap();
        let check = |names: &[&str], message: &str, expected: Option<&str>| {
            let values = names
                .iter()
                .map(|name| ((*name).to_owned(), Datum::Null))
                .collect();
            let refusal = Refusal {
                index: 0,
                together: 0..1,
                mutation: Mutation::Set {
                    user: "u".to_owned(),
                    values,
                },
                failure: Failure {
                    code: FailureCode::Conflict,
                    message: message.to_owned(),
                    span: None,
                    hint: None,
                },
            };
            assert_eq!(
                column_of(&mapping, &refusal).as_deref(),
                expected,
                "{message}"
            );
        };
        check(&["gender"], "no", Some("sex"));
        check(
            &["gender", "age"],
            "attribute `gender` is write-once",
            Some("sex"),
        );
        check(&["gender", "age"], "the language is wrong", None);
        check(&["gender", "age"], "value for age", Some("age"));
    }
}
