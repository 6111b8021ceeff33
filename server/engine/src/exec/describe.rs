//! Expressions and operators as `EXPLAIN` shows them: with names instead of ids.

mod behaviour;

use std::fmt::Write;

use crate::{
    behaviour::first_day_of_month,
    ids::{AttributeId, RowId, TagId, ValueCode},
    plan::{
        logical::{Expr, Leaf, Range},
        physical::{Operation, Plan},
    },
    schema::{AttributeKind, Schema},
    time,
};

/// Characters of an expression that are shown.
const TEXT_CHARS_MAX: usize = 2000;
/// Keys of a list that are shown.
const KEYS_SHOWN: usize = 3;

/// An expression on one line, cut where it is very long.
pub(crate) fn expression(schema: &Schema, expr: &Expr) -> String {
    let mut text = String::new();
    write_expr(schema, expr, &mut text);
    if text.len() > TEXT_CHARS_MAX {
        text = text.chars().take(TEXT_CHARS_MAX).chain(['…']).collect();
    }
    text
}

fn write_expr(schema: &Schema, expr: &Expr, text: &mut String) {
    if text.len() > TEXT_CHARS_MAX {
        return;
    }
    match expr {
        Expr::All => text.push_str("ALL"),
        Expr::None => text.push_str("NOBODY"),
        Expr::Leaf(leaf) => text.push_str(&leaf_text(schema, leaf)),
        Expr::Not(inner) => {
            text.push_str("NOT ");
            write_operand(schema, inner, text);
        }
        Expr::And(of) => write_operands(schema, of, " AND ", text),
        Expr::Or(of) => write_operands(schema, of, " OR ", text),
        Expr::AtLeast { threshold, of } => {
            // Writing to a string does not fail.
            let _ = write!(text, "AT LEAST {threshold} OF (");
            write_operands(schema, of, ", ", text);
            text.push(')');
        }
    }
}

fn write_operands(schema: &Schema, of: &[Expr], between: &str, text: &mut String) {
    for (index, operand) in of.iter().enumerate() {
        if index > 0 {
            text.push_str(between);
        }
        write_operand(schema, operand, text);
    }
}

fn write_operand(schema: &Schema, expr: &Expr, text: &mut String) {
    match expr {
        Expr::And(_) | Expr::Or(_) => {
            text.push('(');
            write_expr(schema, expr, text);
            text.push(')');
        }
        Expr::All | Expr::None | Expr::Leaf(_) | Expr::Not(_) | Expr::AtLeast { .. } => {
            write_expr(schema, expr, text);
        }
    }
}

fn leaf_text(schema: &Schema, leaf: &Leaf) -> String {
    match leaf {
        Leaf::Tag(id) => tag(schema, *id),
        Leaf::Present(id) => format!("{} IS PRESENT", attribute(schema, *id)),
        Leaf::Value(id, code) => value(schema, *id, *code),
        Leaf::Range(id, bounds) => range(schema, *id, *bounds),
        Leaf::Text(id, text) => format!("{}:{text:?}", attribute(schema, *id)),
        Leaf::Keys(keys) => {
            let shown: Vec<String> = keys
                .iter()
                .take(KEYS_SHOWN)
                .map(|key| format!("{key:?}"))
                .collect();
            let more = if keys.len() > KEYS_SHOWN { ", …" } else { "" };
            format!("user:({}{more})", shown.join(", "))
        }
        Leaf::Behaviour(of) => behaviour::text(schema, of),
    }
}

fn tag(schema: &Schema, id: TagId) -> String {
    schema.tag_by_id(id).map_or_else(
        || format!("tag:#{}", id.0),
        |tag| format!("tag:{}", tag.name),
    )
}

fn attribute(schema: &Schema, id: AttributeId) -> String {
    let attribute = schema.attribute_by_id(id);
    attribute.or_else(|| schema.property_by_id(id)).map_or_else(
        || format!("#{}", id.0),
        |attribute| attribute.name.to_string(),
    )
}

fn value(schema: &Schema, id: AttributeId, code: ValueCode) -> String {
    format!(
        "{}:{}",
        attribute(schema, id),
        schema.value_text(id, code).unwrap_or("?")
    )
}

fn range(schema: &Schema, id: AttributeId, range: Range) -> String {
    let bound = |bound: i64| number(schema, id, bound);
    let bounds = match (range.low, range.high) {
        (low, high) if low == high => bound(low),
        (i64::MIN, high) => format!("..{}", bound(high)),
        (low, i64::MAX) => format!("{}..", bound(low)),
        (low, high) => format!("{}..{}", bound(low), bound(high)),
    };
    format!("{}:{bounds}", attribute(schema, id))
}

fn number(schema: &Schema, id: AttributeId, number: i64) -> String {
    let attribute = schema.attribute_by_id(id);
    let Some(attribute) = attribute.or_else(|| schema.property_by_id(id)) else {
        return number.to_string();
    };
    match attribute.kind {
        AttributeKind::Decimal { scale } => {
            crate::plan::resolve::decimal_text(number.into(), scale)
        }
        AttributeKind::Date => {
            i32::try_from(number).map_or_else(|_| number.to_string(), time::format_date)
        }
        AttributeKind::Timestamp => time::format_timestamp(number),
        AttributeKind::Integer
        | AttributeKind::Enum(_)
        | AttributeKind::Multi(_)
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User => number.to_string(),
    }
}

/// An operator, without its inputs.
pub(crate) fn operator(schema: &Schema, plan: &Plan) -> String {
    match &plan.operation {
        Operation::Nothing => "nobody".to_owned(),
        Operation::Row(row) => format!("row {}", row_text(schema, *row)),
        Operation::Slices(id, bounds) => format!("slices {}", range(schema, *id, *bounds)),
        Operation::Ids(lists) => format!("{} users by id", lists.count()),
        Operation::Behaviour(of) => behaviour::operator(schema, of),
        Operation::Union(of) => format!("union of {}", of.len()),
        Operation::Intersect { keep, drop } if drop.is_empty() => {
            format!("intersection of {}", keep.len())
        }
        Operation::Intersect { keep, drop } => {
            format!("intersection of {} without {}", keep.len(), drop.len())
        }
        Operation::Threshold { threshold, of } => format!("at least {threshold} of {}", of.len()),
    }
}

fn row_text(schema: &Schema, row: RowId) -> String {
    match row {
        RowId::Users => "all users".to_owned(),
        RowId::Tag(id) => tag(schema, id),
        RowId::Present(id) => format!("{} IS PRESENT", attribute(schema, id)),
        RowId::Value(id, code) => value(schema, id, code),
        RowId::Sign(id) => format!("{} < 0", attribute(schema, id)),
        RowId::Slice(id, bit) => format!("{} bit {bit}", attribute(schema, id)),
        RowId::Did(event) => format!("did:{}", behaviour::name(schema, event)),
        RowId::DidInMonth(event, month) => {
            let day = time::format_date(first_day_of_month(month));
            format!(
                "did:{} in the month of {day}",
                behaviour::name(schema, event)
            )
        }
        RowId::DidOnDay(event, day) => {
            let day = time::format_date(day);
            format!("did:{} on {day}", behaviour::name(schema, event))
        }
    }
}
