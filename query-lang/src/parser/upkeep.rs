//! The statements that keep definitions clean, explain a user, and forms.

use super::Parsed;
use super::cursor::{Cursor, invalid_value};
use super::define::{Common, IF_NOT_EXISTS};
use super::list::Clause;
use super::rule::named_twice;
use crate::ast::{
    Answer, AnsweredTag, AttributeType, CalendarUnit, Define, DefineForm, FormEffect, FormField,
    Requirement, Spanned, Statement, Submission, Trend, Value,
};
use crate::error::{Expected, NameKind};
use crate::keywords::Place;
use crate::lexer::Symbol;
use crate::limits::Limit;
use crate::name::Name;

impl Cursor<'_> {
    /// What stands after `RENAME`.
    pub(super) fn rename(&mut self) -> Parsed<Statement> {
        self.keyword("TAG")?;
        let tag = self.name(NameKind::Tag, Place::Plain)?;
        self.keyword("TO")?;
        let to = self.name(NameKind::Tag, Place::Plain)?;
        Ok(Statement::RenameTag { tag, to })
    }

    /// What stands after `MERGE`.
    pub(super) fn merge(&mut self) -> Parsed<Statement> {
        self.keyword("TAG")?;
        let tag = self.name(NameKind::Tag, Place::Plain)?;
        self.keyword("INTO")?;
        let into = self.name(NameKind::Tag, Place::Plain)?;
        Ok(Statement::MergeTag { tag, into })
    }

    /// What stands after `USAGES`.
    pub(super) fn usages(&mut self) -> Parsed<Statement> {
        let kind = self.definition_kind()?;
        let name = self.name(kind.into(), Place::Plain)?;
        Ok(Statement::Usages(kind, name))
    }

    /// What stands after `LINT`.
    pub(super) fn lint(&mut self) -> Parsed<Statement> {
        self.keyword("TAGS")?;
        self.show_list().map(Statement::Lint)
    }

    /// What stands after `TREND`.
    pub(super) fn trend(&mut self) -> Parsed<Statement> {
        self.keyword("tag")?;
        self.symbol(Symbol::Colon)?;
        let tag = self.name_ref(NameKind::Tag)?;
        let (mut last, mut unit) = (None, None);
        while self
            .clause("LAST", &mut last, Self::period)?
            .or_try(|| self.clause("BY", &mut unit, Self::calendar_unit))?
            == Clause::Read
        {}
        Ok(Statement::Trend(Trend {
            tag,
            last,
            unit: unit.unwrap_or(CalendarUnit::Day),
        }))
    }

    /// What stands after `WHY`.
    pub(super) fn why(&mut self) -> Parsed<Statement> {
        let user = self.text_or_parameter(Expected::Key)?;
        self.keyword("IN")?;
        let filter = self.expr()?;
        Ok(Statement::Why { user, filter })
    }

    /// What stands after the name of a form to define.
    pub(super) fn define_form(
        &mut self,
        name: Spanned<Name>,
        mut common: Common,
    ) -> Parsed<Statement> {
        self.symbol(Symbol::OpenParen)?;
        let mut fields: Vec<FormField> = Vec::new();
        loop {
            self.check_count(Limit::Fields, fields.len())?;
            let field = self.form_field()?;
            if fields.iter().any(|before| before.name == field.name) {
                return Err(named_twice(&field.name));
            }
            fields.push(field);
            if self.take_symbol(Symbol::Comma).is_none() {
                break;
            }
        }
        self.symbol(Symbol::CloseParen)?;
        while common
            .note(self)?
            .or_try(|| common.condition(self, IF_NOT_EXISTS))?
            == Clause::Read
        {}
        let on_conflict = common.on_conflict();
        let form = DefineForm {
            name,
            fields,
            notes: common.notes(),
        };
        Ok(Statement::Define(Define::Form(form), on_conflict))
    }

    /// `gender ENUM REQUIRED SETS ATTRIBUTE gender`, `plan (pro, free) SETS TAG (pro: vip)`
    fn form_field(&mut self) -> Parsed<FormField> {
        let name = self.name(NameKind::Field, Place::Plain)?;
        let answer_type = if self.is_symbol(Symbol::OpenParen) {
            AttributeType::Enum(self.vocabulary()?)
        } else {
            self.attribute_type()?
        };
        let requirement = match self.take_keyword("REQUIRED") {
            Some(_) => Requirement::Required,
            None => Requirement::Optional,
        };
        self.keyword("SETS")?;
        Ok(FormField {
            name,
            answer_type,
            requirement,
            sets: self.form_effect()?,
        })
    }

    fn form_effect(&mut self) -> Parsed<FormEffect> {
        if self.take_keyword("ATTRIBUTE").is_some() {
            return self
                .name(NameKind::Attribute, Place::Plain)
                .map(FormEffect::Attribute);
        }
        if self.take_keyword("TAG").is_some() {
            return self.paren_list(Self::answered_tag).map(FormEffect::Tag);
        }
        self.keyword("EVENT")?;
        let (event, property) = self.event_and_property()?;
        Ok(FormEffect::Event { event, property })
    }

    /// `pro: vip`
    fn answered_tag(&mut self) -> Parsed<AnsweredTag> {
        let answer = self.value()?;
        self.symbol(Symbol::Colon)?;
        let tag = self.name(NameKind::Tag, Place::Plain)?;
        Ok(AnsweredTag { answer, tag })
    }

    /// What stands after `SUBMIT`.
    pub(super) fn submit(&mut self) -> Parsed<Statement> {
        self.keyword("FORM")?;
        let form = self.name_ref(NameKind::Form)?;
        self.keyword("FOR")?;
        let user = self.text_or_parameter(Expected::Key)?;
        let (mut answers, mut id) = (None, None);
        while self
            .clause("WITH", &mut answers, Self::answers)?
            .or_try(|| self.clause("ID", &mut id, Self::event_id))?
            == Clause::Read
        {}
        Ok(Statement::Submit(Submission {
            form,
            user,
            answers: answers.unwrap_or_default(),
            id,
        }))
    }

    /// An id that a program gives, so that the same again changes nothing.
    pub(super) fn event_id(&mut self) -> Parsed<Spanned<Value>> {
        self.text_or_parameter(Expected::Text)
    }

    fn answers(&mut self) -> Parsed<Vec<Answer>> {
        let answers = self.named_values(NameKind::Field, |cursor| {
            cursor.one_or_paren_list(Self::given_value)
        })?;
        let answer = |(field, values)| Answer { field, values };
        Ok(answers.into_iter().map(answer).collect())
    }

    /// `amount = 12.50, category = shoes`: names once each.
    pub(super) fn named_values<T>(
        &mut self,
        kind: NameKind,
        mut value: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<(Spanned<Name>, T)>> {
        let mut values: Vec<(Spanned<Name>, T)> = Vec::new();
        self.forget_attribute();
        loop {
            self.check_count(Limit::Fields, values.len())?;
            let name = self.name(kind, Place::Plain)?;
            if values.iter().any(|(before, _)| *before == name) {
                return Err(named_twice(&name));
            }
            self.symbol(Symbol::Equal)?;
            values.push((name, value(self)?));
            if self.take_symbol(Symbol::Comma).is_none() {
                return Ok(values);
            }
        }
    }

    /// A value of an event or a form, where leaving it out means that there is none.
    pub(super) fn given_value(&mut self) -> Parsed<Spanned<Value>> {
        if self.is_keyword_ahead(0, "MISSING") {
            let hint = "leave it out, or quote it if it is a value";
            return Err(invalid_value("MISSING is not a value", self.span()).with_hint(hint));
        }
        self.value()
    }
}
