//! The values of one enum or multi attribute, numbered in the order of first sight.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;

use crate::ids::ValueCode;

/// Texts and their codes.
#[derive(Debug, Clone, Default)]
pub struct Dictionary {
    texts: Vec<Arc<str>>,
    codes: HashMap<Arc<str>, ValueCode, RandomState>,
}

impl Dictionary {
    /// The code of a text.
    pub fn code(&self, text: &str) -> Option<ValueCode> {
        self.codes.get(text).copied()
    }

    /// The text of a code.
    pub fn text(&self, code: ValueCode) -> Option<&str> {
        self.texts.get(code.0 as usize).map(AsRef::as_ref)
    }

    /// How many texts there are; their codes are 0 to one less.
    pub fn len(&self) -> u32 {
        // `add` numbers texts with an u32.
        self.texts.len() as u32
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The code of a text, a new one when the text is new.
    pub fn add(&mut self, text: &str) -> ValueCode {
        if let Some(code) = self.code(text) {
            return code;
        }
        let code = ValueCode(self.len());
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.codes.insert(text, code);
        code
    }
}
