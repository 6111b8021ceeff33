#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests stop at the first surprise"
)]

mod behaviour;
mod boundaries;
mod definitions;
mod derived;
mod event_dimensions;
mod event_loading;
mod forms;
mod group_trees;
mod groups;
mod holdings;
mod labels;
mod limits;
mod linting;
mod load;
mod loading;
mod memory;
mod model;
mod naming;
mod opening;
mod partitions;
mod referral;
mod rule_tags;
mod rules;
mod texts;
mod upkeep;
mod writing;

use std::sync::Arc;

use tempfile::TempDir;
use tessera_query_lang::{Limits as TextLimits, parse_statement};

use super::*;
use crate::{
    error::ErrorCode,
    exec::dataset::Dataset,
    ids::{Location, PartitionId, RowId, ShardId},
    storage::{UserRecord, verify::verify},
    time::ManualClock,
};

/// A database in a directory of its own, that can be closed and opened again.
struct Fixture {
    dir: TempDir,
    clock: Arc<ManualClock>,
    options: Options,
    database: Option<Database>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options {
            partition_count: 4,
            cache_bytes: 16 << 20,
            threads: 1,
            durability: Durability::OsBuffered,
            database_id: Some(DatabaseId([7; 16])),
            ..Options::default()
        };
        change(&mut options);
        let dir = tempfile::tempdir().unwrap();
        let mut fixture = Self {
            dir,
            clock: Arc::new(ManualClock::default()),
            options,
            database: None,
        };
        fixture.open().unwrap();
        fixture
    }

    fn open(&mut self) -> Result<(), OpenError> {
        self.database = None;
        self.database = Some(Database::open(
            self.dir.path(),
            self.options.clone(),
            self.clock.clone(),
        )?);
        Ok(())
    }

    fn restart(&mut self) {
        self.database.take().unwrap().close().unwrap();
        self.open().unwrap();
    }

    fn db(&self) -> &Database {
        self.database.as_ref().unwrap()
    }

    fn define(&self, statement: &str) -> Result<Summary, Error> {
        let parsed = parse_statement(statement, &TextLimits::default()).unwrap();
        self.db().change_schema(
            SchemaStatement::from_statement(&parsed).expect("a statement about definitions"),
        )
    }

    fn defined(statements: &[&str]) -> Self {
        let fixture = Self::new();
        statements.iter().for_each(|statement| {
            fixture.define(statement).unwrap();
        });
        fixture
    }

    fn write(&self, mutations: Vec<Mutation>) -> Result<Summary, Error> {
        self.db().write(WriteRequest {
            mutations,
            ..WriteRequest::default()
        })
    }

    /// Users and facts that a write changed.
    fn changed(&self, mutations: Vec<Mutation>) -> (u64, u64) {
        let summary = self.write(mutations).unwrap();
        (summary.users_changed, summary.facts_changed)
    }

    fn location(&self, key: &str) -> Option<Location> {
        self.db().view().locate(key).unwrap()
    }

    fn record(&self, key: &str) -> Option<UserRecord> {
        let view = self.db().view();
        view.locate(key)
            .unwrap()
            .map(|location| view.record(location).unwrap().unwrap())
    }

    fn value(&self, key: &str, attribute: &str) -> Option<Datum> {
        let view = self.db().view();
        let definition = view.schema().attribute(attribute).unwrap();
        let record = self.record(key)?;
        record
            .value(definition.id)
            .map(|value| view.schema().datum(definition, value))
    }

    /// The tags of a user, by name.
    fn tags(&self, key: &str) -> Vec<String> {
        let view = self.db().view();
        let tags = self
            .record(key)
            .map(|record| record.tags)
            .unwrap_or_default();
        let mut names: Vec<String> = tags
            .iter()
            .filter_map(|tag| view.schema().tag_by_id(*tag))
            .map(|tag| tag.name.to_string())
            .collect();
        names.sort();
        names
    }

    /// How many users a row has, over all partitions.
    fn count(&self, row: RowId) -> u64 {
        count(&self.db().view(), row)
    }

    fn holders(&self, tag: &str) -> u64 {
        let id = self.db().view().schema().tag(tag).unwrap().id;
        self.count(RowId::Tag(id))
    }

    #[track_caller]
    fn check_consistent(&self) {
        let report = verify(&self.db().view()).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

fn count(view: &View, row: RowId) -> u64 {
    let mut sum = 0;
    for partition in (0..view.partition_count()).map(PartitionId) {
        for shard in (0..view.shard_count(partition).unwrap()).map(ShardId) {
            sum += view.fragment(partition, shard, row).unwrap().cardinality();
        }
    }
    sum
}

#[track_caller]
fn refused(result: Result<Summary, Error>, code: ErrorCode, message: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(message), "{error}");
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn ensure(user: &str) -> Mutation {
    Mutation::Ensure {
        user: user.to_owned(),
    }
}

fn tag(user: &str, tags: &[&str]) -> Mutation {
    Mutation::Tag {
        user: user.to_owned(),
        tags: strings(tags),
    }
}

fn untag(user: &str, tags: &[&str]) -> Mutation {
    Mutation::Untag {
        user: user.to_owned(),
        tags: strings(tags),
    }
}

fn set(user: &str, attribute: &str, value: Datum) -> Mutation {
    Mutation::Set {
        user: user.to_owned(),
        values: vec![(attribute.to_owned(), value)],
    }
}

fn add(user: &str, attribute: &str, values: &[&str]) -> Mutation {
    let values = values.iter().map(|value| text(value)).collect();
    Mutation::Add {
        user: user.to_owned(),
        attribute: attribute.to_owned(),
        values,
    }
}

fn remove(user: &str, attribute: &str, values: &[&str]) -> Mutation {
    let values = values.iter().map(|value| text(value)).collect();
    Mutation::Remove {
        user: user.to_owned(),
        attribute: attribute.to_owned(),
        values,
    }
}

fn delete(user: &str) -> Mutation {
    Mutation::DeleteUser {
        user: user.to_owned(),
    }
}

fn text(text: &str) -> Datum {
    Datum::Text(text.to_owned())
}

fn list(texts: &[&str]) -> Datum {
    Datum::List(strings(texts))
}
