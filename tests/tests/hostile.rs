//! Bytes that no honest client sends. Whatever comes, the server lives, answers others meanwhile,
//! and does not grow.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod hostility;

use hostility::{Attack, attacks};
use tessera_protocol::message::{Datum, Mutation};
use tessera_tests::{memory::resident_bytes, server_process::ServerProcess, wire::Wire};

/// By how much all attacks together may let the server grow.
const GROWTH_BYTES_MAX: u64 = 256 << 20;

const FLAGS: [&str; 8] = [
    "--memory-bytes",
    "32MiB",
    "--limits-handshake-timeout-ms",
    "400",
    "--limits-connections-max",
    "300",
    "--limits-frame-bytes-max",
    "1MiB",
];

fn populate(wire: &mut Wire) {
    wire.execute("DEFINE TAG vip").unwrap();
    wire.execute("DEFINE ATTRIBUTE age INTEGER").unwrap();
    wire.execute("DEFINE ATTRIBUTE born DATE").unwrap();
    wire.execute("DEFINE ATTRIBUTE seen TIMESTAMP").unwrap();
    wire.execute("DEFINE ATTRIBUTE spend DECIMAL(2)").unwrap();
    wire.execute("DEFINE ATTRIBUTE notes TEXT").unwrap();
    let users = (0..2_000).map(|number| Mutation::Set {
        user: format!("u{number}"),
        values: vec![("age".to_owned(), Datum::Integer(number % 90))],
    });
    wire.write(None, users.collect()).unwrap();
}

fn check_healthy(server: &mut ServerProcess, attack: &str) {
    assert!(server.is_running(), "the server ended during: {attack}");
    let mut wire =
        Wire::connect(server.address()).unwrap_or_else(|error| panic!("after {attack}: {error:?}"));
    assert_eq!(wire.count("age < 45").unwrap(), 1_010, "after {attack}");
}

#[test]
fn no_bytes_stop_the_server_or_make_it_grow() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = ServerProcess::start_with(directory.path(), &FLAGS);
    let mut honest = Wire::connect(server.address()).unwrap();
    populate(&mut honest);
    check_healthy(&mut server, "nothing");
    let before = resident_bytes(server.process()).unwrap();
    for Attack { name, run } in attacks() {
        let leftovers = run(server.address());
        // While the attackers are still connected, as far as they are.
        honest
            .ping()
            .unwrap_or_else(|error| panic!("during {name}: {error:?}"));
        assert_eq!(honest.count("age < 45").unwrap(), 1_010, "during {name}");
        drop(leftovers);
        check_healthy(&mut server, name);
        let now = resident_bytes(server.process()).unwrap();
        assert!(
            now < before + GROWTH_BYTES_MAX,
            "{name}: {before} bytes have become {now}"
        );
    }
    drop(honest);
    let (status, log) = server.stop();
    assert!(status.success(), "{status}");
    assert!(!log.contains("panicked"), "{log}");
}
