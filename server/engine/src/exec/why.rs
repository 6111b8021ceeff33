//! `WHY`: why one user is in an expression, or is not, from the user's record and events alone.
//!
//! Rows `depth`, `expression` (indented by its depth), `holds`, `value` (what is so of the user
//! where a leaf asks) and `changes`: for a user who is not in the expression, the leaves of a
//! smallest set whose change would bring the user in, marked with what they would have to be.
//! Rules and saved segments that the expression names are unfolded one level.
//!
//! What is smallest is found from the leaves up: of each part of the tree the least number of
//! leaves to change for it to hold, and for it not to. That is exact as long as no leaf occurs
//! twice. Where one does, its changes count together: then sets of leaves are tried, the small
//! ones first, up to a limit, beyond which a warning says that a smaller set may exist. Leaves
//! are taken to be independent of each other: whether one can change without another, nobody
//! knows.
//!
//! Knows one user. Does not know rows nor plans.

mod smallest;
mod tree;
mod value;

use tessera_query_lang::{
    Limits,
    ast::{self, GroupRule, Layer, Spanned, TagPattern, When},
    parse_group_rule,
};

use crate::{
    budget::Budget,
    datum::{Column, ColumnRole, Datum, Header, ResultKind, Row},
    error::Error,
    exec::{dataset::Dataset, naive},
    plan::{Resolver, logical::Expr},
    schema::{Schema, TagDefinition, TagRule},
    storage::{UserEvent, UserRecord},
    write::show_datum,
};
use smallest::{Change, smallest_change};
use tree::{Builder, Node};

/// Values that a portrait tells of a rule.
const REASONS_MAX: usize = 5;
/// Characters of a rule that a portrait tells.
const RULE_CHARS_MAX: usize = 500;

/// Whom it is about.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The state.
    pub(crate) dataset: &'a dyn Dataset,
    /// The key.
    pub(crate) key: &'a str,
    /// All that is known.
    pub(crate) record: &'a UserRecord,
    /// All that was done.
    pub(crate) events: &'a [UserEvent],
    /// The second of the question.
    pub(crate) at_s: i64,
}

impl Subject<'_> {
    /// Whether the user is in an expression's set.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn is_in(&self, expr: &Expr) -> Result<bool, Error> {
        let Self {
            dataset,
            key,
            record,
            events,
            at_s: _,
        } = *self;
        Ok(naive::referral::matches(
            dataset, expr, key, record, events,
        )?)
    }
}

/// Why, in rows, and what is to be said beside them.
pub(crate) struct Why {
    /// The rows.
    pub(crate) rows: Vec<Row>,
    /// What is not certain.
    pub(crate) warnings: Vec<String>,
}

/// What stands before the rows.
pub(crate) fn header() -> Header {
    let columns = ["depth", "expression", "holds", "value", "changes"];
    let column = |name: &str| Column {
        name: name.to_owned(),
        role: ColumnRole::Value,
    };
    Header {
        kind: ResultKind::Plan,
        columns: columns.into_iter().map(column).collect(),
    }
}

/// Explains an expression.
///
/// # Errors
/// [`crate::plan::ResolveError`], with the place, and when the budget is used up.
pub(crate) fn why(
    resolver: &mut Resolver<'_>,
    schema: &Schema,
    subject: Subject<'_>,
    filter: &ast::Expr,
    budget: &Budget,
) -> Result<Why, Error> {
    let root = Builder::new(resolver, schema, subject, budget).node(filter, 0)?;
    let mut warnings = Vec::new();
    let change = match root.holds {
        true => Change::default(),
        false => smallest_change(&root, budget)?,
    };
    match change {
        Change::Nothing => warnings.push("no change of its leaves makes this hold".to_owned()),
        Change::Unknown => warnings.push(
            "too many leaves occur more than once to find a set that would change it".to_owned(),
        ),
        Change::Found {
            is_smallest: false, ..
        } => warnings.push(
            "some leaves occur more than once: there may be a smaller set that would change it"
                .to_owned(),
        ),
        Change::Found { .. } => {}
    }
    let mut rows = Vec::new();
    write(&root, &change, &mut rows);
    Ok(Why { rows, warnings })
}

/// Why a rule gives a tag to the user: what the rule asks, and what is so.
///
/// # Errors
/// [`crate::plan::ResolveError`], and when the budget is used up.
pub(crate) fn reason(
    resolver: &mut Resolver<'_>,
    schema: &Schema,
    subject: Subject<'_>,
    tag: &TagDefinition,
    budget: &Budget,
) -> Result<String, Error> {
    let pattern = Spanned::synthetic(TagPattern::Name(tag.name.clone()));
    let expr = ast::Expr::Tag(vec![pattern]);
    let node = Builder::new(resolver, schema, subject, budget).node(&expr, 0)?;
    let rule = match schema.rule_of(tag) {
        Some(TagRule::Own(rule)) => rule.to_owned(),
        Some(TagRule::OfGroup(_, rule)) => layer_of(rule, tag),
        None => String::new(),
    };
    let mut known = Vec::new();
    for inner in node.of.iter().chain(&node.shown) {
        values(inner, &mut known);
    }
    known.truncate(REASONS_MAX);
    let rule: String = rule.chars().take(RULE_CHARS_MAX).collect();
    Ok(match known.is_empty() {
        true => rule,
        false => format!("{rule} ({})", known.join("; ")),
    })
}

/// What a group's rule asks of one of its tags.
fn layer_of(rule: &str, tag: &TagDefinition) -> String {
    let layer = match parse_group_rule(rule, &Limits::default()) {
        Ok(GroupRule::Layers(layers)) => when(&layers, tag, |condition| condition.to_string()),
        Ok(GroupRule::Bands { of, bands }) => {
            when(&bands, tag, |band| format!("{of} within {band}"))
        }
        Ok(GroupRule::Percentiles { of, bands }) => when(&bands, tag, |band| {
            format!("percentile of {of} within {band}")
        }),
        Err(_) => None,
    };
    layer.unwrap_or_else(|| rule.to_owned())
}

/// The condition of a tag's layer, if it has one.
fn when<T>(
    layers: &[Layer<T>],
    tag: &TagDefinition,
    show: impl Fn(&T) -> String,
) -> Option<String> {
    let layer = layers.iter().find(|layer| layer.tag.node == tag.name)?;
    Some(match &layer.when {
        When::If(condition) => show(condition),
        When::Otherwise => "no layer before fits".to_owned(),
    })
}

/// What is so of the user, leaf by leaf.
fn values(node: &Node, known: &mut Vec<String>) {
    if node.value != Datum::Null {
        known.push(format!("{}: {}", node.text, show_datum(&node.value)));
    }
    for inner in node.of.iter().chain(&node.shown) {
        values(inner, known);
    }
}

/// The rows of a node and those beneath it.
fn write(node: &Node, change: &Change, rows: &mut Vec<Row>) {
    let text = format!("{}{}", "  ".repeat(node.depth), node.text);
    let changes = match node.leaf {
        Some(leaf) if change.has(leaf) => match node.holds {
            true => Datum::Text("must not hold".to_owned()),
            false => Datum::Text("must hold".to_owned()),
        },
        Some(_) | None => Datum::Null,
    };
    rows.push(vec![
        Datum::Integer(i64::try_from(node.depth).unwrap_or(i64::MAX)),
        Datum::Text(text),
        Datum::Boolean(node.holds),
        node.value.clone(),
        changes,
    ]);
    for child in node.of.iter().chain(&node.shown) {
        write(child, change, rows);
    }
}

#[cfg(test)]
mod tests;
