#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use proptest::prelude::*;

use super::*;
use crate::{
    behaviour::Bucket,
    ids::{AttributeId, EventId, ShardId, UserId},
};

fn text_key(text: &str, user: u32) -> TextKey<'_> {
    TextKey {
        partition: PartitionId(1),
        attribute: AttributeId(2),
        text: text.into(),
        user: UserId(user),
    }
}

proptest! {
    #[test]
    fn text_keys_keep_their_order_and_come_back(a in "[\0a-c]{0,4}", b in "[\0a-c]{0,4}", x: u32, y: u32) {
        let (left, right) = (text_key(&a, x), text_key(&b, y));
        prop_assert_eq!(left.to_bytes().cmp(&right.to_bytes()), left.cmp(&right));
        let bytes = left.to_bytes();
        prop_assert_eq!(TextKey::read_from(&bytes).unwrap(), left.clone());
        let prefix = TextKey::prefix(PartitionId(1), AttributeId(2), &b);
        prop_assert_eq!(left.to_bytes().starts_with(&prefix), a == b);
    }

    #[test]
    fn any_bytes_are_one_key_or_an_error(bytes in proptest::collection::vec(0u8..8, 0..20)) {
        fn again<'a, K: KeyFormat<'a>>(bytes: &'a [u8]) -> Vec<u8> {
            K::read_from(bytes).map_or_else(|_| bytes.to_vec(), |key| key.to_bytes())
        }
        prop_assert_eq!(&again::<FragmentKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<TextKey<'_>>(&bytes), &bytes);
        prop_assert_eq!(&again::<SchemaKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<ColumnKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<UserKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<KeyBlockKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<EventTableKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<EventExtentKey>(&bytes), &bytes);
        prop_assert_eq!(&again::<EventIdKey<'_>>(&bytes), &bytes);
    }

    #[test]
    fn later_events_come_first(left: i64, right: i64) {
        let key = |time_us| EventKey {
            partition: PartitionId(1),
            event: EventId(2),
            user: UserId(3),
            time_us,
            command: 4,
            index: 5,
        };
        let bytes = key(left).to_bytes();
        prop_assert_eq!(EventKey::read_from(&bytes).unwrap(), key(left));
        prop_assert_eq!(bytes.cmp(&key(right).to_bytes()), right.cmp(&left));
    }

    #[test]
    fn tables_are_in_the_order_of_time(left: i32, right: i32) {
        let key = |day| EventTableKey {
            partition: PartitionId(1),
            event: EventId(2),
            shard: ShardId(3),
            bucket: Bucket::Day(day),
        };
        prop_assert_eq!(key(left).to_bytes().cmp(&key(right).to_bytes()), left.cmp(&right));
    }
}

#[test]
fn keys_hash_to_the_same_partition_for_ever() {
    let partitions = ["u1", "u2", "高价值"].map(|key| partition_of_key(key, 16).0);
    assert_eq!(partitions, [1, 14, 7]);
}
