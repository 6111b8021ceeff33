//! The returned fields of users: from columns where these are enough, else from their records.

use std::sync::Arc;

use crate::{
    column::ColumnBlock,
    datum::{Datum, Row},
    error::Error,
    exec::{dataset::Dataset, naive},
    ids::{AttributeId, BlockId, Location, PartitionId, TagId, UserId, ValueCode},
    plan::{
        logical::{Expr, Leaf},
        query::{Field, FieldKind},
    },
    schema::{AttributeClass, AttributeDefinition, Schema},
    storage::{UserEvent, UserRecord},
};

/// Reads the rows of users.
pub(super) struct FieldReader<'a> {
    dataset: &'a dyn Dataset,
    schema: &'a Schema,
    fields: Vec<BoundField<'a>>,
    source: Source,
}

/// Where fields are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Columns,
    Records,
}

enum BoundField<'a> {
    Tags(HeldTags<'a>),
    Attribute(&'a AttributeDefinition),
}

/// The tags that users hold in a second, by rules too. Whom a rule finds is asked of each user's
/// record and events.
struct HeldTags<'a> {
    at_s: i64,
    ruled: &'a [(TagId, Expr)],
    asks: Asks,
}

/// What rules ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asks {
    Records,
    Events,
}

impl<'a> FieldReader<'a> {
    pub(super) fn new(dataset: &'a dyn Dataset, fields: &'a [Field]) -> Result<Self, Error> {
        let schema: &Schema = dataset.schema();
        let fields: Vec<BoundField<'a>> = fields
            .iter()
            .map(|field| bind(schema, &field.kind))
            .collect::<Result<_, _>>()?;
        let source = if fields.iter().any(needs_record) {
            Source::Records
        } else {
            Source::Columns
        };
        Ok(Self {
            dataset,
            schema,
            fields,
            source,
        })
    }

    /// One row a user, the key first.
    pub(super) fn rows<'k>(
        &self,
        partition: PartitionId,
        users: &[UserId],
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<Vec<Row>, Error> {
        let mut rows: Vec<Row> = Vec::with_capacity(users.len());
        for (user, key) in users.iter().zip(keys) {
            let mut row = Vec::with_capacity(1 + self.fields.len());
            row.push(Datum::Text(key.to_owned()));
            if self.source == Source::Records {
                let user = *user;
                self.read_record(Location { partition, user }, key, &mut row)?;
            }
            rows.push(row);
        }
        if self.source == Source::Columns {
            for field in &self.fields {
                self.read_columns(field, partition, users, &mut rows)?;
            }
        }
        Ok(rows)
    }

    fn read_record(&self, location: Location, key: &str, row: &mut Row) -> Result<(), Error> {
        let record = self.dataset.record(location)?.unwrap_or_default();
        for field in &self.fields {
            let datum = match field {
                BoundField::Tags(tags) => {
                    let events = match tags.asks {
                        Asks::Records => Vec::new(),
                        Asks::Events => self.dataset.user_events(location)?,
                    };
                    Datum::List(tags.names(self.dataset, key, &record, &events)?)
                }
                BoundField::Attribute(attribute) => match record.value(attribute.id) {
                    Some(value) => self.schema.datum(attribute, value),
                    None => Datum::Null,
                },
            };
            row.push(datum);
        }
        Ok(())
    }

    fn read_columns(
        &self,
        field: &BoundField<'_>,
        partition: PartitionId,
        users: &[UserId],
        rows: &mut [Row],
    ) -> Result<(), Error> {
        let mut columns = ColumnCursor::new(self.dataset, partition);
        for (user, row) in users.iter().zip(rows) {
            let datum = match field {
                BoundField::Tags(_) => Datum::Null,
                BoundField::Attribute(attribute) => {
                    let number = columns.value(attribute.id, *user)?;
                    number.map_or(Datum::Null, |number| {
                        column_datum(self.schema, attribute, number)
                    })
                }
            };
            row.push(datum);
        }
        Ok(())
    }
}

/// Reads single values of columns; remembers the last block.
pub(super) struct ColumnCursor<'a> {
    dataset: &'a dyn Dataset,
    partition: PartitionId,
    last: Option<(AttributeId, BlockId, Arc<ColumnBlock>)>,
}

impl<'a> ColumnCursor<'a> {
    pub(super) fn new(dataset: &'a dyn Dataset, partition: PartitionId) -> Self {
        Self {
            dataset,
            partition,
            last: None,
        }
    }

    pub(super) fn value(
        &mut self,
        attribute: AttributeId,
        user: UserId,
    ) -> Result<Option<i64>, Error> {
        let block = user.block();
        match &self.last {
            Some((known, at, column)) if *known == attribute && *at == block => {
                Ok(column.value(user.block_offset()))
            }
            Some(_) | None => {
                let alone = self.dataset.number_alone(self.partition, attribute, user)?;
                if let Some(value) = alone {
                    return Ok(value);
                }
                let column = self.dataset.column(self.partition, attribute, block)?;
                let value = column.value(user.block_offset());
                self.last = Some((attribute, block, column));
                Ok(value)
            }
        }
    }
}

fn bind<'a>(schema: &'a Schema, field: &'a FieldKind) -> Result<BoundField<'a>, Error> {
    match field {
        FieldKind::Tags { at_s, ruled } => Ok(BoundField::Tags(HeldTags {
            at_s: *at_s,
            ruled,
            asks: match ruled.iter().any(|(_, rule)| asks_events(rule)) {
                true => Asks::Events,
                false => Asks::Records,
            },
        })),
        FieldKind::Attribute(id) => match schema.attribute_by_id(*id) {
            Some(attribute) => Ok(BoundField::Attribute(attribute)),
            None => Err(Error::Internal(format!(
                "attribute {} is not defined",
                id.0
            ))),
        },
    }
}

fn needs_record(field: &BoundField<'_>) -> bool {
    match field {
        BoundField::Tags(_) => true,
        BoundField::Attribute(attribute) => match attribute.kind.class() {
            AttributeClass::Coded | AttributeClass::Numeric => false,
            AttributeClass::MultiCoded | AttributeClass::Textual => true,
        },
    }
}

/// What a column's number means.
pub(crate) fn column_datum(schema: &Schema, attribute: &AttributeDefinition, number: i64) -> Datum {
    match attribute.kind.class() {
        AttributeClass::Coded => u32::try_from(number).map_or(Datum::Null, |code| {
            schema.datum_of_code(attribute, ValueCode(code))
        }),
        AttributeClass::Numeric | AttributeClass::MultiCoded | AttributeClass::Textual => {
            attribute.kind.datum_of_number(number)
        }
    }
}

fn asks_events(expr: &Expr) -> bool {
    let mut asks = false;
    expr.for_each_leaf(&mut |leaf| asks |= matches!(leaf, Leaf::Behaviour(_)));
    asks
}

impl HeldTags<'_> {
    /// The names of the tags that a user holds, sorted. Tags that are no longer defined are left
    /// out.
    fn names(
        &self,
        dataset: &dyn Dataset,
        key: &str,
        record: &UserRecord,
        events: &[UserEvent],
    ) -> Result<Vec<String>, Error> {
        let schema = dataset.schema();
        let mut by_rule = Vec::new();
        for (tag, rule) in self.ruled {
            if naive::referral::matches(dataset, rule, key, record, events)? {
                by_rule.push(*tag);
            }
        }
        let tags = record.tags_at(self.at_s).chain(by_rule);
        let defined = tags.filter_map(|tag| schema.tag_by_id(tag));
        let mut names: Vec<String> = defined.map(|tag| tag.name.as_str().to_owned()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}
