//! Servers that are killed while many write to them.

use std::{
    net::SocketAddr,
    sync::mpsc::{self, Sender},
    thread,
};

use crate::server_process::ServerProcess;

/// Lets writers write, each with what it knows, until so many requests are acknowledged, and kills
/// the server. A writer is given the server, its number, what it knows, and where it says that a
/// request was acknowledged; it ends when the connection is lost.
///
/// # Panics
/// When a writer does, or ends before the server is killed.
pub fn load_and_kill<L: Send>(
    server: ServerProcess,
    ledgers: Vec<L>,
    requests: usize,
    write: impl Fn(SocketAddr, u64, L, &Sender<()>) -> L + Sync,
) -> Vec<L> {
    let address = server.address();
    let (sender, receiver) = mpsc::channel();
    let write = &write;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..)
            .zip(ledgers)
            .map(|(writer, ledger)| {
                let sender = sender.clone();
                scope.spawn(move || write(address, writer, ledger, &sender))
            })
            .collect();
        drop(sender);
        assert_eq!(
            receiver.iter().take(requests).count(),
            requests,
            "a writer stopped early"
        );
        server.kill();
        writers
            .into_iter()
            .map(|writer| writer.join().expect("a writer does not panic"))
            .collect()
    })
}
