//! The statements that define: `DEFINE`, `ALTER`, `DROP`, `SAVE SEGMENT`.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use super::list::Clause;
use crate::ast::{
    Alter, AttributeType, Define, DefinitionKind, Exclusivity, Expr, GroupChange, Mutability,
    Notes, OnConflict, SavedSegment, Spanned, Statement,
};
use crate::error::NameKind;
use crate::keywords::Place;
use crate::lexer::Symbol;
use crate::name::Name;

/// The most digits of a decimal attribute after its point.
const SCALE_MAX: u64 = 18;

/// Clauses that every definition has, while they are being read.
#[derive(Default)]
struct Common {
    owner: Option<String>,
    description: Option<String>,
    if_exists: Option<()>,
}

impl Common {
    /// Reads one of the notes, if one stands here.
    fn note(&mut self, cursor: &mut Cursor<'_>) -> Parsed<Clause> {
        cursor
            .clause("OWNER", &mut self.owner, Cursor::text)?
            .or_try(|| cursor.clause("DESCRIPTION", &mut self.description, Cursor::text))
    }

    /// Reads `IF NOT EXISTS` or `IF EXISTS`, if it stands here.
    fn condition(&mut self, cursor: &mut Cursor<'_>, keyword: &'static str) -> Parsed<Clause> {
        cursor.clause(keyword, &mut self.if_exists, |_| Ok(()))
    }

    fn on_conflict(&self) -> OnConflict {
        match self.if_exists {
            Some(()) => OnConflict::Keep,
            None => OnConflict::Refuse,
        }
    }

    fn is_empty(&self) -> bool {
        self.owner.is_none() && self.description.is_none()
    }

    fn notes(self) -> Notes {
        Notes {
            description: self.description,
            owner: self.owner,
        }
    }
}

const IF_NOT_EXISTS: &str = "IF NOT EXISTS";
const IF_EXISTS: &str = "IF EXISTS";

impl Cursor<'_> {
    /// One of the kinds of definitions.
    fn definition_kind(&mut self) -> Parsed<DefinitionKind> {
        self.refuse_behaviour_kind()?;
        let kinds = [
            ("TAG", DefinitionKind::Tag),
            ("GROUP", DefinitionKind::Group),
            ("ATTRIBUTE", DefinitionKind::Attribute),
            ("SEGMENT", DefinitionKind::Segment),
        ];
        let taken = kinds
            .into_iter()
            .find(|(word, _)| self.take_keyword(word).is_some());
        taken.map(|(_, kind)| kind).ok_or_else(|| self.unexpected())
    }

    fn defined_name(&mut self, kind: DefinitionKind) -> Parsed<Spanned<Name>> {
        let kind = match kind {
            DefinitionKind::Tag => NameKind::Tag,
            DefinitionKind::Group => NameKind::Group,
            DefinitionKind::Attribute => NameKind::Attribute,
            DefinitionKind::Segment => NameKind::Segment,
        };
        self.name(kind, Place::Definition)
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
        }
    }

    fn define_tag(&mut self, name: Spanned<Name>, mut common: Common) -> Parsed<Statement> {
        let mut group = None;
        while common
            .note(self)?
            .or_try(|| self.clause("IN GROUP", &mut group, Self::group_name))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        Ok(Statement::Define(
            Define::Tag {
                name,
                group,
                notes: common.notes(),
            },
            on_conflict,
        ))
    }

    fn group_name(&mut self) -> Parsed<Spanned<Name>> {
        self.name(NameKind::Group, Place::Plain)
    }

    fn define_group(&mut self, name: Spanned<Name>, mut common: Common) -> Parsed<Statement> {
        let mut exclusivity = None;
        while common
            .note(self)?
            .or_try(|| self.exclusivity(&mut exclusivity))?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let exclusivity = exclusivity.unwrap_or_default();
        Ok(Statement::Define(
            Define::Group {
                name,
                exclusivity,
                notes: common.notes(),
            },
            on_conflict,
        ))
    }

    fn exclusivity(&mut self, slot: &mut Option<Exclusivity>) -> Parsed<Clause> {
        self.clause("EXCLUSIVE", slot, |_| Ok(Exclusivity::Exclusive))?
            .or_try(|| self.clause("SHARED", slot, |_| Ok(Exclusivity::Shared)))
    }

    fn define_attribute(&mut self, name: Spanned<Name>, mut common: Common) -> Parsed<Statement> {
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

    fn mutability(&mut self, slot: &mut Option<Mutability>) -> Parsed<Clause> {
        self.clause("WRITE ONCE", slot, |_| Ok(Mutability::WriteOnce))?
            .or_try(|| self.clause("MUTABLE", slot, |_| Ok(Mutability::Mutable)))
    }

    fn attribute_type(&mut self) -> Parsed<AttributeType> {
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
    fn vocabulary(&mut self) -> Parsed<Option<Vec<String>>> {
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
        };
        alter.map(Statement::Alter)
    }

    fn alter_tag(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let mut group = None;
        while common
            .note(self)?
            .or_try(|| {
                self.clause("IN GROUP", &mut group, |cursor| {
                    cursor.group_name().map(GroupChange::Into)
                })
            })?
            .or_try(|| self.clause("NO GROUP", &mut group, |_| Ok(GroupChange::Out)))?
            == Clause::Read
        {}
        if common.is_empty() && group.is_none() {
            return Err(self.unexpected());
        }
        Ok(Alter::Tag {
            name,
            group,
            notes: common.notes(),
        })
    }

    fn alter_group(&mut self, name: Spanned<Name>) -> Parsed<Alter> {
        let mut common = Common::default();
        let mut exclusivity = None;
        while common
            .note(self)?
            .or_try(|| self.exclusivity(&mut exclusivity))?
            == Clause::Read
        {}
        if common.is_empty() && exclusivity.is_none() {
            return Err(self.unexpected());
        }
        Ok(Alter::Group {
            name,
            exclusivity,
            notes: common.notes(),
        })
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
