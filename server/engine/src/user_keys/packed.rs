//! Keys one after the other in one buffer.

/// Keys in an order, in one text with the place where each ends: adding one allocates nothing
/// once there is room.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackedKeys {
    text: String,
    /// Where each key ends in `text`; never falling, the last where `text` ends.
    ends: Vec<usize>,
}

impl PackedKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// No keys, and room for so many of so many bytes together.
    pub fn with_capacity(keys: usize, bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            ends: Vec::with_capacity(keys),
        }
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All keys, one after the other.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// For each key where it ends in [`Self::text`].
    pub fn ends(&self) -> &[usize] {
        &self.ends
    }

    /// Appends a key.
    pub fn push(&mut self, key: &str) {
        self.text.push_str(key);
        self.ends.push(self.text.len());
    }

    /// Appends a key that is in two parts.
    pub(super) fn push_parts(&mut self, prefix: &str, rest: &str) {
        self.text.push_str(prefix);
        self.push(rest);
    }

    /// Appends keys that stand one after the other in `text`, and end there at `ends`.
    pub(super) fn push_run(&mut self, text: &str, ends: impl Iterator<Item = usize>) {
        let start = self.text.len();
        self.text.push_str(text);
        self.ends.extend(ends.map(|end| start + end));
    }

    /// Appends all keys of another.
    pub fn append(&mut self, other: &Self) {
        self.push_run(&other.text, other.ends.iter().copied());
    }

    /// Where the key with this index begins in [`Self::text`]; beyond the last, where that ends.
    pub fn start(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) => self.ends.get(before).copied().unwrap_or(self.text.len()),
            None => 0,
        }
    }

    /// A key by its index.
    pub fn get(&self, index: usize) -> Option<&str> {
        self.text.get(self.start(index)..*self.ends.get(index)?)
    }

    /// The keys in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let key = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            key
        })
    }

    /// Drops all keys from this index on.
    pub fn truncate(&mut self, keys: usize) {
        self.ends.truncate(keys);
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Drops the first keys, so many.
    pub fn drop_first(&mut self, keys: usize) {
        let keys = keys.min(self.len());
        if keys == 0 {
            return;
        }
        let bytes = self.start(keys);
        self.text.drain(..bytes);
        self.ends.drain(..keys);
        self.ends.iter_mut().for_each(|end| *end -= bytes);
    }

    /// Drops all keys and keeps the room.
    pub fn clear(&mut self) {
        self.truncate(0);
    }
}

impl<'a> Extend<&'a str> for PackedKeys {
    fn extend<T: IntoIterator<Item = &'a str>>(&mut self, keys: T) {
        keys.into_iter().for_each(|key| self.push(key));
    }
}

impl<'a> FromIterator<&'a str> for PackedKeys {
    fn from_iter<T: IntoIterator<Item = &'a str>>(keys: T) -> Self {
        let mut packed = Self::new();
        packed.extend(keys);
        packed
    }
}
