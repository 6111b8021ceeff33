//! Tags and tag groups as they are defined and altered: validity, lifecycle, rules, layers.

use super::Parsed;
use super::behaviour::is_measure;
use super::cursor::{Cursor, invalid_value};
use super::define::{Common, IF_NOT_EXISTS};
use super::list::Clause;
use super::time::RangeEnd;
use crate::ast::{
    Alter, AlterGroup, AlterTag, Band, Define, DefineGroup, DefineTag, Exclusivity, Expr,
    GroupChange, GroupRule, Layer, Lifecycle, OnRetag, Quantity, RuleChange, Spanned, Statement,
    Validity, When,
};
use crate::error::{Expected, NameKind};
use crate::keywords::Place;
use crate::lexer::Symbol;
use crate::limits::Limit;
use crate::name::Name;

/// What may be said of a tag's holdings and life, in any order.
#[derive(Default)]
struct TagClauses {
    validity: Option<Validity>,
    on_retag: Option<Spanned<OnRetag>>,
    lifecycle: Option<Lifecycle>,
}

impl TagClauses {
    /// Reads one of them, if one stands here.
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Parsed<Clause> {
        cursor
            .clause("DYNAMIC", &mut self.validity, |cursor| {
                cursor.keyword("FOR")?;
                cursor.period().map(Validity::Dynamic)
            })?
            .or_try(|| cursor.clause("STATIC", &mut self.validity, |_| Ok(Validity::Static)))?
            .or_try(|| cursor.clause("ON RETAG", &mut self.on_retag, Cursor::on_retag))?
            .or_try(|| cursor.lifecycle(&mut self.lifecycle))
    }

    fn is_empty(&self) -> bool {
        self.validity.is_none() && self.on_retag.is_none() && self.lifecycle.is_none()
    }
}

impl Cursor<'_> {
    fn on_retag(&mut self) -> Parsed<Spanned<OnRetag>> {
        let policies = [
            ("REPLACE", OnRetag::Replace),
            ("EXTEND", OnRetag::Extend),
            ("LATER", OnRetag::Later),
        ];
        for (keyword, policy) in policies {
            if let Some(span) = self.take_keyword(keyword) {
                return Ok(Spanned::new(policy, span));
            }
        }
        Err(self.unexpected())
    }

    fn lifecycle(&mut self, slot: &mut Option<Lifecycle>) -> Parsed<Clause> {
        let states = [
            ("DRAFT", Lifecycle::Draft),
            ("ACTIVE", Lifecycle::Active),
            ("DEPRECATED", Lifecycle::Deprecated),
            ("ARCHIVED", Lifecycle::Archived),
        ];
        for (keyword, state) in states {
            if self.clause(keyword, slot, |_| Ok(state))? == Clause::Read {
                return Ok(Clause::Read);
            }
        }
        Ok(Clause::Absent)
    }

    pub(super) fn define_tag(
        &mut self,
        name: Spanned<Name>,
        mut common: Common,
    ) -> Parsed<Statement> {
        let (mut clauses, mut group, mut rule) = (TagClauses::default(), None, None);
        while common
            .note(self)?
            .or_try(|| clauses.read(self))?
            .or_try(|| self.clause("IN GROUP", &mut group, Self::group_name))?
            .or_try(|| self.clause("AS", &mut rule, Self::expr))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let validity = clauses.validity.unwrap_or_default();
        check_retag(validity, clauses.on_retag)?;
        let tag = DefineTag {
            name,
            validity,
            on_retag: clauses
                .on_retag
                .map(|policy| policy.node)
                .unwrap_or_default(),
            lifecycle: clauses.lifecycle.unwrap_or_default(),
            group,
            notes: common.notes(),
            rule,
        };
        Ok(Statement::Define(Define::Tag(tag), on_conflict))
    }

    pub(super) fn alter_tag(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let (mut clauses, mut group, mut rule) = (TagClauses::default(), None, None);
        while common
            .note(self)?
            .or_try(|| clauses.read(self))?
            .or_try(|| self.group_change(&mut group))?
            .or_try(|| self.rule_change(&mut rule, Self::expr))?
            == Clause::Read
        {}
        if common.is_empty() && clauses.is_empty() && group.is_none() && rule.is_none() {
            return Err(self.unexpected());
        }
        if let Some(validity) = clauses.validity {
            check_retag(validity, clauses.on_retag)?;
        }
        Ok(Alter::Tag(AlterTag {
            name,
            validity: clauses.validity,
            on_retag: clauses.on_retag.map(|policy| policy.node),
            lifecycle: clauses.lifecycle,
            group,
            notes: common.notes(),
            rule,
        }))
    }

    /// `AS …` or `NO RULE`
    fn rule_change<R>(
        &mut self,
        slot: &mut Option<RuleChange<R>>,
        read: impl FnOnce(&mut Self) -> Parsed<R>,
    ) -> Parsed<Clause> {
        self.clause("AS", slot, |cursor| read(cursor).map(RuleChange::Into))?
            .or_try(|| self.clause("NO RULE", slot, |_| Ok(RuleChange::Out)))
    }

    /// `IN GROUP g` or `NO GROUP`
    fn group_change(&mut self, slot: &mut Option<GroupChange>) -> Parsed<Clause> {
        self.clause("IN GROUP", slot, |cursor| {
            cursor.group_name().map(GroupChange::Into)
        })?
        .or_try(|| self.clause("NO GROUP", slot, |_| Ok(GroupChange::Out)))
    }

    fn group_name(&mut self) -> Parsed<Spanned<Name>> {
        self.name(NameKind::Group, Place::Plain)
    }

    pub(super) fn define_group(
        &mut self,
        name: Spanned<Name>,
        mut common: Common,
    ) -> Parsed<Statement> {
        let (mut exclusivity, mut parent, mut rule) = (None, None, None);
        while common
            .note(self)?
            .or_try(|| self.exclusivity(&mut exclusivity))?
            .or_try(|| self.clause("IN GROUP", &mut parent, Self::group_name))?
            .or_try(|| self.clause("AS", &mut rule, Self::group_rule))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let group = DefineGroup {
            name,
            exclusivity: exclusivity.unwrap_or_default(),
            parent,
            notes: common.notes(),
            rule,
        };
        Ok(Statement::Define(Define::Group(group), on_conflict))
    }

    pub(super) fn alter_group(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let (mut exclusivity, mut parent, mut rule) = (None, None, None);
        while common
            .note(self)?
            .or_try(|| self.exclusivity(&mut exclusivity))?
            .or_try(|| self.group_change(&mut parent))?
            .or_try(|| self.rule_change(&mut rule, Self::group_rule))?
            == Clause::Read
        {}
        if common.is_empty() && exclusivity.is_none() && parent.is_none() && rule.is_none() {
            return Err(self.unexpected());
        }
        Ok(Alter::Group(AlterGroup {
            name,
            exclusivity,
            parent,
            notes: common.notes(),
            rule,
        }))
    }

    fn exclusivity(&mut self, slot: &mut Option<Exclusivity>) -> Parsed<Clause> {
        self.clause("EXCLUSIVE", slot, |_| Ok(Exclusivity::Exclusive))?
            .or_try(|| self.clause("SHARED", slot, |_| Ok(Exclusivity::Shared)))
    }

    /// What stands after `AS` of a group.
    pub(super) fn group_rule(&mut self) -> Parsed<GroupRule> {
        if self.take_keyword("BANDS OF").is_some() {
            let of = self.quantity_of_user()?;
            let bands = self.bands()?;
            return Ok(GroupRule::Bands { of, bands });
        }
        if self.take_keyword("PERCENTILES OF").is_some() {
            let of = self.quantity_of_user()?;
            let bands = self.bands()?;
            return Ok(GroupRule::Percentiles { of, bands });
        }
        self.layers(Self::layer_condition).map(GroupRule::Layers)
    }

    /// `spend`, `sum(purchase.amount, 90d)`
    fn quantity_of_user(&mut self) -> Parsed<Quantity> {
        self.expect(Expected::Measure);
        let is_call = self.ahead(1).symbol() == Some(Symbol::OpenParen)
            && self
                .word_ahead(0)
                .is_some_and(|word| is_measure(&word.to_ascii_lowercase()));
        if is_call {
            return self
                .event_measure()
                .map(|measure| Quantity::Events(Box::new(measure)));
        }
        self.name(NameKind::Attribute, Place::Quantity)
            .map(Quantity::Attribute)
    }

    fn bands(&mut self) -> Parsed<Vec<Layer<Band>>> {
        self.symbol(Symbol::OpenParen)?;
        let bands = self.layers(Self::band)?;
        self.symbol(Symbol::CloseParen)?;
        Ok(bands)
    }

    /// `high: …, mid: …, low: OTHERWISE`
    fn layers<T>(
        &mut self,
        mut condition: impl FnMut(&mut Self) -> Parsed<When<T>>,
    ) -> Parsed<Vec<Layer<T>>> {
        let mut layers: Vec<Layer<T>> = Vec::new();
        loop {
            self.check_count(Limit::Layers, layers.len())?;
            let tag = self.name(NameKind::Tag, Place::Plain)?;
            if layers.iter().any(|layer| layer.tag == tag) {
                return Err(named_twice(&tag));
            }
            self.symbol(Symbol::Colon)?;
            let when = condition(self)?;
            let is_last = matches!(when, When::Otherwise);
            layers.push(Layer { tag, when });
            if is_last && self.is_symbol(Symbol::Comma) {
                let message = "OTHERWISE stands last";
                return Err(invalid_value(message, self.end_of_previous()));
            }
            if self.take_symbol(Symbol::Comma).is_none() {
                return Ok(layers);
            }
        }
    }

    fn layer_condition(&mut self) -> Parsed<When<Expr>> {
        let is_attribute = self.ahead(1).symbol().is_some_and(Symbol::is_test)
            || self.is_keyword_ahead(1, "IS")
            || self.is_keyword_ahead(1, "ANNIVERSARY");
        if !is_attribute && self.take_keyword("OTHERWISE").is_some() {
            return Ok(When::Otherwise);
        }
        self.expr().map(When::If)
    }

    /// `1000..10000`
    fn band(&mut self) -> Parsed<When<Band>> {
        let is_value = self.ahead(1).symbol() == Some(Symbol::Dots);
        if !is_value && self.take_keyword("OTHERWISE").is_some() {
            return Ok(When::Otherwise);
        }
        self.count_leaf()?;
        let (low, end) = self.value_or_range()?;
        let high = match end {
            RangeEnd::At(high) => Some(high),
            RangeEnd::Open => None,
            RangeEnd::None => low.clone(),
        };
        Ok(When::If(Band { low, high }))
    }
}

/// A static tag has no end that tagging again could change.
fn check_retag(validity: Validity, on_retag: Option<Spanned<OnRetag>>) -> Parsed<()> {
    match (validity, on_retag) {
        (Validity::Static, Some(policy)) => {
            let message = "only a dynamic tag says what tagging again does";
            Err(invalid_value(message, policy.span).with_hint("write DYNAMIC FOR 30d as well"))
        }
        (Validity::Static | Validity::Dynamic(_), _) => Ok(()),
    }
}

/// The error about a name that stands twice in a list.
pub(super) fn named_twice(name: &Spanned<Name>) -> crate::error::ParseError {
    invalid_value(format!("{} is named twice", name.node), name.span)
}
