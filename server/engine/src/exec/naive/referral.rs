//! Who invited whom, for one user at a time: everybody who is asked about is looked at.

use crate::{
    exec::dataset::Dataset,
    ids::{AttributeId, Location, PartitionId},
    plan::logical::{Expr, Leaf, Referral, ReferralQuestion},
    storage::{StorageError, StoredValue, UserEvent, UserRecord},
    user_keys::PackedKeys,
};

/// An expression for one user, in which the questions about inviters are answered.
///
/// # Errors
/// When the store fails.
pub fn settled(
    dataset: &dyn Dataset,
    expr: &Expr,
    key: &str,
    record: &UserRecord,
) -> Result<Expr, StorageError> {
    let all = |of: &[Expr]| {
        of.iter()
            .map(|operand| settled(dataset, operand, key, record))
            .collect::<Result<Vec<_>, _>>()
    };
    Ok(match expr {
        Expr::Leaf(Leaf::Referral(referral)) => match holds(dataset, referral, key, record)? {
            true => Expr::All,
            false => Expr::None,
        },
        Expr::All | Expr::None | Expr::Leaf(_) => expr.clone(),
        Expr::Not(inner) => settled(dataset, inner, key, record)?.negated(),
        Expr::And(of) => Expr::And(all(of)?),
        Expr::Or(of) => Expr::Or(all(of)?),
        Expr::AtLeast { threshold, of } => Expr::AtLeast {
            threshold: *threshold,
            of: all(of)?,
        },
    })
}

/// Whether a user who did these things is in an expression's set, whatever it asks about inviters.
///
/// # Errors
/// When the store fails.
pub fn matches(
    dataset: &dyn Dataset,
    expr: &Expr,
    key: &str,
    record: &UserRecord,
    events: &[UserEvent],
) -> Result<bool, StorageError> {
    let mut asks = false;
    expr.for_each_leaf(&mut |leaf| asks |= matches!(leaf, Leaf::Referral(_)));
    if !asks {
        return Ok(super::matches(expr, key, record, events));
    }
    let expr = settled(dataset, expr, key, record)?;
    Ok(super::matches(&expr, key, record, events))
}

fn holds(
    dataset: &dyn Dataset,
    referral: &Referral,
    key: &str,
    record: &UserRecord,
) -> Result<bool, StorageError> {
    let attribute = referral.attribute;
    match &referral.question {
        ReferralQuestion::ReferredBy(of) => has_above(dataset, attribute, of, 1, record),
        ReferralQuestion::DescendantsOf(of, steps) => {
            has_above(dataset, attribute, of, *steps, record)
        }
        ReferralQuestion::InviterOf(of) => {
            for location in invited(dataset, attribute, key)? {
                let mut keys = PackedKeys::new();
                dataset.keys(location.partition, &[location.user], &mut keys)?;
                if let Some(key) = keys.iter().next()
                    && is_in(dataset, of, key)?
                {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ReferralQuestion::Invited(range) => {
            let count = invited(dataset, attribute, key)?.len();
            Ok(range.contains(i64::try_from(count).unwrap_or(i64::MAX)))
        }
    }
}

/// Whether somebody above a user, at most so many steps, is one of these.
fn has_above(
    dataset: &dyn Dataset,
    attribute: AttributeId,
    of: &Expr,
    steps: u32,
    record: &UserRecord,
) -> Result<bool, StorageError> {
    let mut inviter = inviter_in(record, attribute);
    for _ in 0..steps {
        let Some(key) = inviter else {
            return Ok(false);
        };
        if is_in(dataset, of, &key)? {
            return Ok(true);
        }
        inviter = match dataset.locate(&key)? {
            Some(location) => dataset
                .record(location)?
                .and_then(|record| inviter_in(&record, attribute)),
            None => None,
        };
    }
    Ok(false)
}

fn inviter_in(record: &UserRecord, attribute: AttributeId) -> Option<String> {
    match record.value(attribute) {
        Some(StoredValue::Text(key)) => Some(key.clone()),
        Some(StoredValue::Code(_) | StoredValue::Codes(_) | StoredValue::Number(_)) | None => None,
    }
}

/// Whom a user invited.
fn invited(
    dataset: &dyn Dataset,
    attribute: AttributeId,
    key: &str,
) -> Result<Vec<Location>, StorageError> {
    let mut found = Vec::new();
    for partition in (0..dataset.partition_count()).map(PartitionId) {
        let users = dataset.text_matches(partition, attribute, key)?;
        found.extend(users.into_iter().map(|user| Location { partition, user }));
    }
    Ok(found)
}

/// Whether the user with a key is in an expression.
fn is_in(dataset: &dyn Dataset, expr: &Expr, key: &str) -> Result<bool, StorageError> {
    let Some(location) = dataset.locate(key)? else {
        return Ok(false);
    };
    let Some(record) = dataset.record(location)? else {
        return Ok(false);
    };
    let events = dataset.user_events(location)?;
    matches(dataset, expr, key, &record, &events)
}
