//! Definitions of forms: what answers set must be there, and take them.

use tessera_query_lang::{
    ast::{AnsweredTag, DefineForm, FormEffect, FormField, Notes, Span, Spanned},
    name::Name,
};

use super::{
    coerce,
    forms::{answer_text, read_form},
    schema_attributes::kind_of,
    schema_change::{Planned, Planner, refuse},
    schema_names::{Kind, check_notes, find},
};
use crate::{
    datum::Datum,
    error::Error,
    schema::{AttributeDefinition, AttributeKind, FormDefinition, Vocabulary},
    storage::{SchemaKey, StoredDefinition},
    write::SchemaErrorKind,
};

/// What a field's answer may be.
struct Answers {
    kind: AttributeKind,
    /// The texts of a closed list.
    listed: Option<Vec<String>>,
}

impl Planner<'_> {
    pub(super) fn define_form(&self, define: &DefineForm) -> Result<Planned, Error> {
        let notes = check_notes(&Notes::default(), &define.notes)?;
        for (place, field) in define.fields.iter().enumerate() {
            self.check_field(field)?;
            let mut before = define.fields.iter().take(place);
            if before.any(|before| sets_the_same(&before.sets, &field.sets)) {
                let reason = "another one sets the same".to_owned();
                return Err(unfit(field, reason, field.name.span));
            }
        }
        let bare = DefineForm {
            notes: Notes::default(),
            ..define.clone()
        };
        let form = FormDefinition {
            id: self.schema.next_form_id(),
            name: define.name.node.clone(),
            text: format!("DEFINE FORM {bare}"),
            notes,
        };
        read_form(&form)?;
        let key = SchemaKey::Form(form.id);
        Ok(Planned::put(key, StoredDefinition::of_form(&form)))
    }

    fn check_field(&self, field: &FormField) -> Result<(), Error> {
        let span = field.name.span;
        let (kind, listed) = kind_of(&field.answer_type, span)?;
        let listed = listed
            .map(|texts| self.vocabulary(&field.name, texts))
            .transpose()?;
        let answers = Answers { kind, listed };
        match &field.sets {
            FormEffect::Attribute(name) => {
                let attribute = find(self.schema, Kind::Attribute, name, |schema, name| {
                    schema.attribute(name)
                })?;
                self.check_target(field, &answers, attribute, name.span)
            }
            FormEffect::Tag(tags) => self.check_tags(field, &answers, tags),
            FormEffect::Event { event, property } => {
                let event = find(self.schema, Kind::Event, event, |schema, name| {
                    schema.event(name)
                })?;
                let Some(target) = event.property(property.node.as_str()) else {
                    let reason = format!(
                        "{} events have no property named {:?}",
                        event.name,
                        property.node.as_str()
                    );
                    return Err(unfit(field, reason, property.span));
                };
                self.check_target(field, &answers, target, property.span)
            }
        }
    }

    /// Refuses answers that an attribute or a property does not take.
    fn check_target(
        &self,
        field: &FormField,
        answers: &Answers,
        target: &AttributeDefinition,
        span: Span,
    ) -> Result<(), Error> {
        if !fits(answers.kind, target.kind) {
            let (kind, name) = (answers.kind, &target.name);
            let reason = format!("its answers are {kind}, and {name} is {}", target.kind);
            return Err(unfit(field, reason, span));
        }
        let is_closed = matches!(
            target.kind,
            AttributeKind::Enum(Vocabulary::Closed) | AttributeKind::Multi(Vocabulary::Closed)
        );
        let unknown = |text: &&String| self.schema.value_code(target.id, text).is_none();
        let mut listed = answers.listed.iter().flatten().filter(|_| is_closed);
        match listed.find(unknown) {
            Some(text) => {
                let reason = format!("{text:?} is not one of the values of {}", target.name);
                Err(unfit(field, reason, span))
            }
            None => Ok(()),
        }
    }

    fn check_tags(
        &self,
        field: &FormField,
        answers: &Answers,
        tags: &[AnsweredTag],
    ) -> Result<(), Error> {
        if !matches!(
            answers.kind,
            AttributeKind::Enum(_) | AttributeKind::Multi(_) | AttributeKind::Boolean
        ) {
            let kind = answers.kind;
            let reason = format!(
                "its answers are {kind}, and only those of ENUM, MULTI and BOOLEAN give tags"
            );
            return Err(unfit(field, reason, field.name.span));
        }
        let mut known: Vec<String> = Vec::new();
        for AnsweredTag { answer, tag } in tags {
            let text = answer_text(&answer.node);
            let text = text.filter(|text| answers.can_be(text)).ok_or_else(|| {
                let reason = format!("{} cannot be answered", answer.node);
                unfit(field, reason, answer.span)
            })?;
            if known.contains(&text) {
                let reason = format!("the answer {text:?} is listed twice");
                return Err(unfit(field, reason, answer.span));
            }
            known.push(text);
            find(self.schema, Kind::Tag, tag, |schema, name| schema.tag(name))?;
        }
        Ok(())
    }
}

impl Answers {
    fn can_be(&self, text: &String) -> bool {
        match &self.listed {
            Some(listed) => listed.contains(text),
            None if self.kind == AttributeKind::Boolean => {
                coerce::boolean(&Datum::Text(text.clone())).is_ok()
            }
            None => true,
        }
    }
}

/// Whether an attribute takes every answer of a type, but for the list of its values.
fn fits(answer: AttributeKind, target: AttributeKind) -> bool {
    use AttributeKind::{
        Boolean, Date, Decimal, Enum, Integer, Inviter, Multi, Text, Timestamp, User,
    };
    match (answer, target) {
        (Decimal { scale }, Decimal { scale: kept }) => scale <= kept,
        _ => matches!(
            (answer, target),
            (Enum(_), Enum(_) | Multi(_) | Text)
                | (Multi(_), Multi(_))
                | (Integer, Integer | Decimal { .. })
                | (Date, Date | Timestamp)
                | (Timestamp, Timestamp)
                | (Boolean, Boolean)
                | (Text, Text)
                | (User, User | Inviter)
        ),
    }
}

fn sets_the_same(left: &FormEffect, right: &FormEffect) -> bool {
    match (left, right) {
        (FormEffect::Attribute(left), FormEffect::Attribute(right)) => left.node == right.node,
        (
            FormEffect::Event { event, property },
            FormEffect::Event {
                event: other,
                property: its,
            },
        ) => event.node == other.node && property.node == its.node,
        (FormEffect::Attribute(_) | FormEffect::Tag(_) | FormEffect::Event { .. }, _) => false,
    }
}

fn unfit(field: &FormField, reason: String, span: Span) -> Error {
    let field = field.name.node.to_string();
    refuse(SchemaErrorKind::FormField { field, reason }, span)
}

/// Whether a form needs a definition.
pub(super) fn form_uses(form: &DefineForm, kind: Kind, name: &str) -> bool {
    let is = |named: &Spanned<Name>| named.node.as_str() == name;
    form.fields.iter().any(|field| match (&field.sets, kind) {
        (FormEffect::Attribute(attribute), Kind::Attribute) => is(attribute),
        (FormEffect::Tag(tags), Kind::Tag) => tags.iter().any(|tag| is(&tag.tag)),
        (FormEffect::Event { event, .. }, Kind::Event) => is(event),
        (
            FormEffect::Attribute(_) | FormEffect::Tag(_) | FormEffect::Event { .. },
            Kind::Tag | Kind::Group | Kind::Attribute | Kind::Segment | Kind::Event | Kind::Form,
        ) => false,
    })
}
