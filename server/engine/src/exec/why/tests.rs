#![expect(clippy::expect_used, reason = "tests stop at the first surprise")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{
    smallest::{Change, smallest_change},
    tree::{Kind, LeafId, Node},
};
use crate::{budget::Budget, datum::Datum};

fn node(kind: Kind, leaf: Option<u32>, holds: bool, of: Vec<Node>) -> Node {
    Node {
        depth: 0,
        text: String::new(),
        holds,
        value: Datum::Null,
        kind,
        leaf: leaf.map(LeafId),
        of,
        shown: Vec::new(),
    }
}

/// A tree without truth, and the truth of its leaves by number.
#[derive(Debug, Clone)]
enum Shape {
    Leaf(u32),
    Fixed(Truth),
    Not(Box<Shape>),
    All(Vec<Shape>),
    Any(Vec<Shape>),
    AtLeast(u32, Vec<Shape>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Truth {
    Yes,
    No,
}

impl Shape {
    fn node(&self, truths: &[bool]) -> Node {
        let nodes = |of: &[Self]| {
            of.iter()
                .map(|inner| inner.node(truths))
                .collect::<Vec<_>>()
        };
        let count = |of: &[Node]| of.iter().filter(|inner| inner.holds).count();
        match self {
            Self::Leaf(leaf) => node(Kind::Leaf, Some(*leaf), truths[*leaf as usize], Vec::new()),
            Self::Fixed(truth) => node(Kind::Fixed, None, *truth == Truth::Yes, Vec::new()),
            Self::Not(inner) => {
                let inner = inner.node(truths);
                node(Kind::Not, None, !inner.holds, vec![inner])
            }
            Self::All(of) => {
                let of = nodes(of);
                node(Kind::All, None, count(&of) == of.len(), of)
            }
            Self::Any(of) => {
                let of = nodes(of);
                node(Kind::Any, None, count(&of) > 0, of)
            }
            Self::AtLeast(threshold, of) => {
                let of = nodes(of);
                let holds = count(&of) >= *threshold as usize;
                node(Kind::AtLeast(*threshold), None, holds, of)
            }
        }
    }

    /// The least number of truths that have to be turned for it to hold, by trying all.
    fn least(&self, truths: &[bool]) -> Option<u32> {
        let subsets = 0_u32..1 << truths.len();
        let holds = |turned: &u32| {
            let truth = |(place, truth): (usize, &bool)| *truth != (turned >> place & 1 == 1);
            let changed: Vec<bool> = truths.iter().enumerate().map(truth).collect();
            self.node(&changed).holds
        };
        subsets.filter(holds).map(u32::count_ones).min()
    }
}

const LEAVES: u32 = 6;

fn shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        9 => (0..LEAVES).prop_map(Shape::Leaf),
        1 => prop_oneof![Just(Truth::Yes), Just(Truth::No)].prop_map(Shape::Fixed),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let some = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Shape::Not(Box::new(inner))),
            some().prop_map(Shape::All),
            some().prop_map(Shape::Any),
            (0..5_u32, some()).prop_map(|(threshold, of)| Shape::AtLeast(threshold, of)),
        ]
    })
}

proptest! {
    /// No smaller set does, and this one does, whether or not leaves occur more than once.
    #[test]
    fn the_smallest_change_is_that_of_trying_all(
        shape in shape(),
        truths in prop::collection::vec(any::<bool>(), LEAVES as usize),
    ) {
        let root = shape.node(&truths);
        prop_assume!(!root.holds);
        let found = smallest_change(&root, &Budget::unlimited()).expect("no budget");
        match found {
            Change::Unknown => prop_assert!(false, "so few leaves can be tried"),
            Change::Nothing => prop_assert_eq!(shape.least(&truths), None),
            Change::Found { leaves, is_smallest } => {
                prop_assert!(is_smallest);
                prop_assert_eq!(shape.least(&truths), Some(leaves.len() as u32));
                let turned = |place: usize| leaves.contains(&LeafId(place as u32));
                let changed: Vec<bool> = truths
                    .iter()
                    .enumerate()
                    .map(|(place, truth)| *truth != turned(place))
                    .collect();
                prop_assert!(shape.node(&changed).holds);
            }
        }
    }
}

/// Where a leaf is both wanted and not, counting occurrences by themselves says too little.
#[test]
fn leaves_that_occur_twice_change_together() {
    let either = |leaf: u32, other: u32| {
        Shape::Any(vec![
            Shape::Leaf(leaf),
            Shape::All(vec![
                Shape::Leaf(other),
                Shape::Not(Box::new(Shape::Leaf(leaf))),
            ]),
        ])
    };
    let shape = Shape::All(vec![either(0, 1), Shape::Not(Box::new(Shape::Leaf(0)))]);
    let root = shape.node(&[false, false]);
    let found = smallest_change(&root, &Budget::unlimited()).expect("no budget");
    let expected = Change::Found {
        leaves: BTreeSet::from([LeafId(1)]),
        is_smallest: true,
    };
    assert_eq!(found, expected);
}

/// Thirty leaves that occur twice, of which twenty have to change: too many sets to try.
#[test]
fn what_was_not_tried_is_not_called_the_smallest() {
    let all = |leaves: std::ops::Range<u32>| Shape::All(leaves.map(Shape::Leaf).collect());
    let shape = Shape::All(vec![all(0..20), Shape::Any(vec![all(0..20), all(10..30)])]);
    let root = shape.node(&[false; 30]);
    let found = smallest_change(&root, &Budget::unlimited()).expect("no budget");
    let expected = Change::Found {
        leaves: (0..20).map(LeafId).collect(),
        is_smallest: false,
    };
    assert_eq!(found, expected);
}
