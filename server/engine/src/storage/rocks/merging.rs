//! What becomes of deltas: the merge operators.
//!
//! Knows which families have deltas, and who can apply them: [`crate::behaviour`],
//! [`crate::bitmap`], [`crate::column`] and [`crate::user_keys`].

use rocksdb::{MergeOperands, Options};

use crate::{behaviour, bitmap, column, storage::families::FamilyId, user_keys};

/// Begins a value whose merge failed. No fragment, column or key block begins so: reading it is
/// an error. Failing inside the operator instead would stop all writing at the next compaction,
/// for the sake of one damaged row that can be derived again.
pub(crate) const DAMAGED: &[u8] = b"damaged: ";

/// Lets the deltas of a family be merged, if it has any.
pub(super) fn set_merging(options: &mut Options, family: FamilyId) {
    match family {
        FamilyId::Fragments => {
            options.set_merge_operator("tessera.fragment", merge_fragment, combine_fragment);
        }
        FamilyId::Columns => {
            options.set_merge_operator("tessera.column", merge_column, combine_column);
        }
        FamilyId::KeyBlocks => {
            options.set_merge_operator("tessera.keys", merge_keys, combine_keys);
        }
        FamilyId::EventTables => {
            options.set_merge_operator("tessera.events", merge_events, combine_events);
        }
        FamilyId::Meta
        | FamilyId::Schema
        | FamilyId::Partitions
        | FamilyId::UserIds
        | FamilyId::UserKeys
        | FamilyId::Records
        | FamilyId::Texts
        | FamilyId::Requests
        | FamilyId::Events
        | FamilyId::EventIds
        | FamilyId::EventExtents
        | FamilyId::TagSizes => {}
    }
}

fn damaged(error: impl std::fmt::Display) -> Vec<u8> {
    let mut value = DAMAGED.to_vec();
    value.extend_from_slice(error.to_string().as_bytes());
    value
}

fn merge_fragment(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(bitmap::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

fn merge_column(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(column::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

fn merge_keys(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(user_keys::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

fn merge_events(_key: &[u8], base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    Some(behaviour::merge_full(base, operands.iter()).unwrap_or_else(damaged))
}

/// `None` leaves the operands as they are, until a full merge says what is wrong with them.
fn combine_fragment(
    _key: &[u8],
    _base: Option<&[u8]>,
    operands: &MergeOperands,
) -> Option<Vec<u8>> {
    bitmap::merge_partial(operands.iter()).ok()
}

fn combine_column(_key: &[u8], _base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    column::merge_partial(operands.iter()).ok()
}

fn combine_keys(_key: &[u8], _base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    user_keys::merge_partial(operands.iter()).ok()
}

fn combine_events(_key: &[u8], _base: Option<&[u8]>, operands: &MergeOperands) -> Option<Vec<u8>> {
    behaviour::merge_partial(operands.iter()).ok()
}
