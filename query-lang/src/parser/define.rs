//! The statements that define: `DEFINE`, `ALTER`, `DROP`, `SAVE SEGMENT`.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use super::list::Clause;
use crate::ast::{
    Alter, AttributeType, Define, DefinitionKind, Derivation, Expr, Mutability, Notes, OnConflict,
    SavedSegment, Spanned, Statement,
};
use crate::error::NameKind;
use crate::keywords::Place;
use crate::lexer::Symbol;
use crate::name::Name;

/// The most digits of a decimal attribute after its point.
const SCALE_MAX: u64 = 18;

/// Clauses that every definition has, while they are being read.
#[derive(Default)]
pub(super) struct Common {
    owner: Option<String>,
    description: Option<String>,
    if_exists: Option<()>,
}

impl Common {
    /// Reads one of the notes, if one stands here.
    pub(super) fn note(&mut self, cursor: &mut Cursor<'_>) -> Parsed<Clause> {
        cursor
            .clause("OWNER", &mut self.owner, Cursor::text)?
            .or_try(|| cursor.clause("DESCRIPTION", &mut self.description, Cursor::text))
    }

    /// Reads `IF NOT EXISTS` or `IF EXISTS`, if it stands here.
    pub(super) fn condition(
        &mut self,
        cursor: &mut Cursor<'_>,
        keyword: &'static str,
    ) -> Parsed<Clause> {
        cursor.clause(keyword, &mut self.if_exists, |_| Ok(()))
    }

    pub(super) fn on_conflict(&self) -> OnConflict {
        match self.if_exists {
            Some(()) => OnConflict::Keep,
            None => OnConflict::Refuse,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owner.is_none() && self.description.is_none()
    }

    pub(super) fn notes(self) -> Notes {
        Notes {
            description: self.description,
            owner: self.owner,
        }
    }
}

/// What keeps a definition that is there.
pub(super) const IF_NOT_EXISTS: &str = "IF NOT EXISTS";
impl From<DefinitionKind> for NameKind {
    fn from(kind: DefinitionKind) -> Self {
        match kind {
            DefinitionKind::Tag => Self::Tag,
            DefinitionKind::Group => Self::Group,
            DefinitionKind::Attribute => Self::Attribute,
            DefinitionKind::Segment => Self::Segment,
            DefinitionKind::Event => Self::Event,
            DefinitionKind::Form => Self::Form,
        }
    }
}

const IF_EXISTS: &str = "IF EXISTS";

impl Cursor<'_> {
    /// One of the kinds of definitions.
    pub(super) fn definition_kind(&mut self) -> Parsed<DefinitionKind> {
        let kinds = [
            ("TAG", DefinitionKind::Tag),
            ("GROUP", DefinitionKind::Group),
            ("ATTRIBUTE", DefinitionKind::Attribute),
            ("SEGMENT", DefinitionKind::Segment),
            ("EVENT", DefinitionKind::Event),
            ("FORM", DefinitionKind::Form),
        ];
        let taken = kinds
            .into_iter()
            .find(|(word, _)| self.take_keyword(word).is_some());
        taken.map(|(_, kind)| kind).ok_or_else(|| {
            let error = self.unexpected();
            let behaviour = ["BEHAVIOUR", "BEHAVIOR"];
            if behaviour.iter().any(|word| self.is_keyword_ahead(0, word)) {
                return error.with_hint("a behaviour is defined as an EVENT");
            }
            error
        })
    }

    fn defined_name(&mut self, kind: DefinitionKind) -> Parsed<Spanned<Name>> {
        self.name(kind.into(), Place::Definition)
    }

    /// What stands after `DEFINE`.
    pub(super) fn define(&mut self) -> Parsed<Statement> {
        let kind = self.definition_kind()?;
        let mut common = Common::default();
        common.condition(self, IF_NOT_EXISTS)?;
        let name = self.defined_name(kind)?;
        match kind {
            DefinitionKind::Tag => self.define_tag(name, common),
            DefinitionKind::Group => self.define_group(name, common),
            DefinitionKind::Attribute => self.define_attribute(name, common),
            DefinitionKind::Segment => self.define_segment(name, common),
            DefinitionKind::Event => self.define_event(name, common),
            DefinitionKind::Form => self.define_form(name, common),
        }
    }

    fn define_attribute(&mut self, name: Spanned<Name>, mut common: Common) -> Parsed<Statement> {
        if self.take_keyword("AS").is_some() {
            return self.define_derived(name, common);
        }
        let attribute_type = self.attribute_type()?;
        let mut mutability = None;
        while common
            .note(self)?
            .or_try(|| self.mutability(&mut mutability))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let mutability = mutability.unwrap_or_default();
        let define = Define::Attribute {
            name,
            attribute_type,
            mutability,
            notes: common.notes(),
        };
        Ok(Statement::Define(define, on_conflict))
    }

    /// `YEARS SINCE birthday` after `AS`
    fn define_derived(&mut self, name: Spanned<Name>, mut common: Common) -> Parsed<Statement> {
        self.keyword("YEARS SINCE")?;
        let since = self.name(NameKind::Attribute, Place::Plain)?;
        while common
            .note(self)?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let define = Define::Derived {
            name,
            derivation: Derivation::YearsSince(since),
            notes: common.notes(),
        };
        Ok(Statement::Define(define, on_conflict))
    }

    fn mutability(&mut self, slot: &mut Option<Mutability>) -> Parsed<Clause> {
        self.clause("WRITE ONCE", slot, |_| Ok(Mutability::WriteOnce))?
            .or_try(|| self.clause("MUTABLE", slot, |_| Ok(Mutability::Mutable)))
    }

    pub(super) fn attribute_type(&mut self) -> Parsed<AttributeType> {
        let simple = [
            ("INTEGER", AttributeType::Integer),
            ("DATE", AttributeType::Date),
            ("TIMESTAMP", AttributeType::Timestamp),
            ("BOOLEAN", AttributeType::Boolean),
            ("TEXT", AttributeType::Text),
            ("USER", AttributeType::User),
        ];
        for (keyword, attribute_type) in simple {
            if self.take_keyword(keyword).is_some() {
                return Ok(attribute_type);
            }
        }
        if self.take_keyword("ENUM").is_some() {
            return self.vocabulary().map(AttributeType::Enum);
        }
        if self.take_keyword("MULTI").is_some() {
            return self.vocabulary().map(AttributeType::Multi);
        }
        self.keyword("DECIMAL")?;
        self.scale().map(AttributeType::Decimal)
    }

    /// `(a, b)`: a closed list of values. Without it the list is open.
    pub(super) fn vocabulary(&mut self) -> Parsed<Option<Vec<String>>> {
        if self.is_symbol(Symbol::OpenParen) {
            return self.paren_list(Self::text).map(Some);
        }
        Ok(None)
    }

    /// `(2)`: digits after a decimal's point.
    fn scale(&mut self) -> Parsed<u8> {
        self.symbol(Symbol::OpenParen)?;
        let digits = self.number()?;
        self.symbol(Symbol::CloseParen)?;
        match u8::try_from(digits.node) {
            Ok(scale) if digits.node <= SCALE_MAX => Ok(scale),
            Ok(_) | Err(_) => {
                let message = format!("a decimal has 0 to {SCALE_MAX} digits after its point");
                Err(invalid_value(message, digits.span))
            }
        }
    }

    fn define_segment(&mut self, name: Spanned<Name>, mut common: Common) -> Parsed<Statement> {
        let mut filter = None;
        while common
            .note(self)?
            .or_try(|| self.clause("AS", &mut filter, Self::expr))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let segment = self.saved_segment(name, common, filter)?;
        Ok(Statement::Define(Define::Segment(segment), on_conflict))
    }

    /// What stands after `SAVE`.
    pub(super) fn save(&mut self) -> Parsed<Statement> {
        self.keyword("SEGMENT")?;
        let name = self.defined_name(DefinitionKind::Segment)?;
        let mut common = Common::default();
        let mut filter = None;
        while common
            .note(self)?
            .or_try(|| self.clause("AS", &mut filter, Self::expr))?
            == Clause::Read
        {}
        self.saved_segment(name, common, filter)
            .map(Statement::SaveSegment)
    }

    fn saved_segment(
        &self,
        name: Spanned<Name>,
        common: Common,
        filter: Option<Expr>,
    ) -> Parsed<SavedSegment> {
        match filter {
            Some(filter) => Ok(SavedSegment {
                name,
                notes: common.notes(),
                filter,
            }),
            None => Err(self.unexpected()),
        }
    }

    /// What stands after `ALTER`. One that changes nothing was not finished.
    pub(super) fn alter(&mut self) -> Parsed<Statement> {
        let kind = self.definition_kind()?;
        let name = self.defined_name(kind)?;
        let alter = match kind {
            DefinitionKind::Tag => self.alter_tag(name),
            DefinitionKind::Group => self.alter_group(name),
            DefinitionKind::Attribute => self.alter_attribute(name),
            DefinitionKind::Segment => self.alter_segment(name),
            DefinitionKind::Event => self.alter_event(name),
            DefinitionKind::Form => {
                let message = "a form is not altered";
                let hint = "DROP FORM it and DEFINE FORM it again";
                Err(invalid_value(message, name.span).with_hint(hint))
            }
        };
        alter.map(Statement::Alter)
    }

    fn alter_attribute(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let (mut mutability, mut add_values) = (None, None);
        while common
            .note(self)?
            .or_try(|| self.mutability(&mut mutability))?
            .or_try(|| {
                self.clause("ADD VALUES", &mut add_values, |cursor| {
                    cursor.paren_list(Self::text)
                })
            })?
            == Clause::Read
        {}
        if common.is_empty() && mutability.is_none() && add_values.is_none() {
            return Err(self.unexpected());
        }
        let add_values = add_values.unwrap_or_default();
        Ok(Alter::Attribute {
            name,
            add_values,
            mutability,
            notes: common.notes(),
        })
    }

    fn alter_segment(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let mut filter = None;
        while common
            .note(self)?
            .or_try(|| self.clause("AS", &mut filter, Self::expr))?
            == Clause::Read
        {}
        if common.is_empty() && filter.is_none() {
            return Err(self.unexpected());
        }
        Ok(Alter::Segment {
            name,
            notes: common.notes(),
            filter,
        })
    }

    /// What stands after `DROP`.
    pub(super) fn drop_definition(&mut self) -> Parsed<Statement> {
        let kind = self.definition_kind()?;
        let mut common = Common::default();
        common.condition(self, IF_EXISTS)?;
        let name = self.defined_name(kind)?;
        common.condition(self, IF_EXISTS)?;
        Ok(Statement::Drop(kind, name, common.on_conflict()))
    }
}
