//! The statements that write users' data: `TAG`, `UNTAG`, `SET`, `DELETE USER`.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use crate::ast::{Assignment, NameRef, Spanned, Statement, Target, Value};
use crate::error::{Expected, NameKind};
use crate::keywords::Place;
use crate::lexer::{Symbol, TokenKind};
use crate::name::Name;

impl Cursor<'_> {
    /// What stands after `TAG`.
    pub(super) fn tag(&mut self) -> Parsed<Statement> {
        let (target, tags) = self.target_with_tags()?;
        let terms = self.holding_terms()?;
        Ok(Statement::Tag {
            target,
            tags,
            terms,
        })
    }

    /// What stands after `UNTAG`.
    pub(super) fn untag(&mut self) -> Parsed<Statement> {
        let (target, tags) = self.target_with_tags()?;
        Ok(Statement::Untag { target, tags })
    }

    /// What stands after `CLEAR`.
    pub(super) fn clear(&mut self) -> Parsed<Statement> {
        self.keyword("TAG")?;
        let (target, tags) = self.target_with_tags()?;
        Ok(Statement::ClearTag { target, tags })
    }

    fn target_with_tags(&mut self) -> Parsed<(Target, Vec<Spanned<NameRef>>)> {
        let target = self.target()?;
        self.keyword("WITH")?;
        Ok((target, self.comma_list(Self::tag_to_write)?))
    }

    fn tag_to_write(&mut self) -> Parsed<Spanned<NameRef>> {
        if matches!(self.token().kind, TokenKind::Pattern) {
            let hint = "name each tag; quote a tag whose name has a *";
            return Err(invalid_value("a pattern cannot be written", self.span()).with_hint(hint));
        }
        self.name_ref(NameKind::Tag)
    }

    /// `"u1", "u2"` or `WHERE expr`
    fn target(&mut self) -> Parsed<Target> {
        if self.take_keyword("WHERE").is_some() {
            return self.expr().map(Target::Where);
        }
        self.comma_list(Self::key).map(Target::Keys)
    }

    fn key(&mut self) -> Parsed<Spanned<Value>> {
        if self.is_keyword_ahead(0, "WITH") {
            self.expect(Expected::Key);
            return Err(self.unexpected());
        }
        self.text_or_parameter(Expected::Key)
    }

    /// What stands after `SET`.
    pub(super) fn set(&mut self) -> Parsed<Statement> {
        let target = self.target()?;
        let assignments = self.comma_list(Self::assignment)?;
        Ok(Statement::Set {
            target,
            assignments,
        })
    }

    /// `gender = f`, `gender = MISSING`, `interests += (golf, chess)`
    fn assignment(&mut self) -> Parsed<(Spanned<Name>, Assignment)> {
        let name = self.name(NameKind::Attribute, Place::Attribute)?;
        self.remember_attribute(&name.node);
        let assignment = if self.take_symbol(Symbol::Equal).is_some() {
            if self.take_keyword("MISSING").is_some() {
                Assignment::Clear
            } else {
                Assignment::To(self.assigned_values()?)
            }
        } else if self.take_symbol(Symbol::PlusEqual).is_some() {
            Assignment::Add(self.assigned_values()?)
        } else {
            self.symbol(Symbol::MinusEqual)?;
            Assignment::Remove(self.assigned_values()?)
        };
        Ok((name, assignment))
    }

    fn assigned_values(&mut self) -> Parsed<Vec<Spanned<Value>>> {
        self.one_or_paren_list(Self::value)
    }

    /// What stands after `DELETE`.
    pub(super) fn delete(&mut self) -> Parsed<Statement> {
        self.keyword("USER")?;
        self.comma_list(Self::key).map(Statement::DeleteUser)
    }
}
