//! The first message of each side: which protocol is spoken, if any.
//!
//! Knows how versions are agreed on. Does not know sockets or time; whoever uses it sends what
//! it answers and, on a failure, closes.

use std::ops::RangeInclusive;

use crate::{
    frame::FRAME_BYTES_LIMIT,
    message::{
        ClientMessage, Failure, FailureCode, Hello, MAGIC, PROTOCOL_VERSION, PROTOCOL_VERSION_MIN,
        ServerMessage, Welcome,
    },
};

/// The longest name of a program in a handshake, in bytes.
pub const AGENT_BYTES_MAX: usize = 256;

/// The protocol versions this crate speaks, oldest to newest.
pub const VERSIONS: RangeInclusive<u16> = PROTOCOL_VERSION_MIN..=PROTOCOL_VERSION;

/// What a server says of itself in its [`Welcome`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The server's name and version.
    pub agent: String,
    /// The longest frame the server takes, in bytes after the length.
    pub frame_bytes_max: u32,
    /// Requests one connection may have under way.
    pub requests_in_flight_max: u32,
    /// Mutations one write may have, and rows one load.
    pub mutations_max: u32,
}

/// Why a client cannot go on after the server's first message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The server said no.
    #[error("the server refused the connection: {}", .0.message)]
    Refused(Failure),
    /// The server chose a version that was not offered.
    #[error("the server chose protocol version {0}, which was not offered")]
    Version(u16),
    /// The server sets limits under which nothing could be asked.
    #[error("the server's welcome makes no sense: {0}")]
    Nonsense(&'static str),
    /// The first message was none that answers a hello.
    #[error("the server's first message is not an answer to a hello")]
    Unexpected,
}

/// The newest version in both ranges.
pub fn newest_common(ours: &RangeInclusive<u16>, theirs: &RangeInclusive<u16>) -> Option<u16> {
    let newest = *ours.end().min(theirs.end());
    (newest >= *ours.start() && newest >= *theirs.start()).then_some(newest)
}

/// What a client sends first.
pub fn hello(agent: impl Into<String>) -> ClientMessage {
    ClientMessage::Hello(Hello {
        magic: MAGIC,
        version_min: *VERSIONS.start(),
        version_max: *VERSIONS.end(),
        agent: agent.into(),
    })
}

/// The server's side: judges a connection's first message. `Ok` is to be sent as
/// [`ServerMessage::Welcome`], `Err` as [`ServerMessage::Refused`], whereupon the connection ends.
///
/// # Errors
/// [`FailureCode::Protocol`] when the message is not a proper hello, [`FailureCode::Version`] when
/// no version is common.
pub fn accept(first: &ClientMessage, offer: &Offer) -> Result<Welcome, Failure> {
    let hello = match first {
        ClientMessage::Hello(hello) => hello,
        ClientMessage::Request(_)
        | ClientMessage::Credit { .. }
        | ClientMessage::Cancel { .. }
        | ClientMessage::Goodbye => return Err(protocol("the first message must be a hello")),
    };
    if hello.magic != MAGIC {
        return Err(protocol(
            "the hello does not start with the protocol's magic bytes",
        ));
    }
    if hello.agent.len() > AGENT_BYTES_MAX {
        return Err(protocol(&format!(
            "the agent's name has more than {AGENT_BYTES_MAX} bytes"
        )));
    }
    if hello.version_min > hello.version_max {
        return Err(protocol(
            "the hello's oldest version is newer than its newest",
        ));
    }
    let theirs = hello.version_min..=hello.version_max;
    let version = newest_common(&VERSIONS, &theirs).ok_or_else(|| no_version(&theirs))?;
    Ok(Welcome {
        version,
        agent: offer.agent.clone(),
        frame_bytes_max: offer.frame_bytes_max.min(FRAME_BYTES_LIMIT),
        requests_in_flight_max: offer.requests_in_flight_max,
        mutations_max: offer.mutations_max,
    })
}

/// The client's side: judges the server's answer to [`hello`].
///
/// # Errors
/// Says why the connection cannot be used.
pub fn check_welcome(first: ServerMessage) -> Result<Welcome, HandshakeError> {
    let welcome = match first {
        ServerMessage::Welcome(welcome) => welcome,
        ServerMessage::Refused(failure) => return Err(HandshakeError::Refused(failure)),
        ServerMessage::Header { .. }
        | ServerMessage::Rows { .. }
        | ServerMessage::Keys { .. }
        | ServerMessage::End { .. }
        | ServerMessage::Failed { .. }
        | ServerMessage::Closing => return Err(HandshakeError::Unexpected),
    };
    if !VERSIONS.contains(&welcome.version) {
        return Err(HandshakeError::Version(welcome.version));
    }
    if welcome.frame_bytes_max == 0 {
        return Err(HandshakeError::Nonsense("it takes frames of no bytes"));
    }
    if welcome.requests_in_flight_max == 0 {
        return Err(HandshakeError::Nonsense("it takes no requests"));
    }
    Ok(welcome)
}

fn protocol(message: &str) -> Failure {
    Failure {
        code: FailureCode::Protocol,
        message: message.to_owned(),
        span: None,
        hint: Some("check that the program at the other end is a Tessera client".to_owned()),
    }
}

fn no_version(theirs: &RangeInclusive<u16>) -> Failure {
    let hint = if theirs.end() < VERSIONS.start() {
        "upgrade the client"
    } else {
        "upgrade the server"
    };
    Failure {
        code: FailureCode::Version,
        message: format!(
            "the client speaks protocol versions {} to {}, the server {} to {}",
            theirs.start(),
            theirs.end(),
            VERSIONS.start(),
            VERSIONS.end()
        ),
        span: None,
        hint: Some(hint.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer {
            agent: "tessera-server 0.1.0".to_owned(),
            frame_bytes_max: 1000,
            requests_in_flight_max: 10,
            mutations_max: 100,
        }
    }

    fn hello_of(magic: [u8; 4], versions: RangeInclusive<u16>, agent: &str) -> ClientMessage {
        ClientMessage::Hello(Hello {
            magic,
            version_min: *versions.start(),
            version_max: *versions.end(),
            agent: agent.to_owned(),
        })
    }

    #[test]
    fn the_newest_common_version_is_chosen() {
        let check = |ours, theirs, expected| {
            assert_eq!(
                newest_common(&ours, &theirs),
                expected,
                "{ours:?} {theirs:?}"
            );
        };
        check(1..=1, 1..=1, Some(1));
        check(1..=3, 2..=9, Some(3));
        check(2..=9, 1..=3, Some(3));
        check(1..=2, 3..=4, None);
        check(3..=4, 1..=2, None);
        check(0..=u16::MAX, u16::MAX..=u16::MAX, Some(u16::MAX));
    }

    #[test]
    fn a_server_judges_the_first_message() {
        let check = |first: ClientMessage, expected: Result<u16, FailureCode>| {
            let outcome = accept(&first, &offer());
            let seen = outcome
                .map(|welcome| welcome.version)
                .map_err(|failure| failure.code);
            assert_eq!(seen, expected, "{first:?}");
        };
        check(hello("test"), Ok(4));
        check(hello_of(MAGIC, 0..=7, "test"), Ok(4));
        check(hello_of(MAGIC, 1..=3, "test"), Ok(3));
        check(hello_of(MAGIC, 1..=2, "test"), Ok(2));
        check(hello_of(MAGIC, 0..=1, "test"), Ok(1));
        check(hello_of(MAGIC, 5..=7, "test"), Err(FailureCode::Version));
        check(hello_of(MAGIC, 0..=0, "test"), Err(FailureCode::Version));
        check(
            hello_of(*b"HTTP", 1..=1, "test"),
            Err(FailureCode::Protocol),
        );
        check(
            hello_of(MAGIC, 1..=1, &"x".repeat(257)),
            Err(FailureCode::Protocol),
        );
        #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
        check(hello_of(MAGIC, 2..=1, "test"), Err(FailureCode::Protocol));
        check(ClientMessage::Goodbye, Err(FailureCode::Protocol));
    }

    #[test]
    fn a_client_judges_the_answer() {
        let check = |first: ServerMessage, expected: Result<(), HandshakeError>| {
            assert_eq!(check_welcome(first).map(|_| ()), expected);
        };
        let welcome = |version, frame_bytes_max, requests_in_flight_max| {
            ServerMessage::Welcome(Welcome {
                version,
                agent: String::new(),
                frame_bytes_max,
                requests_in_flight_max,
                mutations_max: 1,
            })
        };
        let failure = protocol("no");
        check(welcome(1, 1, 1), Ok(()));
        check(welcome(2, 1, 1), Ok(()));
        check(welcome(3, 1, 1), Ok(()));
        check(welcome(4, 1, 1), Ok(()));
        check(welcome(5, 1, 1), Err(HandshakeError::Version(5)));
        check(
            welcome(1, 0, 1),
            Err(HandshakeError::Nonsense("it takes frames of no bytes")),
        );
        check(
            welcome(1, 1, 0),
            Err(HandshakeError::Nonsense("it takes no requests")),
        );
        check(
            ServerMessage::Refused(failure.clone()),
            Err(HandshakeError::Refused(failure)),
        );
        check(ServerMessage::Closing, Err(HandshakeError::Unexpected));
    }
}
