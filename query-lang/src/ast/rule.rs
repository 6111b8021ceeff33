//! Tags and tag groups as they are defined: validity, rules, layers, lifecycle.

use super::{EventMeasure, Exclusivity, Expr, Notes, Period, Spanned, Value};
use crate::name::Name;

/// Whether holdings of a tag end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Validity {
    /// `STATIC`: never.
    #[default]
    Static,
    /// `DYNAMIC FOR 30d`: so long after their start, if nothing else is said of them.
    Dynamic(Spanned<Period>),
}

/// What tagging a user again does to a dynamic tag that is held already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRetag {
    /// `REPLACE`: the new start and end.
    #[default]
    Replace,
    /// `EXTEND`: the new length is added to the old end.
    Extend,
    /// `LATER`: the later of both ends.
    Later,
}

/// Where a tag is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifecycle {
    /// `DRAFT`
    Draft,
    /// `ACTIVE`
    #[default]
    Active,
    /// `DEPRECATED`: takes no new holdings, and warns who asks for it.
    Deprecated,
    /// `ARCHIVED`: takes no new holdings, and is found by its name only.
    Archived,
}

impl Lifecycle {
    /// Its word, in lower case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Deprecated => "deprecated",
            Self::Archived => "archived",
        }
    }

    /// Whether the tag takes no new holdings.
    pub fn is_closed(self) -> bool {
        match self {
            Self::Draft | Self::Active => false,
            Self::Deprecated | Self::Archived => true,
        }
    }

    /// Whether patterns match the tag: a draft is not ready for that, and an archived one is out
    /// of sight.
    pub fn is_in_sight(self) -> bool {
        match self {
            Self::Active | Self::Deprecated => true,
            Self::Draft | Self::Archived => false,
        }
    }
}

/// `DEFINE TAG vip [STATIC | DYNAMIC FOR 30d] [ON RETAG …] [DRAFT | …] [IN GROUP g] … [AS expr]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefineTag {
    /// The new tag.
    pub name: Spanned<Name>,
    /// Whether its holdings end.
    pub validity: Validity,
    /// What tagging again does; the default unless the tag is dynamic.
    pub on_retag: OnRetag,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// The group it belongs to.
    pub group: Option<Spanned<Name>>,
    /// Description and owner.
    pub notes: Notes,
    /// `AS expr`: who holds it, always.
    pub rule: Option<Expr>,
}

impl DefineTag {
    /// A static, active tag with nothing else said of it.
    pub fn new(name: Spanned<Name>) -> Self {
        Self {
            name,
            validity: Validity::default(),
            on_retag: OnRetag::default(),
            lifecycle: Lifecycle::default(),
            group: None,
            notes: Notes::default(),
            rule: None,
        }
    }
}

/// `ALTER TAG vip …`: what is not mentioned stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTag {
    /// Which tag.
    pub name: Spanned<Name>,
    /// `STATIC`, `DYNAMIC FOR 30d`
    pub validity: Option<Validity>,
    /// `ON RETAG EXTEND`
    pub on_retag: Option<OnRetag>,
    /// `DEPRECATED`
    pub lifecycle: Option<Lifecycle>,
    /// `IN GROUP g`, `NO GROUP`
    pub group: Option<GroupChange>,
    /// Description and owner.
    pub notes: Notes,
    /// `AS expr`, `NO RULE`
    pub rule: Option<RuleChange<Expr>>,
}

impl AlterTag {
    /// Nothing of the tag changes.
    pub fn new(name: Spanned<Name>) -> Self {
        Self {
            name,
            validity: None,
            on_retag: None,
            lifecycle: None,
            group: None,
            notes: Notes::default(),
            rule: None,
        }
    }
}

/// A move between groups, of a tag or of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupChange {
    /// `IN GROUP g`
    Into(Spanned<Name>),
    /// `NO GROUP`
    Out,
}

/// Another rule of a tag or of a group, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange<R> {
    /// `AS …`
    Into(R),
    /// `NO RULE`: from now on tags are given and taken by hand.
    Out,
}

/// `DEFINE GROUP lifecycle [EXCLUSIVE | SHARED] [IN GROUP parent] … [AS …]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefineGroup {
    /// The new group.
    pub name: Spanned<Name>,
    /// Whether a user may hold only one of its tags.
    pub exclusivity: Exclusivity,
    /// The group it stands in.
    pub parent: Option<Spanned<Name>>,
    /// Description and owner.
    pub notes: Notes,
    /// Who holds which of its tags.
    pub rule: Option<GroupRule>,
}

impl DefineGroup {
    /// A shared group at the top with nothing else said of it.
    pub fn new(name: Spanned<Name>) -> Self {
        Self {
            name,
            exclusivity: Exclusivity::default(),
            parent: None,
            notes: Notes::default(),
            rule: None,
        }
    }
}

/// `ALTER GROUP lifecycle …`: what is not mentioned stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterGroup {
    /// Which group.
    pub name: Spanned<Name>,
    /// `EXCLUSIVE`, `SHARED`; refused when users already hold two.
    pub exclusivity: Option<Exclusivity>,
    /// `IN GROUP parent`, `NO GROUP`
    pub parent: Option<GroupChange>,
    /// Description and owner.
    pub notes: Notes,
    /// `AS …`, `NO RULE`
    pub rule: Option<RuleChange<GroupRule>>,
}

impl AlterGroup {
    /// Nothing of the group changes.
    pub fn new(name: Spanned<Name>) -> Self {
        Self {
            name,
            exclusivity: None,
            parent: None,
            notes: Notes::default(),
            rule: None,
        }
    }
}

/// The layers of a tag group: its tags from the first on. Who is in several is in the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupRule {
    /// `high: expr, mid: expr, low: OTHERWISE`
    Layers(Vec<Layer<Expr>>),
    /// `BANDS OF sum(purchase.amount, 90d) (whale: 10000.., small: OTHERWISE)`
    Bands {
        /// What is measured.
        of: Quantity,
        /// Its ranges.
        bands: Vec<Layer<Band>>,
    },
    /// `PERCENTILES OF sum(purchase.amount, 90d) (top: 90..100, low: OTHERWISE)`
    Percentiles {
        /// What users are ranked by.
        of: Quantity,
        /// Ranges of 0 to 100.
        bands: Vec<Layer<Band>>,
    },
}

/// One tag of a layered group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer<T> {
    /// The tag, which is defined with the group.
    pub tag: Spanned<Name>,
    /// Who holds it.
    pub when: When<T>,
}

/// The condition of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When<T> {
    /// Those for whom this holds and nothing before did.
    If(T),
    /// `OTHERWISE`: those for whom nothing before did. Stands last.
    Otherwise,
}

/// A closed range: `1000..10000`, `10000..`, `..5`; at least one end present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// The least, included.
    pub low: Option<Spanned<Value>>,
    /// The greatest, included.
    pub high: Option<Spanned<Value>>,
}

/// A number of each user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity {
    /// `spend`
    Attribute(Spanned<Name>),
    /// `sum(purchase.amount, 90d)`
    Events(Box<EventMeasure>),
}

/// How a derived attribute comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Derivation {
    /// `YEARS SINCE birthday`: whole years from that day to today.
    YearsSince(Spanned<Name>),
}
