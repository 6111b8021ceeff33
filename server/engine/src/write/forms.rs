//! Submitting forms: from answers to the changes that they ask for, or to all that is wrong with
//! them.
//!
//! A submission becomes mutations like any others, so that everything that holds for these holds
//! for it. Does not know how forms are defined.

use std::collections::BTreeMap;

use tessera_query_lang::{
    Limits as TextLimits,
    ast::{
        AttributeType, Define, DefineForm, FormEffect, FormField, Requirement, Statement, Value,
    },
    name::Name,
    parse_statement,
    suggest::{did_you_mean, nearest},
};
use xxhash_rust::xxh3::xxh3_128;

use crate::{
    datum::Datum,
    error::Error,
    limits::EVENT_ID_BYTES_MAX,
    schema::FormDefinition,
    write::{
        Mutation, WriteError,
        coerce::{self, Misfit, excerpt},
        resolve::{Resolver, property, valid_name},
    },
};

/// Problems that one error tells.
const PROBLEMS_TOLD: usize = 20;

/// Reads a form's definition.
///
/// # Errors
/// When it cannot be read: it could when it was defined.
pub(crate) fn read_form(form: &FormDefinition) -> Result<DefineForm, Error> {
    let limits = TextLimits {
        text_bytes_max: usize::MAX,
        leaves_max: usize::MAX,
        list_len_max: usize::MAX,
        fields_max: usize::MAX,
        ..TextLimits::default()
    };
    match parse_statement(&form.text, &limits) {
        Ok(Statement::Define(Define::Form(read), _)) => Ok(read),
        Ok(_) => Err(Error::Internal(format!(
            "the form {} is no form",
            form.name
        ))),
        Err(error) => Err(Error::Internal(format!(
            "the form {} cannot be read: {error}",
            form.name
        ))),
    }
}

/// The idempotency key of a submission with an id: the same id of the same user and form gives
/// the same key.
///
/// # Errors
/// When the id is empty or too long.
pub(crate) fn submission_key(submitted: &Mutation, id: &str) -> Result<[u8; 16], WriteError> {
    if !(1..=EVENT_ID_BYTES_MAX).contains(&id.len()) {
        return Err(WriteError::SubmissionId { id: excerpt(id) });
    }
    let mut bytes = b"form".to_vec();
    let form = match submitted {
        Mutation::Submit { form, .. } => form.as_str(),
        Mutation::Ensure { .. }
        | Mutation::Tag { .. }
        | Mutation::Hold { .. }
        | Mutation::Untag { .. }
        | Mutation::Clear { .. }
        | Mutation::Set { .. }
        | Mutation::Add { .. }
        | Mutation::Remove { .. }
        | Mutation::Track { .. }
        | Mutation::DeleteUser { .. } => "",
    };
    for part in [form, submitted.user(), id] {
        bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Ok(xxh3_128(&bytes).to_le_bytes())
}

/// The text by which an answer in a definition is known: as [`coerce::vocabulary_text`] has that
/// of a submission. `None` for what no answer can be.
pub(super) fn answer_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => coerce::vocabulary_text(&Datum::Text(text.clone())).ok(),
        Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_) | Value::Date(_) => {
            Some(value.to_string())
        }
        Value::Timestamp(_) | Value::Relative(_) | Value::Parameter(_) => None,
    }
}

/// What answers that were looked at ask for.
struct Submission {
    user: String,
    problems: Vec<String>,
    values: Vec<(String, Datum)>,
    tags: Vec<String>,
    /// By kind of event.
    events: BTreeMap<String, Vec<(String, Datum)>>,
}

impl Resolver<'_> {
    /// Does what the answers say, if all of them can be taken.
    pub(super) fn submit(
        &mut self,
        user: String,
        form: &str,
        answers: Vec<(String, Datum)>,
    ) -> Result<(), Error> {
        self.partition(&user)?;
        let form = self.form(form)?;
        let mut submission = Submission {
            user,
            problems: Vec::new(),
            values: Vec::new(),
            tags: Vec::new(),
            events: BTreeMap::new(),
        };
        let mut given = submission.answers(answers);
        for field in &form.fields {
            let name = field.name.node.as_str();
            match given.remove(name).filter(|answer| is_answer(field, answer)) {
                Some(answer) => self.take(&mut submission, field, &answer)?,
                None => match field.requirement {
                    Requirement::Required => {
                        submission.problems.push(format!("{name} must be answered"));
                    }
                    Requirement::Optional => {}
                },
            }
        }
        for name in given.keys() {
            let known = form.fields.iter().map(|field| field.name.node.as_str());
            let hint = did_you_mean(&nearest(name, known));
            let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            let problem = format!("there is no field {:?}{hint}", excerpt(name));
            submission.problems.push(problem);
        }
        if !submission.problems.is_empty() {
            return Err(submission.refused(&form).into());
        }
        submission
            .mutations()
            .into_iter()
            .try_for_each(|mutation| self.mutation(mutation))
    }

    fn form(&self, name: &str) -> Result<DefineForm, Error> {
        let schema = self.schema();
        let name: Name = valid_name(name)?;
        match schema.form(name.as_str()) {
            Some(form) => read_form(form),
            None => {
                let known = schema.forms().map(|form| form.name.as_str());
                let nearest = nearest(name.as_str(), known);
                let name = name.to_string();
                Err(WriteError::UnknownForm { name, nearest }.into())
            }
        }
    }

    /// Notes what an answer asks for, or why it cannot be taken.
    fn take(
        &mut self,
        submission: &mut Submission,
        field: &FormField,
        answer: &Datum,
    ) -> Result<(), Error> {
        let problem = match texts_of(&field.answer_type, answer) {
            Ok(texts) => match self.effect(submission, &field.sets, answer, &texts) {
                Ok(()) => return Ok(()),
                Err(Error::Write(error)) => error.to_string(),
                Err(error) => return Err(error),
            },
            Err(misfit) => misfit,
        };
        let name = field.name.node.as_str();
        submission.problems.push(format!("{name}: {problem}"));
        Ok(())
    }

    fn effect(
        &mut self,
        submission: &mut Submission,
        effect: &FormEffect,
        answer: &Datum,
        texts: &[String],
    ) -> Result<(), Error> {
        match effect {
            FormEffect::Attribute(name) => {
                let attribute = self.attribute(name.node.as_str())?;
                self.value(&submission.user, &attribute, answer)?;
                let name = attribute.name.to_string();
                submission.values.push((name, answer.clone()));
            }
            FormEffect::Tag(tags) => {
                for text in texts {
                    let given = tags
                        .iter()
                        .filter(|tag| answer_text(&tag.answer.node).as_ref() == Some(text));
                    let names = given.map(|tag| tag.tag.node.to_string());
                    submission.tags.extend(names);
                }
            }
            FormEffect::Event {
                event,
                property: name,
            } => {
                let event = self.event(event.node.as_str())?;
                let property = property(&event, name.node.as_str())?;
                self.value(&submission.user, &property, answer)?;
                let values = submission.events.entry(event.name.to_string());
                let value = (property.name.to_string(), answer.clone());
                values.or_default().push(value);
            }
        }
        Ok(())
    }
}

impl Submission {
    /// The answers by the names of their fields.
    fn answers(&mut self, answers: Vec<(String, Datum)>) -> BTreeMap<String, Datum> {
        let mut given = BTreeMap::new();
        for (name, answer) in answers {
            let name = Name::new(&name).map_or(name, |normalised| normalised.to_string());
            if given.contains_key(&name) {
                let problem = format!("{:?} is answered twice", excerpt(&name));
                self.problems.push(problem);
            }
            given.insert(name, answer);
        }
        given
    }

    fn refused(&self, form: &DefineForm) -> WriteError {
        let told = self.problems.iter().take(PROBLEMS_TOLD).cloned();
        let mut problems = told.collect::<Vec<_>>().join("; ");
        let more = self.problems.len().saturating_sub(PROBLEMS_TOLD);
        if more > 0 {
            problems.push_str(&format!("; and {more} more"));
        }
        WriteError::Submission {
            form: form.name.node.to_string(),
            problems,
        }
    }

    fn mutations(self) -> Vec<Mutation> {
        let Self {
            user,
            problems: _,
            values,
            tags,
            events,
        } = self;
        let mut mutations = vec![Mutation::Ensure { user: user.clone() }];
        if !values.is_empty() {
            let user = user.clone();
            mutations.push(Mutation::Set { user, values });
        }
        if !tags.is_empty() {
            let user = user.clone();
            mutations.push(Mutation::Tag { user, tags });
        }
        mutations.extend(events.into_iter().map(|(event, values)| Mutation::Track {
            user: user.clone(),
            event,
            at_us: None,
            id: None,
            values,
        }));
        mutations
    }
}

/// Whether something is said. An empty list says that there is none of it, which where an answer
/// is required is none.
fn is_answer(field: &FormField, answer: &Datum) -> bool {
    match (answer, field.requirement) {
        (Datum::Null, _) => false,
        (Datum::List(texts), Requirement::Required) => !texts.is_empty(),
        (Datum::List(_), Requirement::Optional)
        | (
            Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Text(_)
            | Datum::Date(_)
            | Datum::Timestamp(_),
            Requirement::Required | Requirement::Optional,
        ) => true,
    }
}

/// The texts by which an answer is known, where it is one of a list; else none. Or why it is no
/// answer of this type.
fn texts_of(answer_type: &AttributeType, answer: &Datum) -> Result<Vec<String>, Misfit> {
    let listed = |texts: Vec<String>, allowed: &Option<Vec<String>>| {
        let allowed = allowed.as_ref().map(|allowed| {
            let text = |text: &String| coerce::vocabulary_text(&Datum::Text(text.clone()));
            allowed
                .iter()
                .filter_map(|it| text(it).ok())
                .collect::<Vec<_>>()
        });
        let strange = |allowed: &Vec<String>| {
            let strange = texts.iter().find(|text| !allowed.contains(text))?;
            let allowed = allowed.iter().map(|text| format!("{:?}", excerpt(text)));
            let allowed = allowed.collect::<Vec<_>>().join(", ");
            Some(format!("{:?} is not one of {allowed}", excerpt(strange)))
        };
        match allowed.as_ref().and_then(strange) {
            Some(misfit) => Err(misfit),
            None => Ok(texts),
        }
    };
    let none = |_: i64| Vec::new();
    match answer_type {
        AttributeType::Enum(allowed) => listed(vec![coerce::vocabulary_text(answer)?], allowed),
        AttributeType::Multi(allowed) => match answer {
            Datum::List(texts) => {
                let texts = texts.iter().map(|text| Datum::Text(text.clone()));
                let texts = texts.map(|text| coerce::vocabulary_text(&text));
                listed(texts.collect::<Result<_, _>>()?, allowed)
            }
            Datum::Null
            | Datum::Boolean(_)
            | Datum::Integer(_)
            | Datum::Decimal { .. }
            | Datum::Real(_)
            | Datum::Text(_)
            | Datum::Date(_)
            | Datum::Timestamp(_) => listed(vec![coerce::vocabulary_text(answer)?], allowed),
        },
        AttributeType::Boolean => Ok(vec![coerce::boolean(answer)?.to_string()]),
        AttributeType::Integer => coerce::number(answer, 0).map(none),
        AttributeType::Decimal(scale) => coerce::number(answer, *scale).map(none),
        AttributeType::Date => coerce::date(answer).map(none),
        AttributeType::Timestamp => coerce::timestamp(answer).map(none),
        AttributeType::Text => coerce::text(answer).map(|_| Vec::new()),
        AttributeType::User => coerce::user_key(answer).map(|_| Vec::new()),
    }
}
