//! Many users from a seed: enough that pieces fill, vectors grow, and bounds begin to help.

use super::{memory::MemoryDataset, memory::User, random};
use crate::{
    ids::{Location, PartitionId, TagId, UserId, ValueCode},
    schema::TagDefinition,
    storage::{StoredValue, UserRecord},
};

/// Pseudo-random numbers by Marsaglia's xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % bound
    }
}

/// So many users, some close together and some far apart, in three partitions and two shards,
/// with so many tags beside the schema's own: `many-0` is the most frequent one.
pub(crate) fn crowd(seed: u64, users: u32, tags: u32) -> MemoryDataset {
    let mut schema = random::schema();
    let first = random::TAGS.len() as u32;
    for tag in 0..tags {
        let name = random::name(&format!("many-{tag}"));
        schema.put_tag(TagDefinition::new(TagId(first + tag), name));
    }
    let mut numbers = Numbers(seed | 1);
    let people = (0..users).map(|index| User {
        key: format!("u{index}"),
        location: place(index),
        record: record(&mut numbers, index, first, tags),
    });
    MemoryDataset::new(schema, random::PARTITIONS, people.collect())
}

/// Half of them one beside the other, the others in every hundredth place, over a shard's end.
fn place(index: u32) -> Location {
    let (partition, user) = match index % 4 {
        0 | 1 => (0, index / 4 * 2 + index % 2),
        2 => (1, (1 << 20) - 40_000 + index * 7),
        _ => (2, index * 100),
    };
    Location {
        partition: PartitionId(partition),
        user: UserId(user),
    }
}

fn record(numbers: &mut Numbers, index: u32, first_tag: u32, tags: u32) -> UserRecord {
    let mut record = UserRecord::default();
    for tag in 0..tags {
        if numbers.below(10 * (u64::from(tag) + 2)) < 8 {
            record.add_tag(TagId(first_tag + tag));
        }
    }
    if numbers.below(3) == 0 {
        record.add_tag(TagId(0));
    }
    let values = [
        (
            random::GENDER,
            StoredValue::Code(ValueCode(numbers.below(3) as u32)),
        ),
        (
            random::ACTIVE,
            StoredValue::Code(ValueCode(numbers.below(2) as u32)),
        ),
        (
            random::AGE,
            StoredValue::Number(13 + numbers.below(70) as i64),
        ),
        (
            random::SPEND,
            StoredValue::Number(numbers.below(100_000) as i64 - 20_000),
        ),
        (
            random::BORN,
            StoredValue::Number(i64::from(index) / 8 - 500),
        ),
        (
            random::SEEN,
            StoredValue::Number((numbers.below(1 << 30) as i64 - (1 << 28)) * 100_000),
        ),
    ];
    // Not drawn, so that everything else stays as it is.
    if !index.is_multiple_of(4) {
        let note = format!("note {}", index.wrapping_mul(7919) % 500);
        record.set_value(random::NOTE, Some(StoredValue::Text(note)));
    }
    for (attribute, value) in values {
        if numbers.below(20) > 0 {
            record.set_value(attribute, Some(value));
        }
    }
    record
}
