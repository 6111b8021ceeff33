//! Keeping definitions clean, explaining users, forms and referral.

use super::{AttributeType, CalendarUnit, Expr, NameRef, Notes, Period, RangeTest, Spanned, Value};
use crate::name::Name;

/// `TREND tag:vip [LAST 90d] [BY day]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trend {
    /// Whose size.
    pub tag: Spanned<NameRef>,
    /// How far back; as far as is known when not written.
    pub last: Option<Spanned<Period>>,
    /// One row for each; days when not written.
    pub unit: CalendarUnit,
}

/// The attribute of type `USER` that says who invited a user.
pub const INVITED_BY: &str = "invited_by";

/// Who, by who invited whom: over the user attribute `invited_by`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Referral {
    /// `referred_by(expr)`: their inviter is one of these.
    ReferredBy(Expr),
    /// `inviter_of(expr)`: they invited one of these.
    InviterOf(Expr),
    /// `descendants_of(expr, 3)`: one of these is above them, at most so many steps.
    DescendantsOf(Expr, Spanned<u32>),
    /// `count(invited) >= 2`: how many they invited.
    Invited(RangeTest),
}

/// `DEFINE FORM welcome (gender ENUM REQUIRED SETS ATTRIBUTE gender, …) …`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefineForm {
    /// The new form.
    pub name: Spanned<Name>,
    /// Its fields, of different names: at least one.
    pub fields: Vec<FormField>,
    /// Description and owner.
    pub notes: Notes,
}

/// A question of a form and what its answer does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormField {
    /// Its name.
    pub name: Spanned<Name>,
    /// What may be answered; `(pro, free)` alone is read as `ENUM (pro, free)`.
    pub answer_type: AttributeType,
    /// Whether it must be answered.
    pub requirement: Requirement,
    /// What the answer sets.
    pub sets: FormEffect,
}

/// Whether a form's field must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Requirement {
    /// It need not.
    #[default]
    Optional,
    /// `REQUIRED`
    Required,
}

/// What an answer sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormEffect {
    /// `SETS ATTRIBUTE gender`
    Attribute(Spanned<Name>),
    /// `SETS TAG (pro: vip, free: basic)`: a tag by the answer.
    Tag(Vec<AnsweredTag>),
    /// `SETS EVENT purchase.note`: a property of an event of the moment. The fields of one form
    /// that set properties of the same event make one event.
    Event {
        /// The event.
        event: Spanned<Name>,
        /// The property.
        property: Spanned<Name>,
    },
}

/// `pro: vip`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnsweredTag {
    /// This answer
    pub answer: Spanned<Value>,
    /// gives this tag.
    pub tag: Spanned<Name>,
}

/// `plan = pro`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The field.
    pub field: Spanned<Name>,
    /// The answer to it; a `MULTI` field takes several.
    pub values: Vec<Spanned<Value>>,
}

/// `SUBMIT FORM welcome FOR "u1" WITH gender = f, plan = pro [ID "k"]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The form.
    pub form: Spanned<NameRef>,
    /// Who answers; a key that is new becomes a user.
    pub user: Spanned<Value>,
    /// Answers of different fields.
    pub answers: Vec<Answer>,
    /// The same id again changes nothing.
    pub id: Option<Spanned<Value>>,
}
