//! Events as they are defined, altered and tracked.

use super::Parsed;
use super::cursor::Cursor;
use super::define::{Common, IF_NOT_EXISTS};
use super::list::Clause;
use super::rule::named_twice;
use crate::ast::{
    Alter, AlterEvent, Define, DefineEvent, NameRef, Property, RetentionChange, Spanned, Statement,
    Track,
};
use crate::error::{Expected, NameKind};
use crate::keywords::Place;
use crate::lexer::Symbol;
use crate::limits::Limit;
use crate::name::Name;

impl Cursor<'_> {
    pub(super) fn define_event(
        &mut self,
        name: Spanned<Name>,
        mut common: Common,
    ) -> Parsed<Statement> {
        let properties = if self.is_symbol(Symbol::OpenParen) {
            self.properties()?
        } else {
            self.expect(Expected::Symbol("("));
            Vec::new()
        };
        let mut retention = None;
        while common
            .note(self)?
            .or_try(|| self.clause("RETENTION", &mut retention, Self::period))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let event = DefineEvent {
            name,
            properties,
            retention,
            notes: common.notes(),
        };
        Ok(Statement::Define(Define::Event(event), on_conflict))
    }

    /// `(amount DECIMAL(2), category ENUM)`
    fn properties(&mut self) -> Parsed<Vec<Property>> {
        self.symbol(Symbol::OpenParen)?;
        let mut properties: Vec<Property> = Vec::new();
        loop {
            self.check_count(Limit::Fields, properties.len())?;
            let name = self.name(NameKind::Property, Place::Plain)?;
            if properties.iter().any(|before| before.name == name) {
                return Err(named_twice(&name));
            }
            let property_type = self.attribute_type()?;
            properties.push(Property {
                name,
                property_type,
            });
            if self.take_symbol(Symbol::Comma).is_none() {
                break;
            }
        }
        self.symbol(Symbol::CloseParen)?;
        Ok(properties)
    }

    pub(super) fn alter_event(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let (mut add_properties, mut retention) = (None, None);
        while common
            .note(self)?
            .or_try(|| self.clause("ADD PROPERTIES", &mut add_properties, Self::properties))?
            .or_try(|| {
                self.clause("RETENTION", &mut retention, |cursor| {
                    cursor.period().map(RetentionChange::Keep)
                })
            })?
            .or_try(|| {
                self.clause("NO RETENTION", &mut retention, |_| {
                    Ok(RetentionChange::Forever)
                })
            })?
            == Clause::Read
        {}
        if common.is_empty() && add_properties.is_none() && retention.is_none() {
            return Err(self.unexpected());
        }
        Ok(Alter::Event(AlterEvent {
            name,
            add_properties: add_properties.unwrap_or_default(),
            retention,
            notes: common.notes(),
        }))
    }

    /// What stands after `TRACK`.
    pub(super) fn track(&mut self) -> Parsed<Statement> {
        let user = self.text_or_parameter(Expected::Key)?;
        let event = self.event_ref()?;
        let (mut at, mut id, mut properties) = (None, None, None);
        while self
            .clause("AT", &mut at, Self::value)?
            .or_try(|| self.clause("ID", &mut id, Self::event_id))?
            .or_try(|| {
                self.clause("WITH", &mut properties, |cursor| {
                    cursor.named_values(NameKind::Property, Self::given_value)
                })
            })?
            == Clause::Read
        {}
        Ok(Statement::Track(Track {
            user,
            event,
            at,
            id,
            properties: properties.unwrap_or_default(),
        }))
    }

    /// `purchase.note`, both of them names.
    pub(super) fn event_and_property(&mut self) -> Parsed<(Spanned<Name>, Spanned<Name>)> {
        if let Some(parameter) = self.take_parameter() {
            let message = "a definition has no parameters";
            return Err(super::cursor::invalid_value(message, parameter.span));
        }
        let (events, property) = self.events_and_property()?;
        match events.name.node {
            NameRef::Name(name) if events.filter.is_none() => {
                Ok((Spanned::new(name, events.name.span), property))
            }
            NameRef::Name(_) | NameRef::Parameter(_) => Err(super::cursor::invalid_value(
                "only the name of an event stands here",
                events.name.span,
            )),
        }
    }
}
