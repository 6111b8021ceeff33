//! The keys of `requests`.

use super::{FormatError, KeyFormat};

/// The key with which a client recognises its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RequestKey(pub(crate) [u8; 16]);

impl KeyFormat<'_> for RequestKey {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }

    fn read_from(bytes: &[u8]) -> Result<Self, FormatError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| FormatError::new("an idempotency key has 16 bytes"))
    }
}
