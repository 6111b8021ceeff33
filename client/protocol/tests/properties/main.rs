//! What holds for any message and any bytes.

#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

mod decoded;
mod strategies;

use bytes::BytesMut;
use proptest::prelude::*;
use tessera_protocol::{
    codec,
    frame::{self, FrameDecoder},
    message::*,
    weight::weigh_client,
};

use crate::{
    decoded::body_bytes,
    strategies::{client_message, load_rows, server_message},
};

/// NaN is not equal to itself, but its bytes are.
fn client_bytes(message: &ClientMessage) -> Result<BytesMut, codec::EncodeError> {
    let mut out = BytesMut::new();
    codec::encode_client(message, &mut out).map(|()| out)
}

fn server_bytes(message: &ServerMessage) -> Result<BytesMut, codec::EncodeError> {
    let mut out = BytesMut::new();
    codec::encode_server(message, &mut out).map(|()| out)
}

proptest! {
    #[test]
    fn a_request_weighs_what_it_takes(message in client_message()) {
        let bytes = client_bytes(&message)?;
        let weight = weigh_client(&bytes);
        match &message {
            ClientMessage::Request(request) => {
                prop_assert_eq!(weight.request, Some(request.id));
                prop_assert_eq!(weight.decoded_bytes, body_bytes(&request.body));
            }
            ClientMessage::Hello(_)
            | ClientMessage::Credit { .. }
            | ClientMessage::Cancel { .. }
            | ClientMessage::Goodbye => {
                prop_assert_eq!((weight.request, weight.decoded_bytes), (None, 0));
            }
        }
    }

    #[test]
    fn the_beginning_of_a_message_weighs_no_more_than_all(
        message in client_message(),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = client_bytes(&message)?;
        let part = weigh_client(&bytes[..cut.index(bytes.len())]);
        prop_assert!(part.decoded_bytes <= weigh_client(&bytes).decoded_bytes);
    }

    #[test]
    fn client_messages_come_back(message in client_message()) {
        let bytes = client_bytes(&message)?;
        let read = codec::decode_client(&bytes)?;
        prop_assert_eq!(client_bytes(&read)?, bytes);
    }

    #[test]
    fn rows_that_are_parted_say_the_same(
        rows in load_rows(),
        places in prop::collection::vec(0..20_u32, 0..30),
    ) {
        let there: Vec<u32> = places.into_iter().filter(|place| (*place as usize) < rows.len()).collect();
        let some = rows.select(&there);
        prop_assert_eq!(some.check(), Ok(()));
        for (place, row) in there.iter().enumerate() {
            let (parted, whole) = (some.reader().mutations(place), rows.reader().mutations(*row as usize));
            prop_assert_eq!(format!("{parted:?}"), format!("{whole:?}"));
        }
    }

    #[test]
    fn server_messages_come_back(message in server_message()) {
        let bytes = server_bytes(&message)?;
        let read = codec::decode_server(&bytes)?;
        prop_assert_eq!(server_bytes(&read)?, bytes);
    }

    #[test]
    fn reals_keep_their_bits(bits in any::<u64>()) {
        let rows = vec![vec![Datum::Real(f64::from_bits(bits))]];
        let bytes = server_bytes(&ServerMessage::Rows { id: RequestId(0), rows })?;
        prop_assert_eq!(&bytes[bytes.len() - 8..], &bits.to_le_bytes());
        prop_assert_eq!(server_bytes(&codec::decode_server(&bytes)?)?, bytes);
    }

    #[test]
    fn a_message_cut_short_or_followed_by_more_is_refused(
        message in server_message(),
        cut in any::<prop::sample::Index>(),
        more in any::<u8>(),
    ) {
        let mut bytes = server_bytes(&message)?;
        let cut = cut.index(bytes.len());
        prop_assert!(codec::decode_server(&bytes[..cut]).is_err());
        bytes.extend_from_slice(&[more]);
        prop_assert_eq!(codec::decode_server(&bytes), Err(codec::DecodeError::Trailing(1)));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = codec::decode_client(&bytes);
        let _ = codec::decode_server(&bytes);
    }

    #[test]
    fn damaged_messages_are_messages_or_errors(
        client in client_message(),
        server in server_message(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = client_bytes(&client)?;
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = codec::decode_client(&bytes);
        let mut bytes = server_bytes(&server)?;
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = codec::decode_server(&bytes);
    }

    #[test]
    fn frames_are_the_same_however_they_arrive(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 0..8),
        sizes in prop::collection::vec(1..20_usize, 1..50),
    ) {
        let mut stream = BytesMut::new();
        for body in &bodies {
            frame::encode_frame(body, 50, &mut stream)?;
        }
        let mut decoder = FrameDecoder::new(50);
        let mut seen = Vec::new();
        let mut rest = &stream[..];
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).min(rest.len());
            let (chunk, after) = rest.split_at(size);
            decoder.feed(chunk);
            rest = after;
            while let Some(frame) = decoder.next_frame()? {
                seen.push(frame.to_vec());
            }
        }
        decoder.finish()?;
        prop_assert_eq!(seen, bodies);
    }

    #[test]
    fn any_bytes_are_frames_or_an_error_that_stays(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        frame_bytes_max in 0..100_u32,
    ) {
        let mut decoder = FrameDecoder::new(frame_bytes_max);
        let mut fed = 0;
        for chunk in &chunks {
            decoder.feed(chunk);
            fed += chunk.len();
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => prop_assert!(frame.len() <= frame_bytes_max as usize),
                    Ok(None) => break,
                    Err(error) => {
                        prop_assert_eq!(decoder.next_frame(), Err(error));
                        prop_assert_eq!(decoder.finish(), Err(error));
                        return Ok(());
                    }
                }
            }
            prop_assert!(decoder.buffer_mut().len() <= fed);
        }
    }
}
