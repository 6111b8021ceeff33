//! Many texts in one buffer.

use super::LoadError;

/// Texts, one after the other in one buffer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedTexts {
    pub(super) text: String,
    /// Where each text ends; it begins where the one before ends.
    pub(super) ends: Vec<u32>,
}

impl PackedTexts {
    /// Texts cut from one buffer at these places.
    ///
    /// # Errors
    /// [`LoadError::Texts`] unless the places rise, lie between characters and the last one is
    /// the buffer's end.
    pub fn new(text: String, ends: Vec<u32>) -> Result<Self, LoadError> {
        let mut start = 0;
        let rising = ends.iter().all(|end| {
            let rises = *end >= start;
            start = *end;
            rises
        });
        if !rising || start as usize != text.len() {
            return Err(LoadError::Texts);
        }
        let whole = |end: &u32| text.is_char_boundary(*end as usize);
        if !text.is_ascii() && !ends.iter().all(whole) {
            return Err(LoadError::Texts);
        }
        Ok(Self { text, ends })
    }

    /// Appends a text.
    ///
    /// # Errors
    /// [`LoadError::TooMuch`] when all texts together would have more than 2^32 - 1 bytes; then
    /// nothing is appended.
    pub fn push(&mut self, text: &str) -> Result<(), LoadError> {
        let end = u32::try_from(self.text.len() + text.len()).map_err(|_| LoadError::TooMuch)?;
        self.text.push_str(text);
        self.ends.push(end);
        Ok(())
    }

    /// How many texts.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all texts together.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// A text by its place, from 0.
    pub fn get(&self, place: usize) -> Option<&str> {
        let end = *self.ends.get(place)?;
        let start = match place.checked_sub(1) {
            None => 0,
            Some(before) => *self.ends.get(before)?,
        };
        self.text.get(start as usize..end as usize)
    }

    /// All texts in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map_while(|place| self.get(place))
    }

    /// The buffer, and where each text ends in it.
    pub fn into_parts(self) -> (String, Vec<u32>) {
        (self.text, self.ends)
    }
}
