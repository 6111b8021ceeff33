//! Texts that repeat → small numbers.
//!
//! Knows how to find a text that it has seen. Does not know what it stands for.

/// More texts than this are not kept from one batch to the next: they hardly repeat.
const TEXTS_KEPT_MAX: usize = 256 * 1024;
/// More bytes than these are not kept from one batch to the next.
const BYTES_KEPT_MAX: usize = 16 * 1024 * 1024;

/// A table of texts. Hashing is seeded, so that no file can be made to collide.
#[derive(Debug)]
pub(super) struct Interner {
    /// Open addressing: 0 for free, else a text's number plus one. As many as a power of two.
    slots: Vec<u32>,
    entries: Vec<Entry>,
    texts: Vec<u8>,
    seed: u64,
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    start: usize,
    end: usize,
}

/// A text's number, from 0, and whether it is seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Before.
    Before(usize),
    /// Now.
    Now(usize),
}

impl Interner {
    pub(super) fn new() -> Self {
        Self {
            slots: vec![0; 64],
            entries: Vec::new(),
            texts: Vec::new(),
            seed: rand::random(),
        }
    }

    /// The number of a text.
    pub(super) fn number(&mut self, text: &[u8]) -> Seen {
        let hash = hash(text, self.seed);
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                0 => break,
                number => {
                    let number = number as usize - 1;
                    let entry = &self.entries[number];
                    if entry.hash == hash && self.texts[entry.start..entry.end] == *text {
                        return Seen::Before(number);
                    }
                }
            }
            at = (at + 1) & mask;
        }
        Seen::Now(self.add(at, hash, text))
    }

    fn add(&mut self, slot: usize, hash: u64, text: &[u8]) -> usize {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        let end = self.texts.len();
        self.entries.push(Entry { hash, start, end });
        // No file has as many different texts in one batch as 32 bits count.
        self.slots[slot] = self.entries.len() as u32;
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        self.entries.len() - 1
    }

    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        let mask = slots.len() - 1;
        for (number, entry) in self.entries.iter().enumerate() {
            let mut at = entry.hash as usize & mask;
            while slots[at] != 0 {
                at = (at + 1) & mask;
            }
            slots[at] = number as u32 + 1;
        }
        self.slots = slots;
    }

    /// Whether it has grown beyond what is worth keeping.
    pub(super) fn is_overgrown(&self) -> bool {
        self.entries.len() > TEXTS_KEPT_MAX || self.texts.len() > BYTES_KEPT_MAX
    }
}

/// Eight bytes at a time, each mixed in by a multiplication whose halves are folded together, as
/// wyhash and foldhash do.
fn hash(text: &[u8], seed: u64) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b);
        (product as u64) ^ ((product >> 64) as u64)
    };
    let (words, rest) = text.as_chunks::<8>();
    let mut state = seed ^ (text.len() as u64).wrapping_mul(FACTOR);
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), FACTOR);
    }
    let last = rest
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte));
    fold(state ^ last, FACTOR ^ seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_number() {
        let mut interner = Interner::new();
        let texts: Vec<String> = (0..5_000)
            .map(|n| "x".repeat(n % 40) + &n.to_string())
            .collect();
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(interner.number(text.as_bytes()), Seen::Now(number));
        }
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(interner.number(text.as_bytes()), Seen::Before(number));
        }
        assert_eq!(interner.number(b""), Seen::Now(5_000));
        assert_eq!(interner.number(b"\0"), Seen::Now(5_001));
        assert_eq!(interner.number(b""), Seen::Before(5_000));
        assert!(!interner.is_overgrown());
    }

    #[test]
    fn many_texts_are_too_many_to_keep() {
        let mut interner = Interner::new();
        interner.number(&vec![b'x'; BYTES_KEPT_MAX]);
        assert!(!interner.is_overgrown());
        interner.number(b"y");
        assert!(interner.is_overgrown());
    }
}
