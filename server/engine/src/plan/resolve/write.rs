//! The values and names of writing statements, as the writer takes them: by name, with data
//! instead of parameters and relative times.

use tessera_query_lang::{
    ast::{Assignment, NameRef, Span, Spanned, Submission, Track, Value},
    name::Name,
};

use super::{Literal, ResolveError, Resolver};
use crate::{datum::Datum, schema::AttributeClass, write::Mutation};

/// One assignment of a `SET`, without a user.
#[derive(Debug, Clone, PartialEq)]
pub enum ResolvedAssignment {
    /// Sets or, with [`Datum::Null`], clears an attribute.
    Set(String, Datum),
    /// Adds values to a multi attribute.
    Add(String, Vec<Datum>),
    /// Removes values from a multi attribute.
    Remove(String, Vec<Datum>),
}

impl Resolver<'_> {
    /// The keys of named users, in their order.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn user_keys(&mut self, values: &[Spanned<Value>]) -> Result<Vec<String>, ResolveError> {
        let mut keys = Vec::with_capacity(values.len());
        for value in values {
            keys.extend(self.keys(value)?);
        }
        Ok(keys)
    }

    /// One text: a key or a cursor.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn text(&mut self, value: &Spanned<Value>) -> Result<String, ResolveError> {
        let literal = self.literal(value)?;
        literal.as_text().ok_or_else(|| {
            ResolveError::mismatch(
                format!("a text is expected, and {} is not", literal.describe()),
                value.span,
            )
        })
    }

    /// The names of defined tags.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn tag_names(&mut self, names: &[Spanned<NameRef>]) -> Result<Vec<String>, ResolveError> {
        let mut tags = Vec::with_capacity(names.len());
        for name in names {
            let texts = match &name.node {
                NameRef::Name(text) => vec![text.clone()],
                NameRef::Parameter(parameter) => self.parameter_names(parameter, name.span)?,
            };
            for text in texts {
                tags.push(self.tag_named(&text, name.span)?.name.as_str().to_owned());
            }
        }
        Ok(tags)
    }

    /// One assignment; whether a value fits the attribute is the writer's to say.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn assignment(
        &mut self,
        name: &Spanned<Name>,
        assignment: &Assignment,
    ) -> Result<ResolvedAssignment, ResolveError> {
        let attribute = self.attribute_named(name)?;
        let text = attribute.name.as_str().to_owned();
        Ok(match assignment {
            Assignment::Clear => ResolvedAssignment::Set(text, Datum::Null),
            Assignment::Add(values) => ResolvedAssignment::Add(text, self.data(values)?),
            Assignment::Remove(values) => ResolvedAssignment::Remove(text, self.data(values)?),
            Assignment::To(values) => {
                let datum = match attribute.kind.class() {
                    AttributeClass::MultiCoded => self.list(values)?,
                    AttributeClass::Coded | AttributeClass::Numeric | AttributeClass::Textual => {
                        self.single(values, name.span)?
                    }
                };
                ResolvedAssignment::Set(text, datum)
            }
        })
    }

    /// What a `TRACK` asks for; whether its properties fit the event is the writer's to say.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn track(&mut self, track: &Track) -> Result<Mutation, ResolveError> {
        let user = self.text(&track.user)?;
        let event = self.event_named(&track.event)?.name.to_string();
        let at_us = match &track.at {
            None => None,
            Some(at) => {
                let literal = self.literal(at)?;
                // Of a day its beginning.
                let first = literal.moments().map(|extent| extent.first);
                let first = first.and_then(|first| i64::try_from(first).ok());
                Some(first.ok_or_else(|| {
                    let message =
                        format!("an event is at a moment, and {} is not", literal.describe());
                    ResolveError::mismatch(message, at.span)
                })?)
            }
        };
        let id = track.id.as_ref().map(|id| self.text(id)).transpose()?;
        let mut values = Vec::with_capacity(track.properties.len());
        for (name, value) in &track.properties {
            let datum = self.single(std::slice::from_ref(value), name.span)?;
            values.push((name.node.to_string(), datum));
        }
        Ok(Mutation::Track {
            user,
            event,
            at_us,
            id,
            values,
        })
    }

    /// What a `SUBMIT FORM` asks for, and the id it came with; whether the answers fit the form is
    /// the writer's to say.
    ///
    /// # Errors
    /// [`ResolveError`], with the place.
    pub fn submission(
        &mut self,
        submission: &Submission,
    ) -> Result<(Mutation, Option<String>), ResolveError> {
        let form = self.name_ref(&submission.form)?.to_string();
        let user = self.text(&submission.user)?;
        let id = submission.id.as_ref().map(|id| self.text(id)).transpose()?;
        let mut answers = Vec::with_capacity(submission.answers.len());
        for answer in &submission.answers {
            let datum = match answer.values.as_slice() {
                [_] => self.single(&answer.values, answer.field.span)?,
                _ => self.list(&answer.values)?,
            };
            answers.push((answer.field.node.to_string(), datum));
        }
        let submitted = Mutation::Submit {
            user,
            form,
            answers,
        };
        Ok((submitted, id))
    }

    fn list(&mut self, values: &[Spanned<Value>]) -> Result<Datum, ResolveError> {
        if let [only] = values
            && let Value::Parameter(parameter) = &only.node
            && *self.bindings.value(parameter, only.span)? == Datum::Null
        {
            return Ok(Datum::Null);
        }
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            texts.extend(self.keys(value)?);
        }
        Ok(Datum::List(texts))
    }

    fn single(&mut self, values: &[Spanned<Value>], span: Span) -> Result<Datum, ResolveError> {
        let [only] = values else {
            return Err(ResolveError::mismatch(
                "only multi attributes take several values",
                span,
            ));
        };
        match &only.node {
            // A parameter may be null, which clears the attribute.
            Value::Parameter(parameter) => self.bindings.value(parameter, only.span).cloned(),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Decimal(_)
            | Value::Boolean(_)
            | Value::Date(_)
            | Value::Timestamp(_)
            | Value::Relative(_) => Ok(datum(self.literal(only)?)),
        }
    }

    fn data(&mut self, values: &[Spanned<Value>]) -> Result<Vec<Datum>, ResolveError> {
        let mut data = Vec::with_capacity(values.len());
        for value in values {
            data.extend(self.literals(value)?.into_iter().map(datum));
        }
        Ok(data)
    }
}

fn datum(literal: Literal) -> Datum {
    match literal {
        Literal::Text(text) => Datum::Text(text),
        Literal::Number { units, scale: 0 } => {
            i64::try_from(units).map_or(Datum::Decimal { units, scale: 0 }, Datum::Integer)
        }
        Literal::Number { units, scale } => Datum::Decimal { units, scale },
        Literal::Boolean(value) => Datum::Boolean(value),
        Literal::Day(days) => Datum::Date(days),
        Literal::Moment(micros) => Datum::Timestamp(micros),
    }
}
