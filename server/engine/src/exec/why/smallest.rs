//! The fewest leaves to change for an expression to hold.

use std::collections::BTreeSet;

use super::tree::{Kind, LeafId, Node};
use crate::{budget::Budget, error::Error};

/// Sets of leaves that are tried where a leaf occurs more than once.
const TRIED_MAX: usize = 200_000;

/// The leaves of a set whose change would make an expression hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// There is no such set.
    Nothing,
    /// There are too many sets to try them all.
    Unknown,
    /// These.
    Found {
        leaves: BTreeSet<LeafId>,
        /// Whether certainly no smaller set does.
        is_smallest: bool,
    },
}

impl Default for Change {
    /// It holds already.
    fn default() -> Self {
        Self::Found {
            leaves: BTreeSet::new(),
            is_smallest: true,
        }
    }
}

impl Change {
    /// Whether a leaf is to change.
    pub(super) fn has(&self, leaf: LeafId) -> bool {
        match self {
            Self::Nothing | Self::Unknown => false,
            Self::Found { leaves, .. } => leaves.contains(&leaf),
        }
    }
}

/// A smallest set whose change makes a tree hold that does not.
pub(super) fn smallest_change(root: &Node, budget: &Budget) -> Result<Change, Error> {
    let mut occurring = Vec::new();
    occurrences(root, &mut occurring);
    let distinct: BTreeSet<LeafId> = occurring.iter().copied().collect();
    let by_tree = cost(root, Wanted::Holds).map(|_| {
        let mut leaves = BTreeSet::new();
        choose(root, Wanted::Holds, &mut leaves);
        leaves
    });
    if distinct.len() == occurring.len() {
        return Ok(match by_tree {
            Some(leaves) => Change::Found {
                leaves,
                is_smallest: true,
            },
            None => Change::Nothing,
        });
    }
    // As each occurrence was counted by itself, the set may be too large, and may not do.
    let by_tree = by_tree.filter(|leaves| holds_after(root, leaves));
    let distinct: Vec<LeafId> = distinct.into_iter().collect();
    let most = by_tree.as_ref().map_or(distinct.len(), BTreeSet::len);
    let mut tries = Tries {
        root,
        leaves: &distinct,
        left: TRIED_MAX,
        budget,
    };
    for size in 1..=most {
        match tries.of_size(size, 0, &mut BTreeSet::new())? {
            Tried::Found(leaves) => {
                return Ok(Change::Found {
                    leaves,
                    is_smallest: true,
                });
            }
            Tried::None => {}
            Tried::Stopped => {
                return Ok(by_tree.map_or(Change::Unknown, |leaves| Change::Found {
                    leaves,
                    is_smallest: false,
                }));
            }
        }
    }
    Ok(Change::Nothing)
}

/// Every occurrence of a leaf that can change.
fn occurrences(node: &Node, found: &mut Vec<LeafId>) {
    match (node.kind, node.leaf) {
        (Kind::Leaf, Some(leaf)) => found.push(leaf),
        (Kind::Leaf | Kind::Fixed | Kind::All | Kind::Any | Kind::Not | Kind::AtLeast(_), _) => {
            node.of.iter().for_each(|inner| occurrences(inner, found));
        }
    }
}

/// What a part of the tree is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Holds,
    Fails,
}

impl Wanted {
    fn opposite(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
        }
    }

    fn is_met(self, node: &Node) -> bool {
        node.holds == (self == Self::Holds)
    }
}

/// How many inputs have to do what is wanted of a node.
fn needed(node: &Node, wanted: Wanted) -> usize {
    let all = node.of.len();
    match (node.kind, wanted) {
        (Kind::All, Wanted::Holds) | (Kind::Any, Wanted::Fails) => all,
        (Kind::All, Wanted::Fails) | (Kind::Any, Wanted::Holds) => 1,
        (Kind::AtLeast(threshold), Wanted::Holds) => threshold as usize,
        // So many that fewer than the threshold are left.
        (Kind::AtLeast(threshold), Wanted::Fails) => (all + 1).saturating_sub(threshold as usize),
        (Kind::Not | Kind::Leaf | Kind::Fixed, _) => 0,
    }
}

/// The least number of leaves to change, where each occurrence is one; `None` if none will do.
fn cost(node: &Node, wanted: Wanted) -> Option<usize> {
    match node.kind {
        _ if wanted.is_met(node) => Some(0),
        Kind::Fixed => None,
        Kind::Leaf => Some(1),
        Kind::Not => cost(node.of.first()?, wanted.opposite()),
        Kind::All | Kind::Any | Kind::AtLeast(_) => {
            let cheapest = cheapest(node, wanted);
            let needed = needed(node, wanted);
            let chosen = cheapest.get(..needed)?.iter();
            Some(chosen.map(|(cost, _)| cost).sum())
        }
    }
}

/// The inputs that can do what is wanted, those with the fewest changes first.
fn cheapest(node: &Node, wanted: Wanted) -> Vec<(usize, &Node)> {
    let inputs = node.of.iter();
    let mut costs: Vec<(usize, &Node)> = inputs
        .filter_map(|inner| Some((cost(inner, wanted)?, inner)))
        .collect();
    costs.sort_by_key(|(cost, _)| *cost);
    costs
}

/// Takes the leaves of which [`cost`] is the number.
fn choose(node: &Node, wanted: Wanted, leaves: &mut BTreeSet<LeafId>) {
    if wanted.is_met(node) {
        return;
    }
    match node.kind {
        Kind::Fixed => {}
        Kind::Leaf => leaves.extend(node.leaf),
        Kind::Not => {
            let inner = node.of.iter();
            inner.for_each(|inner| choose(inner, wanted.opposite(), leaves));
        }
        Kind::All | Kind::Any | Kind::AtLeast(_) => {
            let chosen = cheapest(node, wanted)
                .into_iter()
                .take(needed(node, wanted));
            chosen.for_each(|(_, inner)| choose(inner, wanted, leaves));
        }
    }
}

/// Whether a tree holds when these leaves are the opposite, wherever they occur.
fn holds_after(node: &Node, changed: &BTreeSet<LeafId>) -> bool {
    let count = || {
        let inputs = node.of.iter();
        inputs.filter(|inner| holds_after(inner, changed)).count()
    };
    match node.kind {
        Kind::Fixed => node.holds,
        Kind::Leaf => node.holds != node.leaf.is_some_and(|leaf| changed.contains(&leaf)),
        Kind::Not => count() == 0,
        Kind::All => count() == node.of.len(),
        Kind::Any => count() > 0,
        Kind::AtLeast(threshold) => count() >= threshold as usize,
    }
}

/// What came of trying the sets of a size.
enum Tried {
    Found(BTreeSet<LeafId>),
    None,
    /// There are too many to try.
    Stopped,
}

struct Tries<'a> {
    root: &'a Node,
    leaves: &'a [LeafId],
    left: usize,
    budget: &'a Budget,
}

impl Tries<'_> {
    /// Tries all sets with `size` more of the leaves from `first` on.
    fn of_size(
        &mut self,
        size: usize,
        first: usize,
        set: &mut BTreeSet<LeafId>,
    ) -> Result<Tried, Error> {
        if size == 0 {
            if self.left == 0 {
                return Ok(Tried::Stopped);
            }
            self.left -= 1;
            self.budget.check()?;
            return Ok(match holds_after(self.root, set) {
                true => Tried::Found(set.clone()),
                false => Tried::None,
            });
        }
        for place in first..self.leaves.len() {
            let Some(&leaf) = self.leaves.get(place) else {
                break;
            };
            set.insert(leaf);
            match self.of_size(size - 1, place + 1, set)? {
                Tried::None => {}
                done @ (Tried::Found(_) | Tried::Stopped) => return Ok(done),
            }
            set.remove(&leaf);
        }
        Ok(Tried::None)
    }
}
