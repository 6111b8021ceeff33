//! Who invited whom: found before a plan is made, because whom it finds in one shard depends on
//! users of all others.
//!
//! The column of inviters says where each user's inviter is. Most questions go through it once,
//! in the order of ids, and look up or note a bit for each user; where the inviters are few, the
//! index of texts lists whom each of them invited. Does not know how the users are used.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use super::{
    count::count,
    limits::QueryLimitError,
    planner,
    scan::{Context, FoundBlock, Unit},
};
use crate::{
    bitmap::Block,
    error::Error,
    ids::{AttributeId, BLOCK_BITS, Location, PartitionId, UserId},
    plan::{
        logical::{Expr, Leaf, Range, Referral, ReferralQuestion},
        lower::Referrals,
        physical::Plan,
        user_set::UserSet,
    },
    user_keys::PackedKeys,
};

/// Looking up whom one user invited in one partition takes about as long as reading so many
/// entries of the column.
const LOOK_UP_ENTRIES: u64 = 1_000;

/// Finds the users of all questions about inviters in an expression.
///
/// # Errors
/// When the store fails, the budget is used up, or the sets take too much memory.
pub(crate) fn find(context: Context<'_>, expr: &Expr) -> Result<Referrals, Error> {
    let mut wanted: Vec<&Arc<Referral>> = Vec::new();
    expr.for_each_leaf(&mut |leaf| {
        if let Leaf::Referral(referral) = leaf {
            wanted.push(referral);
        }
    });
    let mut found = Referrals::default();
    let mut bytes = 0;
    for referral in wanted {
        if found.contains_key(referral) {
            continue;
        }
        let finder = Finder {
            context,
            attribute: referral.attribute,
        };
        let users = finder.find(&referral.question)?;
        bytes += users.heap_bytes();
        finder.check(bytes)?;
        found.insert(Arc::clone(referral), Arc::new(users));
    }
    Ok(found)
}

struct Finder<'a> {
    context: Context<'a>,
    attribute: AttributeId,
}

impl Finder<'_> {
    fn find(&self, question: &ReferralQuestion) -> Result<UserSet, Error> {
        match question {
            ReferralQuestion::ReferredBy(of) => self.invited_by(&self.users(of)?),
            ReferralQuestion::InviterOf(of) => self.inviters(of),
            ReferralQuestion::DescendantsOf(of, steps) => self.descendants(of, *steps),
            ReferralQuestion::Invited(range) => self.who_invited(*range),
        }
    }

    /// Whether to go on with so many bytes in use.
    fn check(&self, bytes: usize) -> Result<(), Error> {
        self.context.budget.check()?;
        let max = self.context.limits.behaviour_bytes_max;
        match bytes > max {
            true => Err(QueryLimitError::ReferralBytes { max }.into()),
            false => Ok(()),
        }
    }

    fn partition_count(&self) -> u16 {
        self.context.dataset.partition_count()
    }

    /// The users of an expression.
    fn users(&self, of: &Expr) -> Result<UserSet, Error> {
        let plan = planner::plan(self.context, of.clone())?;
        self.gather(&plan, |users, unit, block| {
            users.add(unit.partition, block.id, block.users);
            Ok(())
        })
    }

    /// Everybody who has an inviter.
    fn all_invited(&self) -> Result<Plan, Error> {
        planner::plan(self.context, Leaf::Present(self.attribute).into())
    }

    /// Goes through the users of a plan, block by block on all threads.
    fn gather(
        &self,
        plan: &Plan,
        visit: impl Fn(&mut UserSet, Unit, FoundBlock<'_>) -> Result<(), Error> + Sync,
    ) -> Result<UserSet, Error> {
        self.context.fold_shards(
            plan,
            UserSet::default,
            |mut users, mut shard| {
                let unit = shard.unit;
                shard.for_each_block(0, |block| visit(&mut users, unit, block))?;
                Ok(users)
            },
            |left, right| Ok(left.merge(right)),
        )
    }

    /// Visits the users of a block who have an inviter, with where the inviter is.
    fn for_each_inviter(
        &self,
        unit: Unit,
        block: FoundBlock<'_>,
        mut visit: impl FnMut(u16, Location),
    ) -> Result<(), Error> {
        let partitions = self.partition_count();
        let column = self
            .context
            .dataset
            .column(unit.partition, self.attribute, block.id)?;
        column.for_each(block.users, |place, number| {
            let inviter = number.and_then(|number| Location::from_number(number, partitions));
            if let Some(inviter) = inviter {
                visit(place, inviter);
            }
        });
        Ok(())
    }

    /// Whose inviter is one of these.
    fn invited_by(&self, inviters: &UserSet) -> Result<UserSet, Error> {
        if inviters.is_empty() {
            return Ok(UserSet::default());
        }
        let plan = self.all_invited()?;
        let look_ups = inviters
            .count()
            .saturating_mul(self.partition_count().into());
        if look_ups.saturating_mul(LOOK_UP_ENTRIES) < count(self.context, &plan)? {
            return self.looked_up(inviters);
        }
        self.gather(&plan, |found, unit, block| {
            let mut users: Option<Block> = None;
            self.for_each_inviter(unit, block, |place, inviter| {
                if inviters.contains(inviter) {
                    users.get_or_insert_with(Block::new).insert(place);
                }
            })?;
            if let Some(users) = users {
                found.add(unit.partition, block.id, &users);
            }
            Ok(())
        })
    }

    /// The same, inviter by inviter.
    fn looked_up(&self, inviters: &UserSet) -> Result<UserSet, Error> {
        let dataset = self.context.dataset;
        let mut found = UserSet::default();
        inviters.try_for_each(|inviter| {
            self.context.checkpoint()?;
            let mut keys = PackedKeys::new();
            dataset.keys(inviter.partition, &[inviter.user], &mut keys)?;
            let Some(key) = keys.iter().next() else {
                return Ok(());
            };
            for partition in (0..self.partition_count()).map(PartitionId) {
                for user in dataset.text_matches(partition, self.attribute, key)? {
                    found.insert(Location { partition, user });
                }
            }
            Ok::<_, Error>(())
        })?;
        Ok(found)
    }

    /// Who invited one of these.
    fn inviters(&self, of: &Expr) -> Result<UserSet, Error> {
        let invited = Leaf::Present(self.attribute).into();
        let plan = planner::plan(self.context, Expr::And(vec![of.clone(), invited]))?;
        self.gather(&plan, |found, unit, block| {
            self.for_each_inviter(unit, block, |_, inviter| found.insert(inviter))
        })
    }

    /// Above whom is one of these, step by step down. Nobody is found twice, so that it ends with
    /// the last of them, however many steps there may be.
    fn descendants(&self, of: &Expr, steps: u32) -> Result<UserSet, Error> {
        let mut found = UserSet::default();
        let mut above = self.users(of)?;
        for _ in 0..steps {
            let mut below = self.invited_by(&above)?;
            below.remove(&found);
            if below.is_empty() {
                break;
            }
            self.check(found.heap_bytes() + below.heap_bytes())?;
            found = found.merge(below.clone());
            above = below;
        }
        Ok(found)
    }

    /// Who invited so many.
    fn who_invited(&self, range: Range) -> Result<UserSet, Error> {
        let counts = self.counts()?;
        let plan = self.all_invited()?;
        // Nothing is gathered but counts; a user of whom a count has no room has no place.
        self.gather(&plan, |_, unit, block| {
            self.for_each_inviter(unit, block, |_, inviter| {
                let of_partition = counts.get(usize::from(inviter.partition.0));
                if let Some(count) = of_partition.and_then(|c| c.get(inviter.user.0 as usize)) {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })?;
        let mut found = UserSet::default();
        for (partition, counts) in (0..).map(PartitionId).zip(counts) {
            self.context.budget.check()?;
            for (user, count) in (0..).map(UserId).zip(counts) {
                let count = i64::from(count.into_inner());
                if count > 0 && range.contains(count) {
                    found.insert(Location { partition, user });
                }
            }
        }
        Ok(found)
    }

    /// A count for every user there is room for.
    fn counts(&self) -> Result<Vec<Vec<AtomicU32>>, Error> {
        let dataset = self.context.dataset;
        let mut counts = Vec::new();
        let mut bytes = 0;
        for partition in (0..self.partition_count()).map(PartitionId) {
            let users = (dataset.block_count(partition)? as usize) << BLOCK_BITS;
            bytes += users * size_of::<AtomicU32>();
            self.check(bytes)?;
            counts.push((0..users).map(|_| AtomicU32::new(0)).collect());
        }
        Ok(counts)
    }
}
