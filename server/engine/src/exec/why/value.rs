//! What is so of a user where a leaf asks.

use std::collections::BTreeMap;

use tessera_query_lang::ast::{
    self, Edge, Figure as Asked, INVITED_BY, NameRef, Spanned, TagPattern,
};

use super::Subject;
use crate::{
    behaviour::{Behaviour, Question},
    datum::Datum,
    error::Error,
    exec::naive,
    ids::{AttributeId, TagId, ValueCode},
    plan::{
        Resolver,
        logical::{Expr, Leaf},
        rank::Ranked,
    },
    schema::{AttributeClass, AttributeDefinition, Schema, TagDefinition},
    storage::UserEvent,
    time,
};

/// What is so of the user; missing where there is nothing, or nothing to say.
pub(super) fn value(
    resolver: &mut Resolver<'_>,
    schema: &Schema,
    subject: Subject<'_>,
    expr: &ast::Expr,
    resolved: &Expr,
) -> Result<Datum, Error> {
    Ok(match expr {
        ast::Expr::Tag(patterns)
        | ast::Expr::Held { tags: patterns, .. }
        | ast::Expr::Lapsed { tags: patterns, .. } => tags(schema, subject, patterns),
        ast::Expr::Attribute { name, .. } => named(schema, subject, name.node.as_str()),
        ast::Expr::Group { name, .. } => match &name.node {
            NameRef::Name(name) => {
                let group = schema.group(name.as_str());
                said(schema, subject, |tag| {
                    group.is_some_and(|group| schema.is_beneath(tag.id, group.id))
                })
            }
            NameRef::Parameter(_) => Datum::Null,
        },
        ast::Expr::Users(_) => Datum::Text(subject.key.to_owned()),
        ast::Expr::Referral(referral) => match referral.node {
            ast::Referral::ReferredBy(_) | ast::Referral::DescendantsOf(..) => {
                named(schema, subject, INVITED_BY)
            }
            ast::Referral::InviterOf(_) | ast::Referral::Invited(_) => Datum::Null,
        },
        ast::Expr::Behaviour(behaviour) => match &behaviour.node {
            ast::Behaviour::Measure { measure, .. } => {
                let ranked = resolver.ranked_events(measure)?;
                figured(schema, subject, &ranked, &measure.figure)
            }
            ast::Behaviour::Did { .. } | ast::Behaviour::Sequence { .. } => {
                let counts = behaviours(resolved).into_iter();
                let count: usize = counts
                    .map(|of| naive::behaviour::counted(of, subject.events).len())
                    .sum();
                Datum::Integer(i64::try_from(count).unwrap_or(i64::MAX))
            }
            ast::Behaviour::Edge { edge, property, .. } => {
                edge_value(schema, subject, resolved, *edge, property.node.as_str())
            }
            ast::Behaviour::Top { .. } => most_frequent(schema, subject, resolved),
        },
        ast::Expr::All
        | ast::Expr::And(_)
        | ast::Expr::Or(_)
        | ast::Expr::Not(_)
        | ast::Expr::AtLeast { .. }
        | ast::Expr::Segment(_) => Datum::Null,
    })
}

/// How much a user has of what is measured.
pub(super) fn quantity(
    resolver: &mut Resolver<'_>,
    schema: &Schema,
    subject: Subject<'_>,
    of: &ast::Quantity,
) -> Result<Datum, Error> {
    Ok(match of {
        ast::Quantity::Attribute(name) => named(schema, subject, name.node.as_str()),
        ast::Quantity::Events(measure) => {
            let ranked = resolver.ranked_events(measure)?;
            figured(schema, subject, &ranked, &measure.figure)
        }
    })
}

/// What was said of the tags that patterns match.
fn tags(schema: &Schema, subject: Subject<'_>, patterns: &[Spanned<TagPattern>]) -> Datum {
    if let [only] = patterns
        && let TagPattern::Name(name) = &only.node
    {
        let how = schema
            .tag_called(name.as_str())
            .and_then(|tag| how_held(subject, tag.id));
        return how.map_or(Datum::Null, Datum::Text);
    }
    said(schema, subject, |tag| {
        patterns.iter().any(|pattern| match &pattern.node {
            TagPattern::Name(name) => schema
                .tag_called(name.as_str())
                .is_some_and(|named| named.id == tag.id),
            TagPattern::Glob(glob) => {
                tag.lifecycle.is_in_sight() && glob.matches(tag.name.as_str())
            }
            TagPattern::Parameter(_) => false,
        })
    })
}

/// What was said of those of the user's tags that are asked about, by name. Looks at no others.
fn said(schema: &Schema, subject: Subject<'_>, is_asked: impl Fn(&TagDefinition) -> bool) -> Datum {
    let record = subject.record;
    let known = record.tags.iter().chain(record.blocked());
    let mut names: Vec<String> = known
        .filter_map(|tag| schema.tag_by_id(*tag))
        .filter(|tag| is_asked(tag))
        .filter_map(|tag| Some(format!("{}: {}", tag.name, how_held(subject, tag.id)?)))
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => Datum::Null,
        false => Datum::Text(names.join(", ")),
    }
}

/// What was said of a tag of the user: `manual since 2026-01-01T00:00:00Z`, `taken by hand`.
fn how_held(subject: Subject<'_>, tag: TagId) -> Option<String> {
    let second = |second: i64| time::format_timestamp(second.saturating_mul(1_000_000));
    if subject.record.is_blocked(tag) {
        return Some("taken by hand".to_owned());
    }
    let holding = subject.record.holding(tag)?;
    let mut text = holding.source.word().to_owned();
    if let Some(since_s) = holding.since_s() {
        text.push_str(&format!(" since {}", second(since_s)));
    }
    if let Some(until_s) = holding.until_s() {
        text.push_str(&format!(" until {}", second(until_s)));
    }
    Some(text)
}

/// The user's value of an attribute.
fn named(schema: &Schema, subject: Subject<'_>, attribute: &str) -> Datum {
    let Some(attribute) = schema.attribute(attribute) else {
        return Datum::Null;
    };
    let value = subject.record.value(attribute.id);
    value.map_or(Datum::Null, |value| schema.datum(attribute, value))
}

fn behaviours(resolved: &Expr) -> Vec<&Behaviour> {
    let mut found: Vec<&Behaviour> = Vec::new();
    resolved.for_each_leaf(&mut |leaf| {
        if let Leaf::Behaviour(of) = leaf {
            found.push(of);
        }
    });
    found
}

/// A figure of the user's events.
fn figured(schema: &Schema, subject: Subject<'_>, ranked: &Ranked, asked: &Asked) -> Datum {
    let Ranked::Events {
        event,
        filter,
        window,
        figure,
    } = ranked
    else {
        return Datum::Null;
    };
    let behaviour = Behaviour {
        event: *event,
        filter: filter.clone(),
        window: *window,
        question: Question::Did,
    };
    let counted = naive::behaviour::counted(&behaviour, subject.events);
    let found = naive::behaviour::figure(&counted, *figure);
    let property = figure.property().and_then(|id| schema.property_by_id(id));
    match (found, asked) {
        (None, Asked::Count | Asked::Days) => Datum::Integer(0),
        (None, _) => Datum::Null,
        (Some((numerator, denominator)), Asked::Average(_)) => {
            let scale = property.map_or(0, scale_of);
            let whole = 10_f64.powi(scale.into()) * f64::from(denominator);
            Datum::Real(numerator as f64 / whole)
        }
        (Some((units, _)), Asked::Sum(_)) => match property.map_or(0, scale_of) {
            0 => integer(units),
            scale => Datum::Decimal { units, scale },
        },
        (Some((number, _)), Asked::First | Asked::Last) => {
            i64::try_from(number).map_or(Datum::Null, Datum::Timestamp)
        }
        (Some((number, _)), Asked::Min(_) | Asked::Max(_)) => {
            let number = i64::try_from(number).ok();
            let datum = property.zip(number);
            datum.map_or(Datum::Null, |(of, number)| of.kind.datum_of_number(number))
        }
        (Some((number, _)), Asked::Count | Asked::Days) => integer(number),
    }
}

fn integer(number: i128) -> Datum {
    i64::try_from(number).map_or(
        Datum::Decimal {
            units: number,
            scale: 0,
        },
        Datum::Integer,
    )
}

fn scale_of(property: &AttributeDefinition) -> u8 {
    use crate::schema::AttributeKind;
    match property.kind {
        AttributeKind::Decimal { scale } => scale,
        AttributeKind::Enum(_)
        | AttributeKind::Multi(_)
        | AttributeKind::Integer
        | AttributeKind::Date
        | AttributeKind::Timestamp
        | AttributeKind::Boolean
        | AttributeKind::Text
        | AttributeKind::User
        | AttributeKind::Inviter
        | AttributeKind::YearsSince(_) => 0,
    }
}

/// A property of the user's first or last event.
fn edge_value(
    schema: &Schema,
    subject: Subject<'_>,
    resolved: &Expr,
    edge: Edge,
    property: &str,
) -> Datum {
    let Some(behaviour) = behaviours(resolved).first().copied() else {
        return Datum::Null;
    };
    let mut counted = naive::behaviour::counted(behaviour, subject.events);
    counted.sort_by_key(|event| event.time_us);
    let event: Option<&&UserEvent> = match edge {
        Edge::First => counted.first(),
        Edge::Last => counted.last(),
    };
    let kind = schema.event_by_id(behaviour.event);
    let property = kind.and_then(|kind| kind.property(property));
    let value = event.zip(property).and_then(|(event, property)| {
        let number = event.details.number(property.id)?;
        Some(of_number(schema, property, number))
    });
    value.unwrap_or(Datum::Null)
}

fn of_number(schema: &Schema, property: &AttributeDefinition, number: i64) -> Datum {
    match property.kind.class() {
        AttributeClass::Coded | AttributeClass::MultiCoded => match u32::try_from(number) {
            Ok(code) => schema.datum_of_code(property, ValueCode(code)),
            Err(_) => Datum::Null,
        },
        AttributeClass::Numeric | AttributeClass::Textual => property.kind.datum_of_number(number),
    }
}

/// The values of a property that are the most frequent.
fn most_frequent(schema: &Schema, subject: Subject<'_>, resolved: &Expr) -> Datum {
    let Some(behaviour) = behaviours(resolved).first().copied() else {
        return Datum::Null;
    };
    let Question::Top(property, _) = &behaviour.question else {
        return Datum::Null;
    };
    let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
    for event in naive::behaviour::counted(behaviour, subject.events) {
        if let Some(code) = event.details.number(*property) {
            *counts.entry(code).or_insert(0) += 1;
        }
    }
    let most = counts.values().max().copied();
    let codes = counts.iter().filter(|(_, count)| Some(**count) == most);
    let texts: Vec<String> = codes
        .filter_map(|(code, _)| text_of(schema, *property, *code))
        .collect();
    match texts.is_empty() {
        true => Datum::Null,
        false => Datum::List(texts),
    }
}

fn text_of(schema: &Schema, property: AttributeId, code: i64) -> Option<String> {
    let definition = schema.property_by_id(property)?;
    Some(match of_number(schema, definition, code) {
        Datum::Text(text) => text,
        datum @ (Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_)) => crate::write::show_datum(&datum),
    })
}
