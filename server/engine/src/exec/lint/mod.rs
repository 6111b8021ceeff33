//! `LINT TAGS`: what makes a system of labels hard to use, as rows `kind`, `tag`, `other`,
//! `figure`, `advice`.
//!
//! Knows tags, who holds them, and when they were asked for. Says what could be done, and does
//! nothing of it. Archived tags are left alone: they are out of the way.

mod names;
mod pairs;
mod values;

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use tessera_query_lang::{ast::ShowList, keywords::Place, name::Glob, print::NameIn};

use super::{count::count, planner, scan::Context, tag_size};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    error::Error,
    ids::{NumberId, TagId},
    plan::logical::{Leaf, Range},
    schema::{Lifecycle, Schema, TagDefinition, Validity},
    time::{Length, day_of_micros, micros_of_timestamp, second_of_micros},
};
use pairs::{Likeness, Pair, SizedTag};

/// A tag that this part of all users hold, at least, tells nothing of them.
const EVERYBODY_MIN: f64 = 0.95;
/// Days after which a tag that nobody asked for is told.
const UNASKED_DAYS: i32 = 30;

/// What is looked at.
pub(crate) struct Lint<'a> {
    /// The state.
    pub(crate) context: Context<'a>,
    /// The moment.
    pub(crate) now: jiff::Timestamp,
    /// The day on which each tag was last asked for, since days of 1970-01-01.
    pub(crate) asked: HashMap<TagId, i32, RandomState>,
}

/// Findings, and what there is to say about how they came about.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) rows: Vec<Row>,
    pub(crate) warnings: Vec<String>,
}

/// What stands before the rows.
pub(crate) fn header() -> Header {
    let role = |name: &str| match name {
        "figure" => ColumnRole::Measure,
        _ => ColumnRole::Value,
    };
    let column = |name: &str| Column {
        name: name.to_owned(),
        role: role(name),
    };
    Header {
        kind: ResultKind::Definitions,
        columns: ["kind", "tag", "other", "figure", "advice"]
            .map(column)
            .into(),
    }
}

/// One thing to think about.
struct Finding {
    kind: &'static str,
    tag: String,
    other: Option<String>,
    figure: Datum,
    advice: String,
}

impl Finding {
    fn about(kind: &'static str, tag: &TagDefinition, figure: Datum, advice: String) -> Self {
        Self {
            kind,
            tag: tag.name.to_string(),
            other: None,
            figure,
            advice,
        }
    }

    fn is_about(&self, glob: &Glob) -> bool {
        let other = self.other.as_deref();
        glob.matches(&self.tag) || other.is_some_and(|other| glob.matches(other))
    }

    fn row(self) -> Row {
        vec![
            Datum::Text(self.kind.to_owned()),
            Datum::Text(self.tag),
            self.other.map_or(Datum::Null, Datum::Text),
            self.figure,
            Datum::Text(self.advice),
        ]
    }
}

impl Lint<'_> {
    /// Looks at all tags; keeps what is about those that match, as much as is wanted.
    ///
    /// # Errors
    /// When the store fails, or the budget is used up.
    pub(crate) fn run(&self, list: &ShowList) -> Result<Findings, Error> {
        let schema = self.context.dataset.schema().clone();
        let is_in_use = |tag: &&TagDefinition| tag.lifecycle != Lifecycle::Archived;
        let tags: Vec<&TagDefinition> = schema.tags().filter(is_in_use).collect();
        let (mut sized, mut warnings) = (Vec::with_capacity(tags.len()), Vec::new());
        for tag in &tags {
            match tag_size::users_of(self.context, tag, self.now) {
                Ok(users) => sized.push((*tag, users)),
                // Its rule means nothing any more, or too much.
                Err(Error::Resolve(error)) => warnings.push(error.to_string()),
                Err(Error::QueryLimit(error)) => {
                    warnings.push(format!("the tag \"{}\" was not counted: {error}", tag.name));
                }
                Err(error) => return Err(error),
            }
        }
        let users = self.all_users()?;
        let mut findings = coverage(&sized, users);
        findings.extend(self.unasked(&tags)?);
        findings.extend(orphans(&tags));
        findings.extend(self.pairs(&schema, &sized, users, &mut warnings)?);
        findings.extend(alike(&tags, &mut warnings));
        findings.extend(numbered(&tags));
        findings.extend(self.stale(&tags)?);
        if let Some(glob) = &list.like {
            findings.retain(|finding| finding.is_about(glob));
        }
        let max = list.limit.map_or(usize::MAX, |limit| {
            usize::try_from(limit).unwrap_or(usize::MAX)
        });
        findings.truncate(max);
        Ok(Findings {
            rows: findings.into_iter().map(Finding::row).collect(),
            warnings,
        })
    }

    fn all_users(&self) -> Result<u64, Error> {
        let all = crate::plan::logical::Expr::All;
        count(self.context, &planner::plan(self.context, all)?)
    }

    /// Tags that have been there for a while without anybody asking for them.
    fn unasked(&self, tags: &[&TagDefinition]) -> Result<Vec<Finding>, Error> {
        let today = day_of_micros(micros_of_timestamp(self.now));
        let since = today.saturating_sub(UNASKED_DAYS);
        let known = self
            .context
            .dataset
            .tags_noted(since.saturating_sub(UNASKED_DAYS), since)?;
        let known: HashSet<TagId> = known.into_iter().collect();
        let mut findings = Vec::new();
        for tag in tags {
            if tag.lifecycle == Lifecycle::Draft || !known.contains(&tag.id) {
                continue;
            }
            let (figure, advice) = match self.asked.get(&tag.id) {
                Some(day) if *day > since => continue,
                Some(day) => (
                    number(i64::from(today.saturating_sub(*day))),
                    "nobody has asked for it for so many days: deprecate it, or say what it is good for",
                ),
                None => (
                    Datum::Null,
                    "nobody has ever asked for it: deprecate it, or say what it is good for",
                ),
            };
            findings.push(Finding::about("unasked", tag, figure, advice.to_owned()));
        }
        Ok(findings)
    }

    fn pairs(
        &self,
        schema: &Schema,
        sized: &[(&TagDefinition, u64)],
        users: u64,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Finding>, Error> {
        let is_comparable = |(tag, held): &&(&TagDefinition, u64)| {
            schema.rule_of(tag).is_none() && !is_everybody(*held, users)
        };
        let compared = sized
            .iter()
            .filter(is_comparable)
            .map(|(tag, users)| SizedTag {
                tag: tag.id,
                users: *users,
            });
        let at_s = second_of_micros(micros_of_timestamp(self.now));
        let pairs = pairs::find(self.context, compared.collect(), at_s)?;
        if pairs.is_cut {
            warnings.push(format!(
                "of very many tags the {} largest were compared, and at most {} pairs",
                pairs::TAGS_MAX,
                pairs::PAIRS_MAX
            ));
        }
        Ok(pairs
            .found
            .iter()
            .filter_map(|pair| of_pair(schema, pair))
            .collect())
    }

    /// Dynamic tags that nobody was given for more than half of their validity, but for those
    /// that a rule gives.
    fn stale(&self, tags: &[&TagDefinition]) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        for tag in tags {
            let Validity::Dynamic(length) = tag.validity else {
                continue;
            };
            if self.context.dataset.schema().rule_of(tag).is_some() {
                continue;
            }
            if self.is_stale(tag, length)? {
                let still = tag_size::users_of(self.context, tag, self.now)?;
                let advice = "nobody was given it for more than half of its validity: see to whoever should give it, or deprecate it";
                findings.push(Finding::about(
                    "stale",
                    tag,
                    count_of(still),
                    advice.to_owned(),
                ));
            }
        }
        Ok(findings)
    }

    /// Whether a dynamic tag has holdings, none of which began within half of its validity or
    /// goes on for more than that.
    fn is_stale(&self, tag: &TagDefinition, length: Length) -> Result<bool, Error> {
        let now_s = second_of_micros(micros_of_timestamp(self.now));
        let Ok(end_s) = length.after_s(now_s) else {
            return Ok(false);
        };
        let half_s = end_s.saturating_sub(now_s) / 2;
        let beyond = |number: NumberId, second: i64| {
            let low = second.saturating_add(1);
            let high = i64::MAX;
            Leaf::Range(number, Range { low, high })
        };
        let (since, until) = (NumberId::Since(tag.id), NumberId::Until(tag.id));
        Ok(self.any(Leaf::Range(until, Range::FULL))?
            && !self.any(beyond(until, now_s.saturating_add(half_s)))?
            && !self.any(beyond(since, now_s.saturating_sub(half_s)))?)
    }

    fn any(&self, leaf: Leaf) -> Result<bool, Error> {
        self.context.budget.check()?;
        let plan = planner::plan(self.context, leaf.into())?;
        Ok(count(self.context, &plan)? > 0)
    }
}

fn is_everybody(held: u64, users: u64) -> bool {
    users > 0 && held as f64 >= users as f64 * EVERYBODY_MIN
}

/// Tags that nobody, or nearly everybody, holds.
fn coverage(sized: &[(&TagDefinition, u64)], users: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (tag, held) in sized {
        if *held == 0 && tag.lifecycle != Lifecycle::Draft {
            let advice = match tag.lifecycle {
                Lifecycle::Deprecated => "nobody holds it any more: archive it",
                Lifecycle::Draft | Lifecycle::Active | Lifecycle::Archived => {
                    "nobody holds it: give it, or drop it"
                }
            };
            findings.push(Finding::about("nobody", tag, number(0), advice.to_owned()));
        } else if *held > 0 && is_everybody(*held, users) {
            let part = Datum::Real(*held as f64 / users as f64);
            let advice = "nearly everybody holds it: it tells hardly anything of them";
            findings.push(Finding::about("everybody", tag, part, advice.to_owned()));
        }
    }
    findings
}

/// Tags that nobody answers for, and that stand nowhere.
fn orphans(tags: &[&TagDefinition]) -> Vec<Finding> {
    let alone = tags
        .iter()
        .filter(|tag| tag.group.is_none() && tag.notes.owner.is_none());
    alone
        .map(|tag| {
            let name = NameIn(Place::Definition, tag.name.as_str());
            let advice = format!("it has neither group nor owner: ALTER TAG {name} OWNER \"…\"");
            Finding::about("orphan", tag, Datum::Null, advice)
        })
        .collect()
}

fn of_pair(schema: &Schema, pair: &Pair) -> Option<Finding> {
    let (tag, other) = (schema.tag_by_id(pair.tag)?, schema.tag_by_id(pair.other)?);
    let (kind, figure, advice) = match pair.likeness {
        Likeness::Equal(part) => {
            let from = NameIn(Place::Definition, tag.name.as_str());
            let into = NameIn(Place::Definition, other.name.as_str());
            let advice = format!("nearly the same users hold both: MERGE TAG {from} INTO {into}");
            ("equal", part, advice)
        }
        Likeness::Contained(part) => {
            let advice = "nearly all who hold it hold the other: one may follow from the other";
            ("contained", part, advice.to_owned())
        }
    };
    Some(Finding {
        other: Some(other.name.to_string()),
        ..Finding::about(kind, tag, Datum::Real(figure), advice)
    })
}

fn alike(tags: &[&TagDefinition], warnings: &mut Vec<String>) -> Vec<Finding> {
    let compared = &tags[..tags.len().min(names::NAMES_MAX)];
    if compared.len() < tags.len() {
        warnings.push(format!(
            "the first {} names were compared",
            names::NAMES_MAX
        ));
    }
    let texts: Vec<&str> = compared.iter().map(|tag| tag.name.as_str()).collect();
    let pair = |(left, right): (usize, usize)| {
        let advice = "the names look like one: rename or merge one of them".to_owned();
        Some(Finding {
            other: Some((*texts.get(right)?).to_owned()),
            ..Finding::about("names", compared.get(left)?, Datum::Null, advice)
        })
    };
    names::alike(&texts).into_iter().filter_map(pair).collect()
}

fn numbered(tags: &[&TagDefinition]) -> Vec<Finding> {
    let names = tags.iter().map(|tag| tag.name.as_str());
    let finding = |found: values::Numbered<'_>| {
        let attribute = NameIn(Place::Definition, &found.attribute);
        Finding {
            kind: "values",
            tag: found.first.to_owned(),
            other: Some(found.pattern),
            figure: number(found.count as i64),
            advice: format!(
                "numbers tagged one by one are values: DEFINE ATTRIBUTE {attribute} INTEGER"
            ),
        }
    };
    values::numbered(names).into_iter().map(finding).collect()
}

fn number(number: i64) -> Datum {
    Datum::Integer(number)
}

fn count_of(users: u64) -> Datum {
    number(i64::try_from(users).unwrap_or(i64::MAX))
}
