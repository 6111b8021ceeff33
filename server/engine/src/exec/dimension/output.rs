//! From groups to rows: conditions, order, `TOP`, and how components read.
//!
//! Missing values are last in both directions, among dims and among measures. Ties are ordered
//! by the dims' values: names by name, everything else by its own order.

use std::cmp::Ordering;

use tessera_query_lang::ast::Direction;

use super::{
    calendar,
    groups::{Group, Groups, number_datum},
};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, ResultSink, Row},
    error::Error,
    exec::rows::BATCH_ROWS,
    ids::{AttributeId, ValueCode},
    plan::{
        quantity::Quantity,
        query::{DimKind, DimensionQuery, GroupOrder, MeasureKind},
    },
    schema::Schema,
};

/// Writes the rows; gives their number.
pub(super) fn write(
    schema: &Schema,
    query: &DimensionQuery,
    groups: Groups,
    sink: &mut dyn ResultSink,
) -> Result<u64, Error> {
    sink.header(header(query)).map_err(|_| Error::Stopped)?;
    let users = groups.users;
    let names: Vec<Names> = query
        .dims
        .iter()
        .map(|dim| Names::new(schema, &dim.kind))
        .collect();
    let mut ranked: Vec<Ranked> = groups
        .groups
        .into_iter()
        .filter(|group| {
            query
                .having
                .as_ref()
                .is_none_or(|having| group.satisfies(having, users))
        })
        .map(|group| Ranked::new(group, query, &names, users))
        .collect();
    ranked.sort_unstable_by(|left, right| left.compare(right, query));
    let top = query
        .top
        .map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
    ranked.truncate(top);
    for batch in ranked.chunks(BATCH_ROWS) {
        let rows = batch
            .iter()
            .map(|ranked| row(&ranked.group, query, &names, users))
            .collect();
        sink.rows(rows).map_err(|_| Error::Stopped)?;
    }
    Ok(ranked.len() as u64)
}

fn header(query: &DimensionQuery) -> Header {
    let dims = query.dims.iter().map(|dim| Column {
        name: dim.name.clone(),
        role: ColumnRole::Dim,
    });
    let measures = query.measures.iter().map(|measure| {
        let role = match measure.kind {
            MeasureKind::Share => ColumnRole::Share,
            MeasureKind::Count | MeasureKind::Of(..) => ColumnRole::Measure,
        };
        Column {
            name: measure.name.clone(),
            role,
        }
    });
    Header {
        kind: ResultKind::Dimension,
        columns: dims.chain(measures).collect(),
    }
}

fn row(group: &Group, query: &DimensionQuery, names: &[Names], users: u64) -> Row {
    let dims = query.dims.iter().zip(names).enumerate();
    let dims = dims.map(|(index, (dim, names))| match group.key.component(index) {
        Some(component) => names.datum(component, &dim.kind),
        None => Datum::Null,
    });
    let measures = query
        .measures
        .iter()
        .map(|measure| group.datum(measure.kind, users));
    dims.chain(measures).collect()
}

/// The names of a dim's components, where they have any, and their places in the order of names.
struct Names {
    names: Vec<String>,
    ranks: Vec<i64>,
}

impl Names {
    fn new(schema: &Schema, kind: &DimKind) -> Self {
        let names = match kind {
            DimKind::Enum(attribute) | DimKind::Multi(attribute) => value_names(schema, *attribute),
            DimKind::Tags(tags) => {
                let name = |tag| {
                    schema
                        .tag_by_id(tag)
                        .map(|tag| tag.name.as_str().to_owned())
                        .unwrap_or_default()
                };
                tags.iter().map(|tag| name(*tag)).collect()
            }
            DimKind::Boolean(_)
            | DimKind::Number(..)
            | DimKind::Bands { .. }
            | DimKind::Calendar { .. } => Vec::new(),
        };
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_unstable_by_key(|index| &names[*index]);
        let mut ranks = vec![0; names.len()];
        for (rank, index) in (0_i64..).zip(order) {
            ranks[index] = rank;
        }
        Self { names, ranks }
    }

    /// A component's place in the dim's own order.
    fn rank(&self, component: i64) -> i64 {
        usize::try_from(component)
            .ok()
            .and_then(|index| self.ranks.get(index))
            .copied()
            .unwrap_or(component)
    }

    fn datum(&self, component: i64, kind: &DimKind) -> Datum {
        let text = |names: &[String]| {
            let name = usize::try_from(component)
                .ok()
                .and_then(|index| names.get(index));
            name.map_or(Datum::Null, |name| Datum::Text(name.clone()))
        };
        match kind {
            DimKind::Enum(_) | DimKind::Multi(_) | DimKind::Tags(_) => text(&self.names),
            DimKind::Bands { labels, .. } => text(labels),
            DimKind::Boolean(_) => Datum::Boolean(component == 1),
            DimKind::Number(_, unit) => number_datum(component, *unit),
            DimKind::Calendar { unit, .. } => Datum::Text(calendar::period_name(component, *unit)),
        }
    }
}

fn value_names(schema: &Schema, attribute: AttributeId) -> Vec<String> {
    let name = |code| {
        schema
            .value_text(attribute, ValueCode(code))
            .unwrap_or_default()
            .to_owned()
    };
    (0..schema.value_count(attribute)).map(name).collect()
}

/// A group with what it is ordered by.
struct Ranked {
    group: Group,
    /// Places in the dims' own orders.
    dims: Vec<Option<i64>>,
    /// The measures of the order, `None` for dims in between.
    measures: Vec<Option<Quantity>>,
}

impl Ranked {
    fn new(group: Group, query: &DimensionQuery, names: &[Names], users: u64) -> Self {
        let dims = names.iter().enumerate();
        let dims = dims.map(|(index, names)| {
            group
                .key
                .component(index)
                .map(|component| names.rank(component))
        });
        let dims = dims.collect();
        let measure = |order: &GroupOrder| match order {
            GroupOrder::Measure(measure) => group.quantity(*measure, users),
            GroupOrder::Dim(_) => None,
        };
        let measures = query
            .order
            .iter()
            .map(|(order, _)| measure(order))
            .collect();
        Self {
            group,
            dims,
            measures,
        }
    }

    fn compare(&self, other: &Self, query: &DimensionQuery) -> Ordering {
        let by_order =
            query
                .order
                .iter()
                .enumerate()
                .map(|(index, (order, direction))| match order {
                    GroupOrder::Dim(dim) => {
                        missing_last(&self.dims[*dim], &other.dims[*dim], *direction)
                    }
                    GroupOrder::Measure(_) => {
                        missing_last(&self.measures[index], &other.measures[index], *direction)
                    }
                });
        let by_dims = self.dims.iter().zip(&other.dims);
        let by_dims = by_dims.map(|(left, right)| missing_last(left, right, Direction::Ascending));
        by_order
            .fold(Ordering::Equal, Ordering::then)
            .then_with(|| by_dims.fold(Ordering::Equal, Ordering::then))
    }
}

fn missing_last<T: Ord>(left: &Option<T>, right: &Option<T>, direction: Direction) -> Ordering {
    match (left, right) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(left), Some(right)) => match direction {
            Direction::Ascending => left.cmp(right),
            Direction::Descending => right.cmp(left),
        },
    }
}
