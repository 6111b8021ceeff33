//! From groups to rows: conditions, order, `TOP`, and how components read.
//!
//! Missing values are last in both directions, among dims and among measures. Ties are ordered
//! by the dims' values: names by name, users as they are stored, everything else by its own
//! order.

use std::{cmp::Ordering, collections::HashMap};

use foldhash::fast::RandomState;

use tessera_query_lang::ast::Direction;

use super::{
    calendar,
    groups::{GroupIndex, Groups, number_datum},
};
use crate::{
    datum::{Column, ColumnRole, Datum, Header, ResultKind, ResultSink, Row},
    error::Error,
    exec::{dataset::Dataset, rows::BATCH_ROWS},
    ids::{AttributeId, Location, UserId, ValueCode},
    plan::query::{DimKind, DimensionQuery, GroupOrder, MeasureKind, PropertySplit},
    schema::Schema,
    user_keys::PackedKeys,
};

/// Writes the rows; gives their number.
pub(super) fn write(
    dataset: &dyn Dataset,
    query: &DimensionQuery,
    groups: &Groups<'_>,
    sink: &mut dyn ResultSink,
) -> Result<u64, Error> {
    sink.header(header(query)).map_err(|_| Error::Stopped)?;
    let schema = dataset.schema();
    let mut output = Output {
        names: query
            .dims
            .iter()
            .map(|dim| Names::new(schema, &dim.kind))
            .collect(),
        query,
        groups,
        keys: vec![HashMap::default(); query.dims.len()],
    };
    let chosen = output.chosen();
    for batch in chosen.chunks(BATCH_ROWS) {
        output.find_keys(dataset, batch)?;
        let rows = batch.iter().map(|group| output.row(*group)).collect();
        sink.rows(rows).map_err(|_| Error::Stopped)?;
    }
    Ok(chosen.len() as u64)
}

/// What rows are made of.
struct Output<'a, 't> {
    query: &'a DimensionQuery,
    groups: &'a Groups<'t>,
    names: Vec<Names>,
    /// For each dim of users the keys of those in the rows that are next.
    keys: Vec<HashMap<i64, String, RandomState>>,
}

impl Output<'_, '_> {
    /// The groups that are returned, in their order.
    fn chosen(&self) -> Vec<GroupIndex> {
        let mut chosen = self.groups.indices();
        if let Some(having) = &self.query.having {
            chosen.retain(|group| self.groups.satisfies(*group, having));
        }
        let top = self.query.top.unwrap_or(u64::MAX);
        let top = usize::try_from(top).unwrap_or(usize::MAX);
        let compare = |left: &GroupIndex, right: &GroupIndex| self.compare(*left, *right);
        if top < chosen.len() {
            // Only the first ones are put in order.
            chosen.select_nth_unstable_by(top, compare);
            chosen.truncate(top);
        }
        chosen.sort_unstable_by(compare);
        chosen
    }

    fn compare(&self, left: GroupIndex, right: GroupIndex) -> Ordering {
        let by_order = self
            .query
            .order
            .iter()
            .map(|(order, direction)| match order {
                GroupOrder::Dim(dim) => self.compare_dim(left, right, *dim, *direction),
                GroupOrder::Measure(measure) => {
                    let quantity = |group| self.groups.quantity(group, *measure);
                    missing_last(&quantity(left), &quantity(right), *direction)
                }
            });
        let by_dims = (0..self.query.dims.len())
            .map(|dim| self.compare_dim(left, right, dim, Direction::Ascending));
        // The first that differs decides; the others are not computed.
        by_order
            .chain(by_dims)
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn compare_dim(
        &self,
        left: GroupIndex,
        right: GroupIndex,
        dim: usize,
        direction: Direction,
    ) -> Ordering {
        let rank = |group| {
            let component = self.groups.component(group, dim)?;
            let names = self.names.get(dim);
            Some(names.map_or(component, |names| names.rank(component)))
        };
        missing_last(&rank(left), &rank(right), direction)
    }

    /// Looks up the keys that rows need, a partition at a time.
    fn find_keys(&mut self, dataset: &dyn Dataset, rows: &[GroupIndex]) -> Result<(), Error> {
        let partition_count = dataset.partition_count();
        let dims = self.query.dims.iter().zip(&mut self.keys).enumerate();
        for (index, (dim, keys)) in dims {
            if !matches!(dim.kind, DimKind::Inviter(_)) {
                continue;
            }
            keys.clear();
            let component = |group: &GroupIndex| self.groups.component(*group, index);
            let place = |number| Location::from_number(number, partition_count);
            let mut users: Vec<Location> = rows
                .iter()
                .filter_map(component)
                .filter_map(place)
                .collect();
            users.sort_unstable();
            users.dedup();
            for users in users.chunk_by(|left, right| left.partition == right.partition) {
                let ids: Vec<UserId> = users.iter().map(|location| location.user).collect();
                let Some(partition) = users.first().map(|location| location.partition) else {
                    continue;
                };
                let mut found = PackedKeys::new();
                dataset.keys(partition, &ids, &mut found)?;
                let numbers = users
                    .iter()
                    .map(|location| location.to_number(partition_count));
                keys.extend(numbers.zip(found.iter().map(str::to_owned)));
            }
        }
        Ok(())
    }

    fn row(&self, group: GroupIndex) -> Row {
        let dims = self.query.dims.iter().zip(&self.names).enumerate();
        let dims = dims.map(
            |(index, (dim, names))| match self.groups.component(group, index) {
                Some(component) => match &dim.kind {
                    DimKind::Inviter(_) => {
                        let key = self.keys.get(index).and_then(|keys| keys.get(&component));
                        key.map_or(Datum::Null, |key| Datum::Text(key.clone()))
                    }
                    DimKind::Enum(_)
                    | DimKind::Boolean(_)
                    | DimKind::Number(..)
                    | DimKind::Bands { .. }
                    | DimKind::Calendar { .. }
                    | DimKind::Multi(_)
                    | DimKind::Tags { .. }
                    | DimKind::EventTime(_)
                    | DimKind::EventProperty(..) => names.datum(component, &dim.kind),
                },
                None => Datum::Null,
            },
        );
        let measures = self
            .query
            .measures
            .iter()
            .map(|measure| self.groups.datum(group, measure.kind));
        dims.chain(measures).collect()
    }
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

/// The names of a dim's components, where they have any, and their places in the order of names.
struct Names {
    names: Vec<String>,
    ranks: Vec<i64>,
}

impl Names {
    fn new(schema: &Schema, kind: &DimKind) -> Self {
        let names = match kind {
            DimKind::Enum(attribute)
            | DimKind::Multi(attribute)
            | DimKind::EventProperty(attribute, PropertySplit::Name) => {
                value_names(schema, *attribute)
            }
            DimKind::Tags { tags, .. } => {
                let name = |tag| {
                    schema
                        .tag_by_id(tag)
                        .map(|tag| tag.name.as_str().to_owned())
                        .unwrap_or_default()
                };
                tags.iter().map(|tag| name(*tag)).collect()
            }
            DimKind::Boolean(_)
            | DimKind::Inviter(_)
            | DimKind::Number(..)
            | DimKind::Bands { .. }
            | DimKind::Calendar { .. }
            | DimKind::EventTime(_)
            | DimKind::EventProperty(_, PropertySplit::Boolean | PropertySplit::Number(_)) => {
                Vec::new()
            }
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
            DimKind::Enum(_)
            | DimKind::Multi(_)
            | DimKind::Tags { .. }
            | DimKind::EventProperty(_, PropertySplit::Name) => text(&self.names),
            DimKind::Bands { labels, .. } => text(labels),
            DimKind::Boolean(_) | DimKind::EventProperty(_, PropertySplit::Boolean) => {
                Datum::Boolean(component == 1)
            }
            // Users have keys instead.
            DimKind::Inviter(_) => Datum::Null,
            DimKind::Number(_, unit) | DimKind::EventProperty(_, PropertySplit::Number(unit)) => {
                number_datum(component, *unit)
            }
            DimKind::Calendar { unit, .. } | DimKind::EventTime(unit) => {
                Datum::Text(calendar::period_name(component, *unit))
            }
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
