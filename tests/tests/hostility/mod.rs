//! The attacks: below the messages (bytes), above them (manners), and in what they say.

mod bytes;
mod manners;
mod statements;

use std::net::SocketAddr;

use tessera_tests::wire::Wire;

/// Something that no honest client does. Gives the connections that it leaves open.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(SocketAddr) -> Vec<Wire>,
}

/// All of them.
pub(crate) fn attacks() -> impl Iterator<Item = Attack> {
    bytes::ATTACKS
        .iter()
        .chain(manners::ATTACKS)
        .chain(statements::ATTACKS)
        .map(|(name, run)| Attack { name, run: *run })
}

/// A list of attacks as the modules write it.
type Attacks = &'static [(&'static str, fn(SocketAddr) -> Vec<Wire>)];
