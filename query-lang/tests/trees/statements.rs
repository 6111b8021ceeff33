//! Arbitrary statements.

use super::behaviour::*;
use super::*;

fn limit() -> impl Strategy<Value = Option<Spanned<u64>>> {
    option::of(spanned(prop_oneof![1..100_u64, 1..=u64::MAX]))
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)]
}

fn field() -> impl Strategy<Value = Spanned<Field>> {
    spanned(prop_oneof![1 => Just(Field::Key), 3 => name().prop_map(Field::Attribute)])
}

fn sample() -> impl Strategy<Value = Sample> {
    let percent = (0..=16_u8)
        .prop_flat_map(|scale| (1..=100 * 10_i64.pow(u32::from(scale)), Just(scale)))
        .prop_map(|(units, scale)| Decimal { units, scale });
    (percent, prop_oneof![Just(0), any::<u64>()])
        .prop_map(|(percent, seed)| Sample { percent, seed })
}

fn segment() -> impl Strategy<Value = Segment> {
    let returns = vec(prop_oneof![1 => Just(at(Field::Tags)), 4 => field()], 0..4);
    let order = vec((field(), direction()), 0..3);
    (expr(), returns, order, option::of(sample()), limit()).prop_map(
        |(filter, returns, order, sample, limit)| Segment {
            filter,
            returns,
            order,
            sample,
            limit,
        },
    )
}

fn measure() -> impl Strategy<Value = Spanned<Measure>> {
    spanned(prop_oneof![
        Just(Measure::Count),
        Just(Measure::Share),
        spanned(name()).prop_map(Measure::Sum),
        spanned(name()).prop_map(Measure::Average),
        spanned(name()).prop_map(Measure::Min),
        spanned(name()).prop_map(Measure::Max),
        (0..=100_u8, spanned(name()))
            .prop_map(|(percent, name)| Measure::Percentile(percent, name)),
        Just(Measure::Users),
        event_measure().prop_map(|measure| Measure::Events(Box::new(measure))),
    ])
}

fn having() -> impl Strategy<Value = Having> {
    let leaf = (measure(), comparison(), value())
        .prop_map(|(measure, comparison, value)| Having::Compare(measure, comparison, value));
    leaf.prop_recursive(3, 8, 3, |inner| {
        let operands = vec(inner.clone(), 2..4);
        prop_oneof![
            inner.prop_map(|inner| Having::Not(Box::new(inner))),
            operands
                .clone()
                .prop_map(|operands| Having::And(flat(operands, having_and))),
            operands.prop_map(|operands| Having::Or(flat(operands, having_or))),
        ]
    })
}

fn having_and(having: Having) -> Vec<Having> {
    if let Having::And(operands) = having {
        operands
    } else {
        vec![having]
    }
}

fn having_or(having: Having) -> Vec<Having> {
    if let Having::Or(operands) = having {
        operands
    } else {
        vec![having]
    }
}

pub(super) fn calendar_unit() -> impl Strategy<Value = CalendarUnit> {
    prop_oneof![
        Just(CalendarUnit::Day),
        Just(CalendarUnit::Week),
        Just(CalendarUnit::Month),
        Just(CalendarUnit::Quarter),
        Just(CalendarUnit::Year),
    ]
}

fn dim() -> impl Strategy<Value = Dim> {
    prop_oneof![
        spanned(name()).prop_map(Dim::Attribute),
        (spanned(name()), some(value()))
            .prop_map(|(attribute, bounds)| Dim::Bands { attribute, bounds }),
        (spanned(name()), calendar_unit())
            .prop_map(|(attribute, unit)| Dim::Calendar { attribute, unit }),
        vec(tag_pattern(), 0..4).prop_map(Dim::Tags),
        name_ref().prop_map(Dim::Group),
        event_dim(),
    ]
}

fn dimension() -> impl Strategy<Value = Dimension> {
    let order = prop_oneof![
        spanned(name()).prop_map(DimensionOrder::Dim),
        measure().prop_map(DimensionOrder::Measure),
    ];
    let measures = vec(measure(), 0..4);
    let orders = vec((order, direction()), 0..3);
    (
        some(dim()),
        window(),
        measures,
        option::of(having()),
        orders,
        limit(),
        expr(),
    )
        .prop_map(
            |(dims, window, measures, having, order, top, filter)| Dimension {
                dims,
                window,
                measures,
                having,
                order,
                top,
                filter,
            },
        )
}

fn list() -> impl Strategy<Value = ShowList> {
    (option::of(glob()), option::of(1..=u64::MAX))
        .prop_map(|(like, limit)| ShowList { like, limit })
}

fn show() -> impl Strategy<Value = Show> {
    prop_oneof![
        list().prop_map(Show::Tags),
        list().prop_map(Show::Groups),
        list().prop_map(Show::Attributes),
        list().prop_map(Show::Segments),
        list().prop_map(Show::Events),
        list().prop_map(Show::Forms),
        (spanned(name()), list()).prop_map(|(name, list)| Show::Values(name, list)),
        Just(Show::Status),
    ]
}

pub(super) fn notes() -> impl Strategy<Value = Notes> {
    (option::of(text()), option::of(text()))
        .prop_map(|(description, owner)| Notes { description, owner })
}

pub(super) fn attribute_type() -> impl Strategy<Value = AttributeType> {
    prop_oneof![
        option::of(some(text())).prop_map(AttributeType::Enum),
        option::of(some(text())).prop_map(AttributeType::Multi),
        Just(AttributeType::Integer),
        (0..=18_u8).prop_map(AttributeType::Decimal),
        Just(AttributeType::Date),
        Just(AttributeType::Timestamp),
        Just(AttributeType::Boolean),
        Just(AttributeType::Text),
        Just(AttributeType::User),
    ]
}

fn mutability() -> impl Strategy<Value = Mutability> {
    prop_oneof![Just(Mutability::Mutable), Just(Mutability::WriteOnce)]
}

pub(super) fn exclusivity() -> impl Strategy<Value = Exclusivity> {
    prop_oneof![Just(Exclusivity::Shared), Just(Exclusivity::Exclusive)]
}

fn saved_segment() -> impl Strategy<Value = SavedSegment> {
    (spanned(name()), notes(), expr()).prop_map(|(name, notes, filter)| SavedSegment {
        name,
        notes,
        filter,
    })
}

fn define() -> impl Strategy<Value = Define> {
    prop_oneof![
        define_tag().prop_map(Define::Tag),
        define_group().prop_map(Define::Group),
        define_event().prop_map(Define::Event),
        define_form().prop_map(Define::Form),
        (spanned(name()), spanned(name()), notes()).prop_map(|(name, since, notes)| {
            Define::Derived {
                name,
                derivation: Derivation::YearsSince(since),
                notes,
            }
        }),
        (spanned(name()), attribute_type(), mutability(), notes()).prop_map(
            |(name, attribute_type, mutability, notes)| Define::Attribute {
                name,
                attribute_type,
                mutability,
                notes
            }
        ),
        saved_segment().prop_map(Define::Segment),
    ]
}

/// What changes nothing is no statement, so each has a description at least.
fn alter() -> impl Strategy<Value = Alter> {
    let notes = || {
        (text(), option::of(text())).prop_map(|(description, owner)| Notes {
            description: Some(description),
            owner,
        })
    };
    prop_oneof![
        alter_tag(notes()).prop_map(Alter::Tag),
        alter_group(notes()).prop_map(Alter::Group),
        alter_event(notes()).prop_map(Alter::Event),
        (
            spanned(name()),
            vec(text(), 0..4),
            option::of(mutability()),
            notes()
        )
            .prop_map(|(name, add_values, mutability, notes)| Alter::Attribute {
                name,
                add_values,
                mutability,
                notes
            }),
        (spanned(name()), notes(), option::of(expr())).prop_map(|(name, notes, filter)| {
            Alter::Segment {
                name,
                notes,
                filter,
            }
        }),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        some(key()).prop_map(Target::Keys),
        expr().prop_map(Target::Where)
    ]
}

fn assignment() -> impl Strategy<Value = (Spanned<Name>, Assignment)> {
    let assignment = prop_oneof![
        some(value()).prop_map(Assignment::To),
        Just(Assignment::Clear),
        some(value()).prop_map(Assignment::Add),
        some(value()).prop_map(Assignment::Remove),
    ];
    (spanned(name()), assignment)
}

fn on_conflict() -> impl Strategy<Value = OnConflict> {
    prop_oneof![Just(OnConflict::Refuse), Just(OnConflict::Keep)]
}

fn definition_kind() -> impl Strategy<Value = DefinitionKind> {
    prop_oneof![
        Just(DefinitionKind::Tag),
        Just(DefinitionKind::Group),
        Just(DefinitionKind::Attribute),
        Just(DefinitionKind::Segment),
        Just(DefinitionKind::Event),
        Just(DefinitionKind::Form),
    ]
}

/// The statements that keep definitions clean and explain users.
fn upkeep() -> impl Strategy<Value = Statement> {
    prop_oneof![
        (spanned(name()), spanned(name())).prop_map(|(tag, to)| Statement::RenameTag { tag, to }),
        (spanned(name()), spanned(name()))
            .prop_map(|(tag, into)| Statement::MergeTag { tag, into }),
        (definition_kind(), spanned(name())).prop_map(|(kind, name)| Statement::Usages(kind, name)),
        list().prop_map(Statement::Lint),
        trend().prop_map(Statement::Trend),
        (key(), expr()).prop_map(|(user, filter)| Statement::Why { user, filter }),
    ]
}

/// Statements of every kind.
pub(crate) fn statement() -> impl Strategy<Value = Statement> {
    let asked = || {
        prop_oneof![
            expr().prop_map(Statement::Count),
            segment().prop_map(Statement::Segment),
            dimension().prop_map(Statement::Dimension),
        ]
        .boxed()
    };
    let mode = prop_oneof![Just(ExplainMode::Plan), Just(ExplainMode::Analyze)];
    prop_oneof![
        6 => asked(),
        1 => (key(), limit()).prop_map(|(cursor, limit)| Statement::Fetch { cursor, limit }),
        1 => key().prop_map(Statement::Close),
        1 => key().prop_map(Statement::Portrait),
        1 => (mode, asked()).prop_map(|(mode, inner)| Statement::Explain(mode, Box::new(inner))),
        1 => show().prop_map(Statement::Show),
        3 => (define(), on_conflict()).prop_map(|(define, conflict)| Statement::Define(define, conflict)),
        3 => alter().prop_map(Statement::Alter),
        1 => (definition_kind(), spanned(name()), on_conflict())
            .prop_map(|(kind, name, conflict)| Statement::Drop(kind, name, conflict)),
        1 => saved_segment().prop_map(Statement::SaveSegment),
        2 => (target(), some(name_ref()), terms())
            .prop_map(|(target, tags, terms)| Statement::Tag { target, tags, terms }),
        1 => (target(), some(name_ref()))
            .prop_map(|(target, tags)| Statement::ClearTag { target, tags }),
        2 => track().prop_map(Statement::Track),
        2 => submission().prop_map(Statement::Submit),
        1 => upkeep(),
        1 => (target(), some(name_ref())).prop_map(|(target, tags)| Statement::Untag { target, tags }),
        2 => (target(), some(assignment()))
            .prop_map(|(target, assignments)| Statement::Set { target, assignments }),
        1 => some(key()).prop_map(Statement::DeleteUser),
    ]
}
