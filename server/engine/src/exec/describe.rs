//! Expressions and operators as `EXPLAIN` shows them: with names instead of ids.

pub(crate) mod behaviour;

use std::fmt::Write;

use crate::{
    behaviour::first_day_of_month,
    ids::{AttributeId, NumberId, RowId, SliceRow, TagId, ValueCode},
    plan::{
        logical::{Expr, HoldingTest, Leaf, Range, Referral, ReferralQuestion},
        physical::{LookAt, Operation, Plan},
    },
    schema::{AttributeKind, Schema},
    storage::Source,
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
        Leaf::Range(of, bounds) => number_range(schema, *of, *bounds),
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
        Leaf::Referral(of) => referral(schema, of),
        Leaf::Held(id, at_s) => format!("{} at {}", tag(schema, *id), second(*at_s)),
        Leaf::Blocked(id) => format!("{} taken by hand", tag(schema, *id)),
        Leaf::Recorded(id, test) => format!("{}[{}]", tag(schema, *id), holding_test(*test)),
        Leaf::Anniversary(id, _, days) => anniversary(schema, *id, *days),
    }
}

fn referral(schema: &Schema, of: &Referral) -> String {
    match &of.question {
        ReferralQuestion::ReferredBy(of) => format!("referred_by({})", expression(schema, of)),
        ReferralQuestion::InviterOf(of) => format!("inviter_of({})", expression(schema, of)),
        ReferralQuestion::DescendantsOf(of, steps) => {
            format!("descendants_of({}, {steps})", expression(schema, of))
        }
        ReferralQuestion::Invited(range) => {
            format!(
                "count(invited):{}",
                bounds_of(*range, |count| count.to_string())
            )
        }
    }
}

fn anniversary(schema: &Schema, id: AttributeId, days: Range) -> String {
    let day = |day: i64| i32::try_from(day).map_or_else(|_| day.to_string(), time::format_date);
    let (first, last) = (day(days.low), day(days.high));
    format!("{} ANNIVERSARY IN {first}..{last}", attribute(schema, id))
}

fn holding_test(test: HoldingTest) -> String {
    match test {
        HoldingTest::Since(range) => format!("since {}", bounds_of(range, second)),
        HoldingTest::From(sources) => {
            let words: Vec<&str> = sources.iter().map(Source::word).collect();
            format!("source:({})", words.join(", "))
        }
    }
}

fn second(second: i64) -> String {
    time::format_timestamp(second.saturating_mul(1_000_000))
}

/// What is looked up, user by user.
fn look(schema: &Schema, at: LookAt) -> String {
    match at {
        LookAt::Holding(id, test) => {
            format!("records of {}[{}]", tag(schema, id), holding_test(test))
        }
        LookAt::Anniversary(id, _, days) => format!("column {}", anniversary(schema, id, days)),
    }
}

fn number_range(schema: &Schema, number: NumberId, range: Range) -> String {
    match number {
        NumberId::Attribute(id) => self::range(schema, id, range),
        NumberId::Since(id) => {
            format!("{}[since {}]", tag(schema, id), bounds_of(range, second))
        }
        NumberId::Until(id) => {
            format!("{}[until {}]", tag(schema, id), bounds_of(range, second))
        }
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
    let bounds = bounds_of(range, |bound| number(schema, id, bound));
    format!("{}:{bounds}", attribute(schema, id))
}

fn bounds_of(range: Range, bound: impl Fn(i64) -> String) -> String {
    match (range.low, range.high) {
        (i64::MIN, i64::MAX) => "at any time".to_owned(),
        (low, high) if low == high => bound(low),
        (i64::MIN, high) => format!("..{}", bound(high)),
        (low, i64::MAX) => format!("{}..", bound(low)),
        (low, high) => format!("{}..{}", bound(low), bound(high)),
    }
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
        | AttributeKind::User
        | AttributeKind::Inviter
        | AttributeKind::YearsSince(_) => number.to_string(),
    }
}

/// An operator, without its inputs.
pub(crate) fn operator(schema: &Schema, plan: &Plan) -> String {
    match &plan.operation {
        Operation::Nothing => "nobody".to_owned(),
        Operation::Row(row) => format!("row {}", row_text(schema, *row)),
        Operation::Slices(of, bounds) => {
            format!("slices {}", number_range(schema, *of, *bounds))
        }
        Operation::Look { tests, .. } => {
            let tests: Vec<String> = tests.iter().map(|test| look(schema, *test)).collect();
            format!("look, user by user, at {}", tests.join(" and "))
        }
        Operation::Ids(lists) => format!("{} users by id", lists.count()),
        Operation::Found(users) => format!("{} users who were found", users.count()),
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
        RowId::Since(id, row) => format!("{} since, {}", tag(schema, id), slice_text(row)),
        RowId::Blocked(id) => format!("{} taken by hand", tag(schema, id)),
        RowId::Until(id, row) => format!("{} until, {}", tag(schema, id), slice_text(row)),
    }
}

fn slice_text(row: SliceRow) -> String {
    match row {
        SliceRow::Present => "if known".to_owned(),
        SliceRow::Sign => "before 1970".to_owned(),
        SliceRow::Bit(bit) => format!("bit {bit}"),
    }
}
