//! Arbitrary syntax trees, every node of them in the form the parser yields.

mod behaviour;
mod statements;

use jiff::{Timestamp, civil::Date};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tessera_query_lang::ast::*;
use tessera_query_lang::name::{Glob, Name};

pub(crate) use behaviour::group_rule;
pub(crate) use statements::statement;

/// A node without a place.
fn at<T>(node: T) -> Spanned<T> {
    Spanned::synthetic(node)
}

fn spanned<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Spanned<T>> {
    strategy.prop_map(at)
}

/// One to three of something.
fn some<T: std::fmt::Debug>(strategy: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<T>> {
    vec(strategy, 1..4)
}

/// Texts that look like something else, among ordinary and wild ones.
fn text() -> BoxedStrategy<String> {
    let tricky = prop_oneof![
        Just("all"),
        Just("NOT"),
        Just("tag"),
        Just("tags"),
        Just("Key"),
        Just("like"),
        Just("if"),
        Just("count"),
        Just("share"),
        Just("sum"),
        Just("users"),
        Just("last"),
        Just("invited"),
        Just("otherwise"),
        Just("BANDS"),
        Just("or"),
        Just("within"),
        Just("since"),
        Just("a->b"),
        Just("a.b"),
        Just("now.x"),
        Just("now-3d.x"),
        Just("group"),
        Just("group:x"),
        Just("group:"),
        Just("user"),
        Just("did"),
        Just("at"),
        Just("least"),
        Just("where"),
        Just("with"),
        Just("missing"),
        Just("PRESENT"),
        Just("true"),
        Just("now"),
        Just("today"),
        Just("now-30d"),
        Just("now+30d"),
        Just("now-30x"),
        Just("now-playing"),
        Just("30d"),
        Just("85123A"),
        Just("007"),
        Just("1.5"),
        Just("2026-11-23"),
        Just("promo-*"),
        Just("a*b c"),
        Just("a..b"),
        Just("a."),
        Just("a-"),
        Just("--"),
        Just("a--b"),
        Just("$1"),
        Just("\"quoted\""),
        Just("back\\slash"),
        Just("p50"),
        Just("by"),
        Just("is"),
        Just("desc"),
        Just("limit"),
        Just("order"),
        Just("高价值"),
        Just("e\u{301}"),
        Just("हिन्दी"),
        Just("a b"),
        Just(" "),
    ];
    prop_oneof![
        3 => tricky.prop_map(str::to_owned),
        3 => "[a-z_][a-z0-9_./-]{0,8}",
        1 => any::<String>(),
        1 => "[\\x00-\\x7f\u{80}-\u{a0}]{0,6}",
    ]
    .boxed()
}

fn name() -> impl Strategy<Value = Name> {
    text().prop_filter_map("not a name", |text| Name::new(&text).ok())
}

fn glob() -> impl Strategy<Value = Glob> {
    let patterns = prop_oneof!["[a-z*][a-z0-9*./-]{0,6}", text()];
    patterns.prop_filter_map("not a pattern", |text| Glob::new(&text).ok())
}

fn parameter() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        (1..=u16::MAX).prop_map(Parameter::Position),
        name().prop_map(Parameter::Name)
    ]
}

fn date() -> impl Strategy<Value = Date> {
    (-9999..=9999_i16, 1..=12_i8, 1..=28_i8).prop_filter_map("no date", |(year, month, day)| {
        Date::new(year, month, day).ok()
    })
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    (seconds, prop_oneof![Just(0), 0..1_000_000_i32])
        .prop_filter_map("no timestamp", |(second, micro)| {
            Timestamp::new(second, micro * 1000).ok()
        })
}

fn relative() -> impl Strategy<Value = RelativeTime> {
    let anchor = prop_oneof![Just(TimeAnchor::Now), Just(TimeAnchor::Today)];
    let unit = prop_oneof![
        Just(TimeUnit::Second),
        Just(TimeUnit::Minute),
        Just(TimeUnit::Hour),
        Just(TimeUnit::Day),
        Just(TimeUnit::Week),
        Just(TimeUnit::Month),
        Just(TimeUnit::Year),
    ];
    (
        anchor,
        prop_oneof![Just(0), -400..400_i32, any::<i32>()],
        unit,
    )
        .prop_map(|(anchor, amount, unit)| {
            // Without an amount there is no unit to write: the parser's is the second.
            let unit = if amount == 0 { TimeUnit::Second } else { unit };
            RelativeTime {
                anchor,
                amount,
                unit,
            }
        })
}

fn value() -> BoxedStrategy<Spanned<Value>> {
    let decimal = (any::<i64>(), 1..=18_u8).prop_map(|(units, scale)| Decimal { units, scale });
    spanned(prop_oneof![
        4 => text().prop_map(Value::Text),
        2 => any::<i64>().prop_map(Value::Integer),
        1 => (-200..200_i64).prop_map(Value::Integer),
        1 => decimal.prop_map(Value::Decimal),
        1 => any::<bool>().prop_map(Value::Boolean),
        1 => date().prop_map(Value::Date),
        1 => timestamp().prop_map(Value::Timestamp),
        1 => relative().prop_map(Value::Relative),
        1 => parameter().prop_map(Value::Parameter),
    ])
    .boxed()
}

/// A user's key or a cursor.
fn key() -> impl Strategy<Value = Spanned<Value>> {
    spanned(
        prop_oneof![3 => text().prop_map(Value::Text), 1 => parameter().prop_map(Value::Parameter)],
    )
}

fn name_ref() -> impl Strategy<Value = Spanned<NameRef>> {
    spanned(
        prop_oneof![3 => name().prop_map(NameRef::Name), 1 => parameter().prop_map(NameRef::Parameter)],
    )
}

fn tag_pattern() -> BoxedStrategy<Spanned<TagPattern>> {
    spanned(prop_oneof![
        3 => name().prop_map(TagPattern::Name),
        2 => glob().prop_map(TagPattern::Glob),
        1 => parameter().prop_map(TagPattern::Parameter),
    ])
    .boxed()
}

fn comparison() -> impl Strategy<Value = Comparison> {
    prop_oneof![
        Just(Comparison::Equal),
        Just(Comparison::NotEqual),
        Just(Comparison::Less),
        Just(Comparison::LessOrEqual),
        Just(Comparison::Greater),
        Just(Comparison::GreaterOrEqual),
    ]
}

fn presence() -> impl Strategy<Value = Presence> {
    prop_oneof![Just(Presence::Missing), Just(Presence::Present)]
}

fn attribute_test() -> BoxedStrategy<AttributeTest> {
    let between = (option::of(value()), option::of(value()))
        .prop_filter("a range has an end", |(low, high)| {
            low.is_some() || high.is_some()
        })
        .prop_map(|(low, high)| AttributeTest::Between { low, high });
    prop_oneof![
        some(value()).prop_map(AttributeTest::AnyOf),
        between,
        (comparison(), value())
            .prop_map(|(comparison, value)| AttributeTest::Compare(comparison, value)),
        presence().prop_map(AttributeTest::Is),
        (value(), value()).prop_map(|(first, last)| AttributeTest::Anniversary { first, last }),
    ]
    .boxed()
}

/// Expressions, with `AND` and `OR` flat as the parser leaves them.
pub(crate) fn expr() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        1 => Just(Expr::All),
        3 => some(tag_pattern()).prop_map(Expr::Tag),
        4 => (spanned(name()), attribute_test()).prop_map(|(name, test)| Expr::Attribute { name, test }),
        1 => (name_ref(), presence()).prop_map(|(name, is)| Expr::Group { name, is }),
        1 => some(name_ref()).prop_map(Expr::Segment),
        1 => some(key()).prop_map(Expr::Users),
        5 => behaviour::leaf(),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        let operands = vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            behaviour::referral(inner.clone()),
            operands
                .clone()
                .prop_map(|operands| Expr::And(flat(operands, expr_and))),
            operands.prop_map(|operands| Expr::Or(flat(operands, expr_or))),
            (some(inner), any::<u32>()).prop_map(|(of, seed)| {
                let threshold = at(1 + seed % of.len() as u32);
                Expr::AtLeast { threshold, of }
            }),
        ]
    })
    .boxed()
}

/// The operands, those of the same operator taken apart.
fn flat<T>(operands: Vec<T>, take_apart: impl Fn(T) -> Vec<T>) -> Vec<T> {
    operands.into_iter().flat_map(take_apart).collect()
}

fn expr_and(expr: Expr) -> Vec<Expr> {
    if let Expr::And(operands) = expr {
        operands
    } else {
        vec![expr]
    }
}

fn expr_or(expr: Expr) -> Vec<Expr> {
    if let Expr::Or(operands) = expr {
        operands
    } else {
        vec![expr]
    }
}
