//! What must hold for any bytes at all. `tests/fuzz` feeds these to a fuzzer, `tests/any_bytes.rs`
//! to a property test, so that they stay built and true.

use tessera_engine::bitmap::Fragment;
use tessera_protocol::{
    codec::{decode_client, decode_server, encode_client, encode_server},
    frame::FrameDecoder,
};
use tessera_query_lang::{Limits, ParseError, parse_group_rule, parse_statement, split_statements};

/// The parser takes or refuses any text; what it takes prints to something that reads the same,
/// and what it refuses has its place in the text.
///
/// # Panics
/// When that does not hold.
pub fn parser(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let limits = Limits::default();
    split_statements(text);
    match parse_statement(text, &limits) {
        Ok(statement) => {
            let printed = statement.to_string();
            let again = parse_statement(&printed, &limits);
            assert_eq!(
                again.as_ref(),
                Ok(&statement),
                "{text:?} printed as {printed:?}"
            );
            assert_eq!(
                again.map(|again| again.to_string()),
                Ok(printed),
                "{text:?}"
            );
        }
        Err(error) => has_its_place(text, &error),
    }
    match parse_group_rule(text, &limits) {
        Ok(rule) => {
            let again = parse_group_rule(&rule.to_string(), &limits);
            assert_eq!(again.as_ref(), Ok(&rule), "{text:?} printed as {rule}");
        }
        Err(error) => has_its_place(text, &error),
    }
}

fn has_its_place(text: &str, error: &ParseError) {
    assert!(error.span.end as usize <= text.len(), "{text:?}: {error:?}");
    assert!(error.span.start <= error.span.end, "{text:?}: {error:?}");
    error.render(text);
}

/// The decoder of frames cuts a stream the same way however it arrives, holds no more than
/// arrived, and stays at its error.
///
/// # Panics
/// When that does not hold.
pub fn frame_decoder(bytes: &[u8]) {
    let Some((piece, stream)) = bytes.split_first() else {
        return;
    };
    let piece = usize::from(*piece).max(1);
    let mut whole = FrameDecoder::new(1 << 20);
    whole.feed(stream);
    let mut pieces = FrameDecoder::new(1 << 20);
    let mut fed = stream.chunks(piece);
    loop {
        let frame = whole.next_frame();
        let again = loop {
            match pieces.next_frame() {
                Ok(None) => match fed.next() {
                    Some(next) => pieces.feed(next),
                    None => break Ok(None),
                },
                other => break other,
            }
        };
        assert_eq!(frame, again);
        match frame {
            Ok(Some(frame)) => assert!(!frame.is_empty() && frame.len() <= stream.len()),
            Ok(None) => break,
            Err(error) => {
                assert_eq!(whole.next_frame(), Err(error));
                assert_eq!(whole.finish(), Err(error));
                return;
            }
        }
    }
    assert_eq!(whole.finish(), pieces.finish());
}

/// The decoder of messages takes or refuses any bytes; what it takes it says the same way.
///
/// # Panics
/// When that does not hold.
pub fn message_decoder(bytes: &[u8]) {
    if let Ok(message) = decode_client(bytes) {
        let mut again = bytes::BytesMut::new();
        encode_client(&message, &mut again).expect("what was read can be said");
        // Debug, because a number that is not a number does not equal itself.
        let read = decode_client(&again).expect("what was said can be read");
        assert_eq!(format!("{read:?}"), format!("{message:?}"));
    }
    if let Ok(message) = decode_server(bytes) {
        let mut again = bytes::BytesMut::new();
        encode_server(&message, &mut again).expect("what was read can be said");
        let read = decode_server(&again).expect("what was said can be read");
        assert_eq!(format!("{read:?}"), format!("{message:?}"));
    }
}

/// The reader of stored bitmaps refuses any bytes that are none; of others it makes portable ones
/// that the `roaring` crate reads in the same way, and stores them so that they come back.
///
/// # Panics
/// When that does not hold.
pub fn fragment_decoder(bytes: &[u8]) {
    if let Ok(fragment) = Fragment::from_portable(bytes) {
        is_a_set(&fragment);
    }
    // The first byte says that all others are to be the packed form, which a fuzzer would have to
    // find out.
    let packed = [&[1], bytes].concat();
    for bytes in [bytes, &packed] {
        if let Ok(fragment) = Fragment::from_stored(bytes) {
            is_a_set(&fragment);
        }
    }
}

fn is_a_set(fragment: &Fragment) {
    let peer = roaring::RoaringBitmap::deserialize_from(fragment.portable().as_slice())
        .expect("the peer takes what we take");
    assert_eq!(fragment.cardinality(), peer.len());
    assert!(fragment.iter().eq(peer.iter()));
    let again = Fragment::from_sorted(fragment.iter()).expect("sorted");
    assert!(again.iter().eq(peer.iter()));
    let mut stored = Vec::new();
    fragment.write_stored(&mut stored);
    let again = Fragment::from_stored(&stored).expect("what was stored is read");
    assert!(again.iter().eq(peer.iter()));
}
