//! Answers of forms.

use tessera_protocol::message::{Datum, Parameter};

use crate::{QueryError, render::Writer, retry::Repeat};

/// A user's answers of a form, taken all or none.
///
/// ```
/// use tessera_client::Submission;
///
/// let answers = Submission::new("welcome", "u1")
///     .answer("gender", "f")
///     .answer("plan", "pro")
///     .id("answer-1");
/// # let _ = answers;
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a submission does nothing until it is given to a client"]
pub struct Submission {
    form: String,
    user: String,
    answers: Vec<(String, Datum)>,
    id: Option<String>,
}

impl Submission {
    /// No answers of this form yet, by the user with this key; a key that is new becomes a user.
    pub fn new(form: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            form: form.into(),
            user: user.into(),
            answers: Vec::new(),
            id: None,
        }
    }

    /// Adds the answer of a field; [`Datum::List`] for one that takes several.
    pub fn answer(mut self, field: impl Into<String>, answer: impl Into<Datum>) -> Self {
        self.answers.push((field.into(), answer.into()));
        self
    }

    /// Names the submission among those of the user: the same id again changes nothing and is
    /// answered as the first time, as long as the server remembers it.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Whether submitting twice does the same as submitting once.
    pub(crate) fn repeat(&self) -> Repeat {
        match self.id {
            Some(_) => Repeat::Safe,
            None => Repeat::Unsafe,
        }
    }

    /// The statement, and the values beside it.
    pub(crate) fn to_text(&self) -> Result<(String, Vec<Parameter>), QueryError> {
        let mut writer = Writer::default();
        writer.words("SUBMIT FORM ");
        writer.name(&self.form);
        writer.words(" FOR ");
        writer.value(&Datum::from(self.user.as_str()))?;
        if !self.answers.is_empty() {
            writer.words(" WITH ");
            writer.list("answers", &self.answers, |writer, (field, answer)| {
                writer.name(field);
                writer.words(" = ");
                writer.value(answer)
            })?;
        }
        if let Some(id) = &self.id {
            writer.words(" ID ");
            writer.value(&Datum::from(id.as_str()))?;
        }
        Ok(writer.finish())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use tessera_query_lang::{Limits, parse_statement};

    use super::*;

    fn check(submission: &Submission, expected: &str) {
        let (text, _) = submission.to_text().unwrap();
        assert_eq!(text, expected);
        assert!(parse_statement(&text, &Limits::default()).is_ok(), "{text}");
    }

    #[test]
    fn answers_stand_beside_the_text() {
        check(&Submission::new("f", "u1"), "SUBMIT FORM \"f\" FOR $1");
        let submission = Submission::new("a \"b\"", "007")
            .answer("plan", "pro")
            .answer("two words", 3)
            .id("k");
        check(
            &submission,
            "SUBMIT FORM \"a \\\"b\\\"\" FOR $1 WITH \"plan\" = $2, \"two words\" = $3 ID $4",
        );
        let (_, values) = submission.to_text().unwrap();
        let values: Vec<Datum> = values
            .into_iter()
            .map(|parameter| parameter.value)
            .collect();
        let text = |text: &str| Datum::from(text);
        assert_eq!(
            values,
            [text("007"), text("pro"), Datum::from(3), text("k")]
        );
    }
}
