//! Rows as mutations, row by row: what batches of columns are held against.

use super::super::mapping::{MultiMode, TagBy};
use super::super::records::{BadRow, Records};
use super::super::value::Cell;
use super::{AttributeRule, Plan, TagRule, bad, is_missing, items_of};
use crate::HoldTerms;
use crate::cli::session::{Datum, Mutation};

/// What a row becomes.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    /// Changes of the row's user.
    pub(super) mutations: Vec<Mutation>,
    /// Tags to define before, with the number of their rule in the mapping.
    pub(super) definitions: Vec<(usize, String)>,
}

/// The sets that a row gathers before they become mutations.
#[derive(Default)]
struct Gathered {
    values: Vec<(String, Datum)>,
    additions: Vec<(String, Vec<Datum>)>,
    set: Vec<String>,
    /// How these are held, where a rule of the mapping says it.
    terms: Vec<HoldTerms>,
    cleared: Vec<String>,
}

impl Plan {
    /// Whether something is said of how tags are held.
    fn says_how(&self) -> bool {
        self.tags.iter().any(|rule| rule.mapping.says_how())
    }

    /// Turns a row into changes. A row with one bad field is bad as a whole.
    pub(super) fn convert(&mut self, row: &Records) -> Result<Changes, BadRow> {
        let user = self.key_of(row)?;
        let mut gathered = Gathered::default();
        for rule in &self.attributes {
            rule.gather(row, &mut gathered)
                .map_err(|reason| bad(row, rule.column, reason))?;
        }
        let mut names_end = Vec::with_capacity(self.tags.len());
        let says_how = self.says_how();
        for rule in &self.tags {
            rule.gather(row, &mut gathered)
                .map_err(|reason| bad(row, rule.column.unwrap_or(self.key), reason))?;
            if says_how && gathered.terms.len() < gathered.set.len() {
                let terms = rule.terms(row)?;
                gathered.terms.resize(gathered.set.len(), terms);
            }
            names_end.push(gathered.set.len());
        }
        let definitions = self.definitions(&gathered.set, &names_end);
        Ok(Changes {
            mutations: gathered.into_mutations(user.into_owned()),
            definitions,
        })
    }

    /// What a row that is good as a whole needs defined before it; `names_end` says for each
    /// rule where its names end. A name counts as defined from here on, so this is not asked
    /// for a bad row, whose definitions nobody would send.
    fn definitions(&mut self, names: &[String], names_end: &[usize]) -> Vec<(usize, String)> {
        let mut definitions = Vec::new();
        let mut start = 0;
        for (number, (rule, end)) in self.tags.iter_mut().zip(names_end).enumerate() {
            rule.define(&names[start..*end], number, &mut definitions);
            start = *end;
        }
        definitions
    }
}

impl AttributeRule {
    fn gather(&self, row: &Records, gathered: &mut Gathered) -> Result<(), String> {
        let value = self.value_of(&row.cell(self.column)?)?;
        let mode = self.mapping.mode.unwrap_or_default();
        match value {
            Some(Datum::List(items)) if mode == MultiMode::Add => {
                let items = items.into_iter().map(Datum::Text).collect();
                gathered.additions.push((self.name.clone(), items));
            }
            Some(value) => gathered.values.push((self.name.clone(), value)),
            None => {}
        }
        Ok(())
    }
}

impl TagRule {
    fn gather(&self, row: &Records, gathered: &mut Gathered) -> Result<(), String> {
        let Some(column) = self.column else {
            gathered.set.extend(self.mapping.name.clone());
            return Ok(());
        };
        let cell = row.cell(column)?;
        match self.mapping.by {
            TagBy::Always => {}
            TagBy::NonZero => self.gather_truth(&cell, gathered)?,
            TagBy::Value => match &cell {
                Cell::Missing => {}
                Cell::Text(text) if is_missing(text, &self.missing) => {}
                Cell::Text(text) => gathered.set.push(self.tag_named(text)?),
                Cell::List(_) => return Err("is a list: use by = \"list\"".to_owned()),
            },
            TagBy::List => {
                for item in items_of(&cell, self.mapping.separator(), &self.missing) {
                    gathered.set.push(self.tag_named(item)?);
                }
            }
        }
        Ok(())
    }

    fn gather_truth(&self, cell: &Cell<'_>, gathered: &mut Gathered) -> Result<(), String> {
        match self.truth_of(cell)? {
            Some(true) => gathered.set.extend(self.mapping.name.clone()),
            Some(false) if self.mapping.clear => gathered.cleared.extend(self.mapping.name.clone()),
            Some(false) | None => {}
        }
        Ok(())
    }
}

impl Gathered {
    fn into_mutations(self, user: String) -> Vec<Mutation> {
        let mut mutations = Vec::with_capacity(2);
        if !self.values.is_empty() {
            mutations.push(Mutation::Set {
                user: user.clone(),
                values: self.values,
            });
        }
        for (attribute, values) in self.additions {
            mutations.push(Mutation::Add {
                user: user.clone(),
                attribute,
                values,
            });
        }
        if !self.cleared.is_empty() {
            mutations.push(Mutation::Untag {
                user: user.clone(),
                tags: self.cleared,
            });
        }
        if self.terms.is_empty() && !self.set.is_empty() {
            mutations.push(Mutation::Tag {
                user: user.clone(),
                tags: self.set,
            });
        } else {
            let held: Vec<(String, HoldTerms)> = self.set.into_iter().zip(self.terms).collect();
            for alike in held.chunk_by(|(_, left), (_, right)| left == right) {
                mutations.extend(alike.first().map(|(_, terms)| Mutation::Hold {
                    user: user.clone(),
                    tags: alike.iter().map(|(tag, _)| tag.clone()).collect(),
                    terms: *terms,
                }));
            }
        }
        // An untag alone does not make a user, and the row says that there is one.
        let makes_user = |mutation: &Mutation| !matches!(mutation, Mutation::Untag { .. });
        if !mutations.iter().any(makes_user) {
            mutations.insert(0, Mutation::Ensure { user });
        }
        mutations
    }
}
