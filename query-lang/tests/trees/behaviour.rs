//! Arbitrary behaviour, holdings, rules, forms and upkeep.

use super::statements::{attribute_type, calendar_unit, exclusivity, notes};
use super::*;

fn time_unit() -> impl Strategy<Value = TimeUnit> {
    prop_oneof![
        Just(TimeUnit::Second),
        Just(TimeUnit::Minute),
        Just(TimeUnit::Hour),
        Just(TimeUnit::Day),
        Just(TimeUnit::Week),
        Just(TimeUnit::Month),
        Just(TimeUnit::Year),
    ]
}

pub(super) fn period() -> impl Strategy<Value = Spanned<Period>> {
    let amount = prop_oneof![3 => 1..400_u32, 1 => 1..=PERIOD_AMOUNT_MAX];
    spanned((amount, time_unit()).prop_map(|(amount, unit)| Period { amount, unit }))
}

/// A day of a window.
fn day() -> impl Strategy<Value = Spanned<Value>> {
    spanned(prop_oneof![
        2 => date().prop_map(Value::Date),
        2 => relative().prop_map(Value::Relative),
        1 => parameter().prop_map(Value::Parameter),
    ])
}

pub(super) fn window() -> BoxedStrategy<Option<Spanned<Window>>> {
    let days = (option::of(day()), option::of(day()))
        .prop_filter("a window has an end", |(first, last)| {
            first.is_some() || last.is_some()
        })
        .prop_map(|(first, last)| Window::Between { first, last });
    let last = period().prop_map(|period| Window::Last(period.node));
    option::of(spanned(prop_oneof![last, days])).boxed()
}

fn range() -> impl Strategy<Value = (Option<Spanned<Value>>, Option<Spanned<Value>>)> {
    (option::of(value()), option::of(value())).prop_filter("a range has an end", |(low, high)| {
        low.is_some() || high.is_some()
    })
}

fn range_test() -> BoxedStrategy<RangeTest> {
    prop_oneof![
        (comparison(), value())
            .prop_map(|(comparison, value)| RangeTest::Compare(comparison, value)),
        range().prop_map(|(low, high)| RangeTest::Between { low, high }),
    ]
    .boxed()
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Manual),
        Just(Source::Import),
        Just(Source::Rule),
        Just(Source::Model),
    ]
}

fn holding_test() -> BoxedStrategy<HoldingTest> {
    prop_oneof![
        range_test().prop_map(HoldingTest::Since),
        range_test().prop_map(HoldingTest::Until),
        presence().prop_map(HoldingTest::UntilIs),
        some(spanned(source())).prop_map(HoldingTest::Source),
    ]
    .boxed()
}

pub(super) fn terms() -> BoxedStrategy<HoldingTerms> {
    let end = prop_oneof![
        value().prop_map(HoldingEnd::Until),
        period().prop_map(HoldingEnd::For),
    ];
    let source = source().prop_filter("a rule gives by itself", |source| *source != Source::Rule);
    (
        option::of(value()),
        option::of(end),
        option::of(spanned(source)),
    )
        .prop_map(|(from, end, source)| HoldingTerms { from, end, source })
        .boxed()
}

fn property_filter() -> BoxedStrategy<PropertyExpr> {
    let leaf = (spanned(name()), attribute_test())
        .prop_map(|(name, test)| PropertyExpr::Test { name, test });
    leaf.prop_recursive(3, 8, 3, |inner| {
        let operands = vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|inner| PropertyExpr::Not(Box::new(inner))),
            operands
                .clone()
                .prop_map(|operands| PropertyExpr::And(flat(operands, property_and))),
            operands.prop_map(|operands| PropertyExpr::Or(flat(operands, property_or))),
        ]
    })
    .boxed()
}

fn property_and(expr: PropertyExpr) -> Vec<PropertyExpr> {
    if let PropertyExpr::And(operands) = expr {
        operands
    } else {
        vec![expr]
    }
}

fn property_or(expr: PropertyExpr) -> Vec<PropertyExpr> {
    if let PropertyExpr::Or(operands) = expr {
        operands
    } else {
        vec![expr]
    }
}

/// Names of events, some of them with a meaning of their own.
fn event_ref() -> BoxedStrategy<Spanned<NameRef>> {
    let invited = Name::new("Invited").ok().into_iter().collect::<Vec<_>>();
    prop_oneof![
        5 => name_ref(),
        1 => spanned(proptest::sample::select(invited).prop_map(NameRef::Name)),
    ]
    .boxed()
}

fn events() -> BoxedStrategy<Events> {
    (event_ref(), option::of(property_filter()))
        .prop_map(|(name, filter)| Events { name, filter })
        .boxed()
}

fn figure() -> impl Strategy<Value = Figure> {
    prop_oneof![
        Just(Figure::Count),
        Just(Figure::Days),
        Just(Figure::First),
        Just(Figure::Last),
        spanned(name()).prop_map(Figure::Sum),
        spanned(name()).prop_map(Figure::Average),
        spanned(name()).prop_map(Figure::Min),
        spanned(name()).prop_map(Figure::Max),
    ]
}

pub(super) fn event_measure() -> BoxedStrategy<EventMeasure> {
    (figure(), events(), window())
        .prop_map(|(figure, events, window)| EventMeasure {
            figure,
            events,
            window,
        })
        .boxed()
}

fn behaviour() -> BoxedStrategy<Behaviour> {
    prop_oneof![
        (some(event_ref()), option::of(property_filter()), window()).prop_map(
            |(names, filter, window)| Behaviour::Did {
                names,
                filter,
                window
            }
        ),
        (event_measure(), range_test())
            .prop_map(|(measure, test)| Behaviour::Measure { measure, test }),
        (
            prop_oneof![Just(Edge::First), Just(Edge::Last)],
            events(),
            window(),
            spanned(name()),
            attribute_test()
        )
            .prop_map(|(edge, events, window, property, test)| Behaviour::Edge {
                edge,
                events,
                window,
                property,
                test
            }),
        (events(), spanned(name()), window(), some(value())).prop_map(
            |(events, property, window, values)| Behaviour::Top {
                events,
                property,
                window,
                values
            }
        ),
        (vec(events(), 2..5), option::of(period()), window()).prop_map(
            |(steps, within, window)| Behaviour::Sequence {
                steps,
                within,
                window
            }
        ),
    ]
    .boxed()
}

/// The leaves about holdings and behaviour.
pub(super) fn leaf() -> BoxedStrategy<Expr> {
    prop_oneof![
        2 => (some(tag_pattern()), some(holding_test()))
            .prop_map(|(tags, tests)| Expr::Held { tags, tests }),
        1 => (some(tag_pattern()), window())
            .prop_map(|(tags, window)| Expr::Lapsed { tags, window }),
        6 => behaviour().prop_map(|behaviour| Expr::Behaviour(Box::new(at(behaviour)))),
        1 => range_test()
            .prop_map(|test| Expr::Referral(Box::new(at(Referral::Invited(test))))),
    ]
    .boxed()
}

/// What is said of the inviters of users.
pub(super) fn referral(of: impl Strategy<Value = Expr>) -> impl Strategy<Value = Expr> {
    (of, 0..3_u8, 1..=10_u32).prop_map(|(of, which, depth)| {
        let referral = match which {
            0 => Referral::ReferredBy(of),
            1 => Referral::InviterOf(of),
            _ => Referral::DescendantsOf(of, at(depth)),
        };
        Expr::Referral(Box::new(at(referral)))
    })
}

pub(super) fn event_dim() -> BoxedStrategy<Dim> {
    let by = prop_oneof![
        calendar_unit().prop_map(EventSplit::Calendar),
        spanned(name()).prop_map(EventSplit::Property),
    ];
    (events(), by)
        .prop_map(|(events, by)| Dim::Events { events, by })
        .boxed()
}

fn validity() -> impl Strategy<Value = Validity> {
    prop_oneof![Just(Validity::Static), period().prop_map(Validity::Dynamic)]
}

fn on_retag() -> impl Strategy<Value = OnRetag> {
    prop_oneof![
        Just(OnRetag::Replace),
        Just(OnRetag::Extend),
        Just(OnRetag::Later)
    ]
}

fn lifecycle() -> impl Strategy<Value = Lifecycle> {
    prop_oneof![
        Just(Lifecycle::Draft),
        Just(Lifecycle::Active),
        Just(Lifecycle::Deprecated),
        Just(Lifecycle::Archived),
    ]
}

pub(super) fn define_tag() -> BoxedStrategy<DefineTag> {
    (
        spanned(name()),
        validity(),
        on_retag(),
        lifecycle(),
        option::of(spanned(name())),
        notes(),
        option::of(expr()),
    )
        .prop_map(
            |(name, validity, on_retag, lifecycle, group, notes, rule)| DefineTag {
                name,
                validity,
                on_retag: if validity == Validity::Static {
                    OnRetag::default()
                } else {
                    on_retag
                },
                lifecycle,
                group,
                notes,
                rule,
            },
        )
        .boxed()
}

pub(super) fn group_change() -> impl Strategy<Value = GroupChange> {
    prop_oneof![
        spanned(name()).prop_map(GroupChange::Into),
        Just(GroupChange::Out)
    ]
}

pub(super) fn alter_tag(notes: impl Strategy<Value = Notes>) -> impl Strategy<Value = AlterTag> {
    let rule = rule_change(expr());
    (
        spanned(name()),
        option::of(validity()),
        option::of(on_retag()),
        option::of(lifecycle()),
        option::of(group_change()),
        notes,
        option::of(rule),
    )
        .prop_map(
            |(name, validity, on_retag, lifecycle, group, notes, rule)| AlterTag {
                name,
                validity,
                on_retag: on_retag.filter(|_| validity != Some(Validity::Static)),
                lifecycle,
                group,
                notes,
                rule,
            },
        )
}

fn rule_change<R: std::fmt::Debug + Clone>(
    rule: impl Strategy<Value = R>,
) -> impl Strategy<Value = RuleChange<R>> {
    prop_oneof![rule.prop_map(RuleChange::Into), Just(RuleChange::Out)]
}

/// Layers of different tags, of which the last may be for everybody else.
fn layers<T: std::fmt::Debug + Clone>(
    condition: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<Layer<T>>> {
    (some((name(), condition)), option::of(name())).prop_map(|(layers, otherwise)| {
        let layers = layers
            .into_iter()
            .map(|(tag, condition)| (tag, When::If(condition)))
            .chain(otherwise.map(|tag| (tag, When::Otherwise)));
        let mut different: Vec<Layer<T>> = Vec::new();
        for (tag, when) in layers {
            let tag = at(tag);
            if different.iter().all(|layer| layer.tag != tag) {
                different.push(Layer { tag, when });
            }
        }
        different
    })
}

fn quantity() -> BoxedStrategy<Quantity> {
    prop_oneof![
        spanned(name()).prop_map(Quantity::Attribute),
        event_measure().prop_map(|measure| Quantity::Events(Box::new(measure))),
    ]
    .boxed()
}

pub(crate) fn group_rule() -> BoxedStrategy<GroupRule> {
    let bands = || layers(range().prop_map(|(low, high)| Band { low, high }));
    prop_oneof![
        layers(expr()).prop_map(GroupRule::Layers),
        (quantity(), bands()).prop_map(|(of, bands)| GroupRule::Bands { of, bands }),
        (quantity(), bands()).prop_map(|(of, bands)| GroupRule::Percentiles { of, bands }),
    ]
    .boxed()
}

pub(super) fn define_group() -> BoxedStrategy<DefineGroup> {
    (
        spanned(name()),
        exclusivity(),
        option::of(spanned(name())),
        notes(),
        option::of(group_rule()),
    )
        .prop_map(|(name, exclusivity, parent, notes, rule)| DefineGroup {
            name,
            exclusivity,
            parent,
            notes,
            rule,
        })
        .boxed()
}

pub(super) fn alter_group(
    notes: impl Strategy<Value = Notes>,
) -> impl Strategy<Value = AlterGroup> {
    (
        spanned(name()),
        option::of(exclusivity()),
        option::of(group_change()),
        notes,
        option::of(rule_change(group_rule())),
    )
        .prop_map(|(name, exclusivity, parent, notes, rule)| AlterGroup {
            name,
            exclusivity,
            parent,
            notes,
            rule,
        })
}

/// Entries with different names.
fn different<T>(entries: Vec<T>, name_of: impl Fn(&T) -> &Spanned<Name>) -> Vec<T> {
    let mut different: Vec<T> = Vec::new();
    for entry in entries {
        if different
            .iter()
            .all(|before| name_of(before) != name_of(&entry))
        {
            different.push(entry);
        }
    }
    different
}

fn properties() -> impl Strategy<Value = Vec<Property>> {
    let property = (spanned(name()), attribute_type()).prop_map(|(name, property_type)| Property {
        name,
        property_type,
    });
    vec(property, 0..4).prop_map(|properties| different(properties, |property| &property.name))
}

pub(super) fn define_event() -> BoxedStrategy<DefineEvent> {
    (spanned(name()), properties(), option::of(period()), notes())
        .prop_map(|(name, properties, retention, notes)| DefineEvent {
            name,
            properties,
            retention,
            notes,
        })
        .boxed()
}

pub(super) fn alter_event(
    notes: impl Strategy<Value = Notes>,
) -> impl Strategy<Value = AlterEvent> {
    let retention = prop_oneof![
        period().prop_map(RetentionChange::Keep),
        Just(RetentionChange::Forever)
    ];
    (spanned(name()), properties(), option::of(retention), notes).prop_map(
        |(name, add_properties, retention, notes)| AlterEvent {
            name,
            add_properties,
            retention,
            notes,
        },
    )
}

pub(super) fn define_form() -> BoxedStrategy<DefineForm> {
    let answered = (value(), spanned(name())).prop_map(|(answer, tag)| AnsweredTag { answer, tag });
    let sets = prop_oneof![
        spanned(name()).prop_map(FormEffect::Attribute),
        some(answered).prop_map(FormEffect::Tag),
        (spanned(name()), spanned(name()))
            .prop_map(|(event, property)| FormEffect::Event { event, property }),
    ];
    let requirement = prop_oneof![Just(Requirement::Optional), Just(Requirement::Required)];
    let field = (spanned(name()), attribute_type(), requirement, sets).prop_map(
        |(name, answer_type, requirement, sets)| FormField {
            name,
            answer_type,
            requirement,
            sets,
        },
    );
    (spanned(name()), some(field), notes())
        .prop_map(|(name, fields, notes)| DefineForm {
            name,
            fields: different(fields, |field| &field.name),
            notes,
        })
        .boxed()
}

pub(super) fn track() -> BoxedStrategy<Track> {
    (
        key(),
        event_ref(),
        option::of(value()),
        option::of(key()),
        vec((spanned(name()), value()), 0..4),
    )
        .prop_map(|(user, event, at, id, properties)| Track {
            user,
            event,
            at,
            id,
            properties: different(properties, |(name, _)| name),
        })
        .boxed()
}

pub(super) fn submission() -> BoxedStrategy<Submission> {
    (
        name_ref(),
        key(),
        vec(
            (spanned(name()), some(value())).prop_map(|(field, values)| Answer { field, values }),
            0..4,
        ),
        option::of(key()),
    )
        .prop_map(|(form, user, answers, id)| Submission {
            form,
            user,
            answers: different(answers, |answer| &answer.field),
            id,
        })
        .boxed()
}

pub(super) fn trend() -> BoxedStrategy<Trend> {
    (name_ref(), option::of(period()), calendar_unit())
        .prop_map(|(tag, last, unit)| Trend { tag, last, unit })
        .boxed()
}
