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
    /// The tag of this number.
    Tag(usize),
    /// None, for this reason.
    Bad(String),
}

/// The one column of all tags, in the order of their rules.
pub(super) struct TagColumn {
    /// For each rule what its items stand for.
    rules: Vec<Dictionary<KnownTags>>,
    /// The names of all tags.
    names: Dictionary<String>,
    ends: Vec<u32>,
    codes: Vec<u32>,
    held: Option<Held>,
    /// The tags of the row under way, and for each rule where its tags end.
    next: Vec<usize>,
    next_ends: Vec<usize>,
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
            names: Dictionary::new(),
            ends: Vec::new(),
            codes: Vec::new(),
            held: says_how.then(Held::default),
            next: Vec::new(),
            next_ends: Vec::new(),
        }
    }

    /// Reads the tags of the row under way.
    pub(super) fn read(&mut self, plan: &Plan, row: &Records) -> Result<(), BadRow> {
        self.next.clear();
        self.next_ends.clear();
        if let Some(held) = &mut self.held {
            held.next.clear();
        }
        for (rule, items) in plan.tags.iter().zip(&mut self.rules) {
            let mut reading = Reading {
                rule,
                items,
                names: &mut self.names,
                next: &mut self.next,
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
                let has_tags = self.next.len() > self.next_ends.last().copied().unwrap_or(0);
                held.next.push(match has_tags {
                    true => rule.terms(row)?,
                    false => HoldTerms::default(),
                });
            }
            self.next_ends.push(self.next.len());
        }
        Ok(())
    }

    /// Takes the tags of the row under way, which is good; says how many bytes more that is.
    pub(super) fn take(
        &mut self,
        rules: &mut [TagRule],
        definitions: &mut Vec<(usize, String)>,
    ) -> usize {
        let mut bytes = size_of::<u32>() * (1 + self.next.len());
        for number in &self.next {
            let (code, added) = self.names.code(*number);
            self.codes.push(code);
            if added {
                bytes += self.names.values[*number].len() + size_of::<String>();
            }
        }
        self.ends.push(self.codes.len() as u32);
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
                for number in &self.next[start..*end] {
                    rule.define(&self.names.values[*number..=*number], place, definitions);
                }
            }
            start = *end;
        }
        bytes
    }

    /// The column of the batch, which ends.
    pub(super) fn finish(&mut self) -> LoadColumn {
        let used = self.names.finish();
        let rows = self.ends.len();
        let codes = self.codes.len();
        let names = used.iter();
        let names = names.map(|number| self.names.values[*number].clone());
        let names = names.collect();
        let ends = replace(&mut self.ends, rows);
        let codes = replace(&mut self.codes, codes);
        let column = match self.held.as_mut().map(std::mem::take) {
            None => LoadColumn::Tags { names, ends, codes },
            Some(held) => LoadColumn::Holdings {
                names,
                ends,
                codes,
                terms: held.terms,
                of: held.of,
            },
        };
        let overgrown = |items: &Dictionary<KnownTags>| items.is_overgrown();
        if self.names.is_overgrown() || self.rules.iter().any(overgrown) {
            // Items know tags by number: all are forgotten together.
            self.names = Dictionary::new();
            self.rules
                .iter_mut()
                .for_each(|items| *items = Dictionary::new());
        }
        column
    }
}

/// Reads the column of one rule.
struct Reading<'a> {
    rule: &'a TagRule,
    items: &'a mut Dictionary<KnownTags>,
    names: &'a mut Dictionary<String>,
    next: &'a mut Vec<usize>,
}

impl Reading<'_> {
    fn always(&mut self) -> Result<(), String> {
        self.item("", |rule| Ok(rule.mapping.name.clone()))
    }

    fn cell(&mut self, cell: &Cell<'_>) -> Result<(), String> {
        match (self.rule.mapping.by, cell) {
            (TagBy::Always, _) | (_, Cell::Missing) => Ok(()),
            (TagBy::NonZero, Cell::Text(text)) => self.item(text, |rule| {
                let cell = Cell::Text(text.as_ref().into());
                Ok(match rule.truth_of(&cell)? {
                    Some(true) => rule.mapping.name.clone(),
                    Some(false) | None => None,
                })
            }),
            (TagBy::NonZero, Cell::List(_)) => self.rule.truth_of(cell).map(|_| ()),
            (TagBy::Value, Cell::Text(text)) => {
                self.item(text, |rule| match is_missing(text, &rule.missing) {
                    true => Ok(None),
                    false => rule.tag_named(text).map(Some),
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
                false => rule.tag_named(item).map(Some),
            }
        })
    }

    /// Takes an item, whose tag is asked for when it is the first of its kind.
    fn item(
        &mut self,
        item: &str,
        tag: impl FnOnce(&TagRule) -> Result<Option<String>, String>,
    ) -> Result<(), String> {
        let (rule, names) = (self.rule, &mut *self.names);
        let number = self.items.number(item.as_bytes(), || match tag(rule) {
            Ok(None) => KnownTags::None,
            Ok(Some(name)) => {
                let number = names.number(name.as_bytes(), || name.clone());
                KnownTags::Tag(number)
            }
            Err(reason) => KnownTags::Bad(reason),
        });
        match &self.items.values[number] {
            KnownTags::None => {}
            KnownTags::Tag(number) => self.next.push(*number),
            KnownTags::Bad(reason) => return Err(reason.clone()),
        }
        Ok(())
    }
}
