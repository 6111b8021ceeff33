//! The column of the tags that rows are given.
//!
//! Knows what makes a tag of a field. Does not know what the tags are for.

use std::collections::HashMap;

use super::super::mapping::TagBy;
use super::super::plan::{Plan, TagRule, bad, is_missing};
use super::super::records::{BadRow, Records};
use super::super::value::Cell;
use super::dictionary::Dictionary;
use super::replace;
use crate::{HoldTerms, LoadColumn};

/// What an item of a rule's column stands for.
#[derive(Debug)]
enum KnownTags {
    /// No tag.
    None,
    /// The tag of this number, which is given.
    Tag(usize),
    /// The tag of this number among those that are taken.
    Taken(usize),
    /// None, for this reason.
    Bad(String),
}

/// The one column of all tags that are given, in the order of their rules, and that of those that
/// are taken.
pub(super) struct TagColumn {
    /// For each rule what its items stand for.
    rules: Vec<Dictionary<KnownTags>>,
    given: Lists,
    held: Option<Held>,
    taken: Lists,
    /// For each rule where its tags end among those given to the row under way.
    next_ends: Vec<usize>,
}

/// A list of tags a row.
struct Lists {
    /// The names of all tags.
    names: Dictionary<String>,
    ends: Vec<u32>,
    codes: Vec<u32>,
    /// The tags of the row under way.
    next: Vec<usize>,
}

impl Lists {
    fn new() -> Self {
        Self {
            names: Dictionary::new(),
            ends: Vec::new(),
            codes: Vec::new(),
            next: Vec::new(),
        }
    }

    /// Takes the tags of the row under way; says how many bytes more that is.
    fn take(&mut self) -> usize {
        let mut bytes = size_of::<u32>() * (1 + self.next.len());
        for number in &self.next {
            let (code, added) = self.names.code(*number);
            self.codes.push(code);
            if added {
                bytes += self.names.values[*number].len() + size_of::<String>();
            }
        }
        self.ends.push(self.codes.len() as u32);
        bytes
    }

    /// The names, ends and codes of the batch, which ends.
    fn finish(&mut self) -> (Vec<String>, Vec<u32>, Vec<u32>) {
        let used = self.names.finish();
        let (rows, codes) = (self.ends.len(), self.codes.len());
        let name = |number: &usize| self.names.values[*number].clone();
        (
            used.iter().map(name).collect(),
            replace(&mut self.ends, rows),
            replace(&mut self.codes, codes),
        )
    }
}

/// How tags are held, where a rule says it.
#[derive(Default)]
struct Held {
    /// The terms of the batch.
    terms: Vec<HoldTerms>,
    places: HashMap<HoldTerms, u32>,
    /// For each code the place of its terms.
    of: Vec<u32>,
    /// For each rule those of the row under way.
    next: Vec<HoldTerms>,
}

impl Held {
    fn place_of(&mut self, terms: HoldTerms) -> u32 {
        *self.places.entry(terms).or_insert_with(|| {
            self.terms.push(terms);
            // No more than rows and rules.
            self.terms.len() as u32 - 1
        })
    }
}

impl TagColumn {
    pub(super) fn of(rules: &[TagRule]) -> Self {
        let says_how = rules.iter().any(|rule| rule.mapping.says_how());
        Self {
            rules: rules.iter().map(|_| Dictionary::new()).collect(),
            given: Lists::new(),
            held: says_how.then(Held::default),
            taken: Lists::new(),
            next_ends: Vec::new(),
        }
    }

    /// Reads the tags of the row under way.
    pub(super) fn read(&mut self, plan: &Plan, row: &Records) -> Result<(), BadRow> {
        self.given.next.clear();
        self.taken.next.clear();
        self.next_ends.clear();
        if let Some(held) = &mut self.held {
            held.next.clear();
        }
        for (rule, items) in plan.tags.iter().zip(&mut self.rules) {
            let mut reading = Reading {
                rule,
                items,
                given: &mut self.given,
                taken: &mut self.taken,
            };
            let read = match rule.column {
                None => reading.always(),
                Some(column) => match row.cell(column) {
                    Ok(cell) => reading.cell(&cell),
                    Err(reason) => Err(reason.to_owned()),
                },
            };
            read.map_err(|reason| bad(row, rule.column.unwrap_or(plan.key), reason))?;
            if let Some(held) = &mut self.held {
                let has_tags = self.given.next.len() > self.next_ends.last().copied().unwrap_or(0);
                held.next.push(match has_tags {
                    true => rule.terms(row)?,
                    false => HoldTerms::default(),
                });
            }
            self.next_ends.push(self.given.next.len());
        }
        Ok(())
    }

    /// Takes the tags of the row under way, which is good; says how many bytes more that is.
    pub(super) fn take(
        &mut self,
        rules: &mut [TagRule],
        definitions: &mut Vec<(usize, String)>,
    ) -> usize {
        let mut bytes = self.given.take() + self.taken.take();
        let mut start = 0;
        for (place, (rule, end)) in rules.iter_mut().zip(&self.next_ends).enumerate() {
            if let Some(held) = &mut self.held
                && *end > start
            {
                let terms = held.next.get(place).copied().unwrap_or_default();
                let terms = held.place_of(terms);
                held.of.resize(held.of.len() + *end - start, terms);
                bytes += size_of::<u32>() * (*end - start) + size_of::<HoldTerms>();
            }
            if rule.is_to_be_defined() {
                let names = &self.given.names.values;
                for number in &self.given.next[start..*end] {
                    rule.define(&names[*number..=*number], place, definitions);
                }
            }
            start = *end;
        }
        bytes
    }

    /// The columns of the batch, which ends: that of tags that are taken only where some are.
    pub(super) fn finish(&mut self) -> Vec<LoadColumn> {
        let (names, ends, codes) = self.given.finish();
        let given = match self.held.as_mut().map(std::mem::take) {
            None => LoadColumn::Tags { names, ends, codes },
            Some(held) => LoadColumn::Holdings {
                names,
                ends,
                codes,
                terms: held.terms,
                of: held.of,
            },
        };
        let mut columns = vec![given];
        let (names, ends, codes) = self.taken.finish();
        if !codes.is_empty() {
            columns.push(LoadColumn::Taken { names, ends, codes });
        }
        let overgrown = |items: &Dictionary<KnownTags>| items.is_overgrown();
        // Those that are taken are no more than there are rules.
        if self.given.names.is_overgrown() || self.rules.iter().any(overgrown) {
            // Items know tags by number: all are forgotten together.
            self.given.names = Dictionary::new();
            self.taken.names = Dictionary::new();
            self.rules
                .iter_mut()
                .for_each(|items| *items = Dictionary::new());
        }
        columns
    }
}

/// Reads the column of one rule.
struct Reading<'a> {
    rule: &'a TagRule,
    items: &'a mut Dictionary<KnownTags>,
    given: &'a mut Lists,
    taken: &'a mut Lists,
}

/// What becomes of a tag that an item names.
enum Named {
    Given(String),
    Taken(String),
}

impl Reading<'_> {
    fn always(&mut self) -> Result<(), String> {
        self.item("", |rule| Ok(rule.mapping.name.clone().map(Named::Given)))
    }

    fn cell(&mut self, cell: &Cell<'_>) -> Result<(), String> {
        match (self.rule.mapping.by, cell) {
            (TagBy::Always, _) | (_, Cell::Missing) => Ok(()),
            (TagBy::NonZero, Cell::Text(text)) => self.item(text, |rule| {
                let cell = Cell::Text(text.as_ref().into());
                Ok(match rule.truth_of(&cell)? {
                    Some(true) => rule.mapping.name.clone().map(Named::Given),
                    Some(false) if rule.mapping.clear => {
                        rule.mapping.name.clone().map(Named::Taken)
                    }
                    Some(false) | None => None,
                })
            }),
            (TagBy::NonZero, Cell::List(_)) => self.rule.truth_of(cell).map(|_| ()),
            (TagBy::Value, Cell::Text(text)) => {
                self.item(text, |rule| match is_missing(text, &rule.missing) {
                    true => Ok(None),
                    false => rule.tag_named(text).map(|tag| Some(Named::Given(tag))),
                })
            }
            (TagBy::Value, Cell::List(_)) => Err("is a list: use by = \"list\"".to_owned()),
            (TagBy::List, Cell::Text(text)) => self.list(text),
            (TagBy::List, Cell::List(items)) => items.iter().try_for_each(|item| self.listed(item)),
        }
    }

    fn list(&mut self, text: &str) -> Result<(), String> {
        if is_missing(text, &self.rule.missing) {
            return Ok(());
        }
        let separator = self.rule.mapping.separator();
        let mut letters = separator.chars();
        match (letters.next(), letters.next()) {
            // Much faster than a search for a text.
            (Some(letter), None) => text.split(letter).try_for_each(|item| self.listed(item)),
            (_, _) => text.split(separator).try_for_each(|item| self.listed(item)),
        }
    }

    fn listed(&mut self, item: &str) -> Result<(), String> {
        self.item(item, |rule| {
            let item = item.trim();
            match item.is_empty() || is_missing(item, &rule.missing) {
                true => Ok(None),
                false => rule.tag_named(item).map(|tag| Some(Named::Given(tag))),
            }
        })
    }

    /// Takes an item, whose tag is asked for when it is the first of its kind.
    fn item(
        &mut self,
        item: &str,
        tag: impl FnOnce(&TagRule) -> Result<Option<Named>, String>,
    ) -> Result<(), String> {
        let (rule, given, taken) = (self.rule, &mut self.given.names, &mut self.taken.names);
        let number = self.items.number(item.as_bytes(), || match tag(rule) {
            Ok(None) => KnownTags::None,
            Ok(Some(Named::Given(name))) => {
                KnownTags::Tag(given.number(name.as_bytes(), || name.clone()))
            }
            Ok(Some(Named::Taken(name))) => {
                KnownTags::Taken(taken.number(name.as_bytes(), || name.clone()))
            }
            Err(reason) => KnownTags::Bad(reason),
        });
        match &self.items.values[number] {
            KnownTags::None => {}
            KnownTags::Tag(number) => self.given.next.push(*number),
            KnownTags::Taken(number) => self.taken.next.push(*number),
            KnownTags::Bad(reason) => return Err(reason.clone()),
        }
        Ok(())
    }
}
