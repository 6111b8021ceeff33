//! Built expressions against the language's own parser: whatever names and values are, the text
//! means what was built.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use proptest::prelude::*;
use tessera_query_lang::{
    Limits, ast,
    name::{Glob, Name},
    parse_expr,
};

use super::*;

/// A built expression, what it should mean, and the values in the order they are sent.
#[derive(Debug, Clone)]
struct Case {
    built: Expr,
    /// None when one of the names is no name at all.
    meant: Option<ast::Expr>,
    values: Vec<Datum>,
}

fn spanned<T>(node: T) -> ast::Spanned<T> {
    ast::Spanned::synthetic(node)
}

fn name(text: &str) -> Option<ast::Spanned<Name>> {
    Name::new(text).ok().map(spanned)
}

/// A parameter whose number is filled in later, when the order of all values is known.
fn value() -> ast::Spanned<ast::Value> {
    spanned(ast::Value::Parameter(ast::Parameter::Position(0)))
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-zA-Z0-9_./*-]{1,8}",
        3 => ".{0,12}",
        1 => prop::sample::select(vec![
            "ALL", "NOT", "tag", "user", "IS", "MISSING", "LIKE", "now", "true", "42", "$1", "2026-11-23",
            "\"", "\\", "\\\"", "\" OR ALL", "a\" OR tag:\"b", "x) OR (y", ";", "--", "/*", "\n", "a\nb", "\0", "\u{202e}x", "..", "é", "e\u{301}",
        ]).prop_map(str::to_owned),
    ]
}

fn any_value() -> impl Strategy<Value = Datum> {
    prop_oneof![
        any::<i64>().prop_map(Datum::Integer),
        any_name().prop_map(Datum::Text),
        any::<bool>().prop_map(Datum::Boolean),
    ]
}

fn tags() -> impl Strategy<Value = Case> {
    prop::collection::vec((any_name(), any::<bool>()), 1..4).prop_map(|names| {
        let built = match names.as_slice() {
            [(one, true)] => tag_like(one),
            [(one, false)] => tag(one),
            many => any_tag(many.iter().map(|(name, _)| name)),
        };
        let meant = names
            .iter()
            .map(|(text, is_glob)| {
                Some(spanned(if names.len() == 1 && *is_glob {
                    ast::TagPattern::Glob(Glob::new(text).ok()?)
                } else {
                    ast::TagPattern::Name(Name::new(text).ok()?)
                }))
            })
            .collect::<Option<_>>()
            .map(ast::Expr::Tag);
        Case {
            built,
            meant,
            values: Vec::new(),
        }
    })
}

fn attributes() -> impl Strategy<Value = Case> {
    (
        any_name(),
        prop::collection::vec(any_value(), 1..4),
        0..10_usize,
    )
        .prop_map(|(text, values, kind)| {
            let first = values[0].clone();
            let second = values[values.len() - 1].clone();
            let one = vec![first.clone()];
            let compare = |comparison| ast::AttributeTest::Compare(comparison, value());
            let between = |low: bool, high: bool| ast::AttributeTest::Between {
                low: low.then(value),
                high: high.then(value),
            };
            let of = attribute(&text);
            let (built, test, values) = match kind {
                0 => (of.is(first), ast::AttributeTest::AnyOf(vec![value()]), one),
                1 => (of.is_not(first), compare(ast::Comparison::NotEqual), one),
                2 => (of.above(first), compare(ast::Comparison::Greater), one),
                3 => (of.below(first), compare(ast::Comparison::Less), one),
                4 => (of.from(first), between(true, false), one),
                5 => (of.up_to(first), between(false, true), one),
                6 => (
                    of.between(first.clone(), second.clone()),
                    between(true, true),
                    vec![first, second],
                ),
                7 => (
                    of.missing(),
                    ast::AttributeTest::Is(ast::Presence::Missing),
                    Vec::new(),
                ),
                8 => (
                    of.present(),
                    ast::AttributeTest::Is(ast::Presence::Present),
                    Vec::new(),
                ),
                _ => {
                    let of_values = values.iter().map(|_| value()).collect();
                    (
                        of.any_of(values.clone()),
                        ast::AttributeTest::AnyOf(of_values),
                        values,
                    )
                }
            };
            let meant = name(&text).map(|name| ast::Expr::Attribute { name, test });
            Case {
                built,
                meant,
                values,
            }
        })
}

fn others() -> impl Strategy<Value = Case> {
    prop_oneof![
        Just(Case {
            built: all(),
            meant: Some(ast::Expr::All),
            values: Vec::new()
        }),
        (any_name(), any::<bool>()).prop_map(|(text, missing)| {
            let (built, is) = if missing {
                (group(&text).missing(), ast::Presence::Missing)
            } else {
                (group(&text).present(), ast::Presence::Present)
            };
            let name = Name::new(&text)
                .ok()
                .map(|name| spanned(ast::NameRef::Name(name)));
            Case {
                built,
                meant: name.map(|name| ast::Expr::Group { name, is }),
                values: Vec::new(),
            }
        }),
        prop::collection::vec(any_name(), 1..4).prop_map(|names| {
            let meant = names
                .iter()
                .map(|text| {
                    Name::new(text)
                        .ok()
                        .map(|name| spanned(ast::NameRef::Name(name)))
                })
                .collect::<Option<_>>()
                .map(ast::Expr::Segment);
            Case {
                built: any_segment(&names),
                meant,
                values: Vec::new(),
            }
        }),
        prop::collection::vec(any_name(), 1..4).prop_map(|keys| Case {
            built: users(&keys),
            meant: Some(ast::Expr::Users(keys.iter().map(|_| value()).collect())),
            values: keys.iter().map(Datum::from).collect(),
        }),
    ]
}

fn join(
    cases: Vec<Case>,
    built: impl FnOnce(Vec<Expr>) -> Expr,
    meant: impl FnOnce(Vec<ast::Expr>) -> ast::Expr,
) -> Case {
    let values = cases.iter().flat_map(|case| case.values.clone()).collect();
    let meant = cases
        .iter()
        .map(|case| case.meant.clone())
        .collect::<Option<_>>()
        .map(meant);
    Case {
        built: built(cases.into_iter().map(|case| case.built).collect()),
        meant,
        values,
    }
}

/// Chains are flat in the tree: an AND has no AND among its operands.
fn chain_and(of: Vec<ast::Expr>) -> ast::Expr {
    ast::Expr::And(
        of.into_iter()
            .flat_map(|expr| {
                if let ast::Expr::And(inner) = expr {
                    inner
                } else {
                    vec![expr]
                }
            })
            .collect(),
    )
}

fn chain_or(of: Vec<ast::Expr>) -> ast::Expr {
    ast::Expr::Or(
        of.into_iter()
            .flat_map(|expr| {
                if let ast::Expr::Or(inner) = expr {
                    inner
                } else {
                    vec![expr]
                }
            })
            .collect(),
    )
}

fn cases() -> impl Strategy<Value = Case> {
    prop_oneof![tags(), attributes(), others()].prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|case| Case {
                built: not(case.built),
                meant: case.meant.map(|expr| ast::Expr::Not(Box::new(expr))),
                values: case.values,
            }),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|of| join(of, all_of, chain_and)),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|of| join(of, any_of, chain_or)),
            prop::collection::vec(inner, 1..4).prop_map(|of| join(
                of,
                |of| at_least(1, of),
                |of| ast::Expr::AtLeast {
                    threshold: spanned(1),
                    of
                }
            )),
        ]
    })
}

/// Gives the parameters their numbers, in the order in which they stand in the text.
fn number(expr: &mut ast::Expr, next: &mut u16) {
    let mut fill = |value: &mut ast::Spanned<ast::Value>| {
        *next += 1;
        value.node = ast::Value::Parameter(ast::Parameter::Position(*next));
    };
    match expr {
        // Of these the generator builds none.
        ast::Expr::Held { .. }
        | ast::Expr::Lapsed { .. }
        | ast::Expr::Behaviour(_)
        | ast::Expr::Referral(_)
        | ast::Expr::Attribute {
            test: ast::AttributeTest::Anniversary { .. },
            ..
        }
        | ast::Expr::All
        | ast::Expr::Tag(_)
        | ast::Expr::Group { .. }
        | ast::Expr::Segment(_)
        | ast::Expr::Attribute {
            test: ast::AttributeTest::Is(_),
            ..
        } => {}
        ast::Expr::Attribute {
            test: ast::AttributeTest::AnyOf(values),
            ..
        }
        | ast::Expr::Users(values) => values.iter_mut().for_each(fill),
        ast::Expr::Attribute {
            test: ast::AttributeTest::Between { low, high },
            ..
        } => {
            low.iter_mut().chain(high).for_each(fill);
        }
        ast::Expr::Attribute {
            test: ast::AttributeTest::Compare(_, value),
            ..
        } => fill(value),
        ast::Expr::Not(inner) => number(inner, next),
        ast::Expr::AtLeast { of, .. } | ast::Expr::And(of) | ast::Expr::Or(of) => {
            of.iter_mut().for_each(|expr| number(expr, next));
        }
    }
}

proptest! {
    #[test]
    fn any_names_and_values_mean_what_was_built(case in cases()) {
        let (text, parameters) = case.built.to_text().unwrap();
        let parsed = parse_expr(&text, &Limits::default());
        match case.meant {
            Some(mut meant) => {
                number(&mut meant, &mut 0);
                prop_assert_eq!(parsed.ok(), Some(meant), "{}", text);
            }
            None => prop_assert!(parsed.is_err(), "{}", text),
        }
        for (position, (parameter, value)) in parameters.iter().zip(&case.values).enumerate() {
            prop_assert_eq!(&parameter.name, &(position + 1).to_string());
            prop_assert_eq!(&parameter.value, value);
        }
        prop_assert_eq!(parameters.len(), case.values.len());
    }
}

#[test]
fn what_names_nothing_is_an_error_and_never_everyone() {
    let check = |expr: Expr, expected: QueryError| assert_eq!(expr.to_text(), Err(expected));
    check(any_tag(Vec::<String>::new()), QueryError::Empty("any tag"));
    check(users(Vec::<String>::new()), QueryError::Empty("users"));
    check(all_of([]), QueryError::Empty("all of"));
    check(any_of([]), QueryError::Empty("any of"));
    check(
        attribute("a").any_of(Vec::<i64>::new()),
        QueryError::Empty("any value"),
    );
    check(
        at_least(0, [all()]),
        QueryError::Threshold {
            threshold: 0,
            of: 1,
        },
    );
    check(
        at_least(2, [all()]),
        QueryError::Threshold {
            threshold: 2,
            of: 1,
        },
    );
    // An error inside is the error of the whole.
    check(
        all().and(not(any_of([]))).or(tag("vip")),
        QueryError::Empty("any of"),
    );
}

#[test]
fn nesting_has_a_limit_and_chains_have_none() {
    let deep = (0..1_000_000).fold(all(), |expr, _| not(expr));
    assert_eq!(deep.to_text(), Err(QueryError::TooDeep(DEPTH_MAX)));
    let wide = all_of((0..1000).map(|number| tag(format!("t{number}"))));
    assert!(wide.to_text().is_ok());
    let just_deep_enough = (1..DEPTH_MAX).fold(all(), |expr, _| not(expr));
    assert!(just_deep_enough.to_text().is_ok());
    assert!(not(just_deep_enough).to_text().is_err());
}

#[test]
fn too_many_values_are_an_error() {
    let keys = |count: usize| users((0..count).map(|number| number.to_string()));
    assert!(keys(65_535).to_text().is_ok());
    assert_eq!(keys(65_536).to_text(), Err(QueryError::TooManyValues));
}

#[test]
fn statements_around_expressions_are_statements() {
    use crate::{CalendarUnit, Comparison, DimensionQuery, Measure, SegmentQuery};
    let check = |built: Result<(String, Vec<Parameter>), QueryError>, expected: &str| {
        let (text, _) = built.unwrap();
        let parse = |text: &str| tessera_query_lang::parse_statement(text, &Limits::default());
        assert_eq!(parse(&text).unwrap(), parse(expected).unwrap(), "{text}");
    };
    check(
        SegmentQuery::new(tag("vip"))
            .returning(["age", "order"])
            .returning_tags()
            .greatest_first("age")
            .by_key()
            .sample(12.5, 7)
            .limit(10)
            .to_text(),
        "SEGMENT tag:vip RETURN age, order, TAGS ORDER BY age DESC, KEY SAMPLE 12.50% SEED 7 LIMIT 10",
    );
    check(
        DimensionQuery::new()
            .by("gender")
            .by_bands("age", [18, 25])
            .by_calendar("signup", CalendarUnit::Month)
            .measure(Measure::Count)
            .measure(Measure::Percentile(50, "spend".to_owned()))
            .having(Measure::Count, Comparison::GreaterOrEqual, 10)
            .having(Measure::Sum("spend".to_owned()), Comparison::Less, 100)
            .greatest_first(Measure::Count)
            .least_first(Measure::Average("spend".to_owned()))
            .top(5)
            .within(tag("vip").or(tag("gold")))
            .to_text(),
        "DIMENSION gender, age[$1, $2], signup BY month MEASURE count, p50(spend) \
         HAVING count >= $3 AND sum(spend) < $4 ORDER BY count DESC, avg(spend) TOP 5 \
         WHERE tag:vip OR tag:gold",
    );
    check(
        DimensionQuery::new()
            .by_tag()
            .by_tags_like(["a*", "b"])
            .by_group("g")
            .to_text(),
        "DIMENSION tag, tag:(a*, LIKE \"b\"), group:g",
    );
    let ads = || event("p").matching(attribute("channel").is("ads"));
    let bought = || ads().within(Window::days(30)).sum("amount");
    check(
        DimensionQuery::new()
            .by_events(ads(), CalendarUnit::Day)
            .by_property(event("p"), "category")
            .by("gender")
            .during(Window::between("x", "y"))
            .measure(Measure::Users)
            .measure(Measure::Events(ads().sum("amount")))
            .greatest_first(Measure::Events(event("p").days()))
            .to_text(),
        "DIMENSION did:p[channel:$1] BY day, did:p.category, gender, $2..$3 \
         MEASURE users, sum(p[channel:$4].amount) ORDER BY days(p) DESC",
    );
    check(
        DimensionQuery::new()
            .by("gender")
            .measure(Measure::Events(bought()))
            .having(Measure::Events(bought()), Comparison::Greater, 1000)
            .to_text(),
        "DIMENSION gender MEASURE sum(p[channel:$1].amount, 30d) \
         HAVING sum(p[channel:$2].amount, 30d) > $3",
    );
    let window = DimensionQuery::new().by_property(ads().within(Window::days(1)), "c");
    assert_eq!(window.to_text(), Err(QueryError::Window));
    let tagged = event("p").matching(tag("a")).count();
    let measured = DimensionQuery::new().measure(Measure::Events(tagged));
    assert_eq!(measured.by("a").to_text(), Err(QueryError::Property));
    let nothing = DimensionQuery::new().to_text();
    assert_eq!(nothing, Err(QueryError::Empty("a split")));
    let sample = |percent: f64| SegmentQuery::new(all()).sample(percent, 0).to_text();
    for percent in [0.0, -1.0, 100.01, f64::NAN, f64::INFINITY] {
        assert_eq!(sample(percent), Err(QueryError::Sample), "{percent}");
    }
    let percentile = Measure::Percentile(101, "a".to_owned());
    let query = DimensionQuery::new().by("a").measure(percentile);
    assert_eq!(query.to_text(), Err(QueryError::Percentile));
}

#[test]
fn behaviour_holdings_and_referral_mean_what_was_built() {
    let check = |built: Expr, text: &str| {
        let (written, _) = built.to_text().unwrap();
        assert_eq!(written, text);
        let parsed = parse_expr(&written, &Limits::default());
        assert!(parsed.is_ok(), "{written}: {parsed:?}");
    };
    check(event("a b").happened(), r#"did:"a b""#);
    check(
        event("p").within(Window::days(30)).happened(),
        r#"did:"p"[30d]"#,
    );
    let shoes = || event("p").matching(attribute("c").is("shoes").and(attribute("n").above(1)));
    check(shoes().happened(), r#"did:"p"["c":$1 AND "n" > $2]"#);
    check(
        shoes().within(Window::months(3)).happened(),
        r#"did:"p"["c":$1 AND "n" > $2, 3mo]"#,
    );
    check(
        event("p").within(Window::between("x", "y")).count().from(3),
        r#"count("p", $1..$2):$3.."#,
    );
    check(event("invited").count().is(3), r#"count("invited") = $1"#);
    check(
        shoes().within(Window::weeks(4)).sum("n").above(1000),
        r#"sum("p"["c":$1 AND "n" > $2]."n", 4w) > $3"#,
    );
    check(event("p").average("n").below(2), r#"avg("p"."n") < $1"#);
    check(
        event("p").within(Window::hours(12)).days().up_to(5),
        r#"days("p", 12h):..$1"#,
    );
    check(event("p").last().between(1, 2), r#"last("p"):$1..$2"#);
    check(
        event("p").within(Window::years(1)).mostly("c", "shoes"),
        r#"top("p"."c", 1y):$1"#,
    );
    check(holding("m").held(), r#"tag:"m""#);
    check(
        holding("m").ends_up_to("x").began_from("y").held(),
        r#"tag:"m"[until:..$1, since:$2..]"#,
    );
    check(
        holding("m").without_end().comes_from(Source::Rule).held(),
        r#"tag:"m"[until IS MISSING, source = rule]"#,
    );
    check(
        holding("m").comes_not_from(Source::Model).held(),
        r#"tag:"m"[source != model]"#,
    );
    check(lapsed("m", Window::days(1)), r#"lapsed(tag:"m", 1d)"#);
    check(lapsed("m", None), r#"lapsed(tag:"m")"#);
    check(
        not(inviter_of(tag("a").or(tag("b")))),
        r#"NOT inviter_of(tag:"a" OR tag:"b")"#,
    );
    check(descendants_of(all(), 3), "descendants_of(ALL, 3)");
}

#[test]
fn single_events_sequences_and_anniversaries_mean_what_was_built() {
    use tessera_protocol::message::TimeUnit;
    let check = |built: Expr, text: &str| {
        let (written, _) = built.to_text().unwrap();
        assert_eq!(written, text);
        let parsed = parse_expr(&written, &Limits::default());
        assert!(parsed.is_ok(), "{written}: {parsed:?}");
    };
    let ads = || event("p").matching(attribute("c").is("ads"));
    check(
        ads().within(Window::days(30)).of_last("n").from(3),
        r#"last("p"["c":$1], 30d)."n":$2.."#,
    );
    check(
        event("p").of_first("c").any_of(["a", "b"]),
        r#"first("p")."c":($1, $2)"#,
    );
    check(
        event("p").of_first("c").is_not("a"),
        r#"first("p")."c" != $1"#,
    );
    check(
        event("p").of_last("c").missing(),
        r#"last("p")."c" IS MISSING"#,
    );
    check(
        event("p").mostly_any("c", ["a", "b"]),
        r#"top("p"."c"):($1, $2)"#,
    );
    check(
        event("p").within(Window::since("x")).happened(),
        r#"did:"p"[$1..]"#,
    );
    check(
        ads().within(Window::up_to("x")).count().from(1),
        r#"count("p"["c":$1], ..$2):$3.."#,
    );
    check(
        event("p").within(Window::minutes(90)).happened(),
        r#"did:"p"[90m]"#,
    );
    check(
        sequence([event("a"), ads()]).happened(),
        r#"sequence("a" -> "p"["c":$1])"#,
    );
    check(
        sequence([event("a"), event("b"), event("a")])
            .taking_at_most(2, TimeUnit::Hour)
            .within(Window::months(3))
            .happened(),
        r#"sequence("a" -> "b" -> "a", within 2h, 3mo)"#,
    );
    check(
        attribute("birthday").returns_between("x", "y"),
        r#""birthday" ANNIVERSARY IN $1..$2"#,
    );
}

#[test]
fn what_cannot_be_asked_of_events_is_an_error() {
    let check = |built: Expr, error: QueryError| assert_eq!(built.to_text(), Err(error));
    check(
        event("p").matching(tag("a")).happened(),
        QueryError::Property,
    );
    check(
        event("p").within(Window::days(0)).happened(),
        QueryError::Empty("a window"),
    );
    check(descendants_of(all(), 0), QueryError::Empty("steps"));
    check(sequence([event("p")]).happened(), QueryError::Steps);
    let recent = || event("p").within(Window::days(1));
    check(
        sequence([event("p"), recent()]).happened(),
        QueryError::Window,
    );
    check(
        sequence([event("p"), event("p").matching(tag("a"))]).happened(),
        QueryError::Property,
    );
    check(
        event("p").of_last("c").any_of(Vec::<i64>::new()),
        QueryError::Empty("any"),
    );
    let empty = || any_of([]);
    check(
        event("p").matching(empty()).happened(),
        QueryError::Empty("any of"),
    );
    check(referred_by(empty()), QueryError::Empty("any of"));
    let mut deep = attribute("a").is(1);
    for _ in 0..DEPTH_MAX - 1 {
        deep = not(deep);
    }
    check(
        event("p").matching(deep).count().is(1),
        QueryError::TooDeep(DEPTH_MAX),
    );
}
