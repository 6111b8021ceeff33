//! The reference answers: what SQL said about the real data sets.
//!
//! Knows the shape of `answers.json`. Does not know how to ask Tessera.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;

/// The answers of one data set by their ids, each as rows of texts and numbers.
#[derive(Debug)]
pub struct Answers(BTreeMap<String, Vec<Vec<Value>>>);

impl Answers {
    /// Reads a data set's `answers.json`.
    ///
    /// # Panics
    /// When the file is not there or has another shape.
    pub fn read(directory: &Path) -> Self {
        let path = directory.join("answers.json");
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file: Value = serde_json::from_str(&text).expect("answers.json is JSON");
        let answers = file["answers"].as_array().expect("a list of answers");
        Self(
            answers
                .iter()
                .map(|answer| (id_of(answer), rows_of(&answer["result"])))
                .collect(),
        )
    }

    /// The rows of an answer; a lone number is one row of one column.
    ///
    /// # Panics
    /// When there is no such answer.
    pub fn rows(&self, id: &str) -> &[Vec<Value>] {
        self.0.get(id).unwrap_or_else(|| panic!("no answer {id}"))
    }

    /// Every id, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn id_of(answer: &Value) -> String {
    answer["id"].as_str().expect("an id").to_owned()
}

fn rows_of(result: &Value) -> Vec<Vec<Value>> {
    match result {
        Value::Array(rows) => rows
            .iter()
            .map(|row| row.as_array().expect("a row").clone())
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![vec![result.clone()]]
        }
    }
}
