//! A message of either side, to bytes and back.

use bytes::BytesMut;
use tessera_protocol::{codec, message::*};

/// A message of either side.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Said {
    Client(ClientMessage),
    Server(ServerMessage),
}

impl Said {
    pub(crate) fn bytes(&self) -> Result<BytesMut, codec::EncodeError> {
        let mut out = BytesMut::new();
        match self {
            Self::Client(message) => codec::encode_client(message, &mut out)?,
            Self::Server(message) => codec::encode_server(message, &mut out)?,
        }
        Ok(out)
    }

    pub(crate) fn read_like(&self, bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        match self {
            Self::Client(_) => codec::decode_client(bytes).map(Self::Client),
            Self::Server(_) => codec::decode_server(bytes).map(Self::Server),
        }
    }
}

pub(crate) fn request(id: u64, body: RequestBody) -> Said {
    let id = RequestId(id);
    let request = Request {
        id,
        deadline_ms: 5000,
        rows_messages_credit: 8,
        body,
    };
    Said::Client(ClientMessage::Request(request))
}

pub(crate) fn named(name: &str, said: Said) -> (String, Said) {
    (name.to_owned(), said)
}
