//! The server as a process: what it reads, what it refuses, how it stops, and what is there
//! afterwards.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{fs, path::Path, process::Command};

use nix::sys::signal::Signal;
use tessera_protocol::message::{ClientMessage, FailureCode, Mutation, RequestBody, ServerMessage};
use tessera_tests::{
    server_process::{ServerProcess, bare_command, command},
    wire::{Wire, WireError, write_body},
};

/// The words of a server that does not start with this command.
fn refused(command: Command) -> (Option<i32>, String) {
    match ServerProcess::spawn(command) {
        Ok(_) => panic!("the server started"),
        Err(failure) => (failure.status.code(), failure.log),
    }
}

#[test]
fn flags_environment_and_file_are_read_and_typos_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tessera.toml");
    let store = directory.path().join("store");
    fs::write(
        &file,
        format!("data_dir = {store:?}\nlisten = \"127.0.0.1:0\"\n[limits]\nmutations_max = 3\n"),
    )
    .unwrap();

    let mut from_file = bare_command();
    from_file
        .arg("--config")
        .arg(&file)
        .env("TESSERA_LIMITS_DEPTH_MAX", "5")
        .args(["--limits-leaves-max", "2"]);
    let server = ServerProcess::spawn(from_file).unwrap();
    let mut wire = Wire::connect(server.address()).unwrap();
    let ensure = |count: u32| {
        (0..count)
            .map(|number| Mutation::Ensure {
                user: format!("u{number}"),
            })
            .collect()
    };
    wire.write(None, ensure(3)).unwrap();
    let limited = [
        wire.write(None, ensure(4)),
        wire.execute("COUNT ((((((ALL))))))"),
        wire.execute("COUNT ALL OR ALL OR ALL"),
    ];
    for outcome in limited {
        assert_eq!(outcome.unwrap_err().code(), FailureCode::LimitExceeded);
    }
    let (status, _) = server.stop();
    assert!(status.success(), "{status}");

    let check = |prepare: &dyn Fn(&mut Command), words: &[&str]| {
        let mut command = bare_command();
        prepare(&mut command);
        let (status, log) = refused(command);
        assert_eq!(status, Some(2), "{log}");
        words
            .iter()
            .for_each(|word| assert!(log.contains(word), "{word} is not in: {log}"));
    };
    fs::write(&file, format!("data_dir = {store:?}\nport = 1\n")).unwrap();
    check(
        &|command| {
            command.arg("--config").arg(&file);
        },
        &["port"],
    );
    check(
        &|command| {
            command
                .arg("--data-dir")
                .arg(&store)
                .env("TESSERA_LISTN", "x");
        },
        &["TESSERA_LISTN"],
    );
    check(
        &|command| {
            command.arg("--data-dir").arg(&store).args(["--listn", "x"]);
        },
        &["--listn"],
    );
    check(&|_| {}, &["data"]);
}

#[test]
fn a_second_server_on_a_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = ServerProcess::start(directory.path());
    let (status, log) = refused(command(directory.path()));
    assert_eq!(status, Some(1), "{log}");
    let path = directory.path().display().to_string();
    assert!(log.contains(&path) && log.contains("in use"), "{log}");
    Wire::connect(first.address()).unwrap().ping().unwrap();
    first.kill();
    ServerProcess::start(directory.path());
}

#[test]
fn an_address_that_is_taken_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = ServerProcess::start(&directory.path().join("one"));
    let mut second = bare_command();
    second
        .arg("--data-dir")
        .arg(directory.path().join("two"))
        .arg("--listen")
        .arg(first.address().to_string());
    let (status, log) = refused(second);
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains(&first.address().to_string()), "{log}");
}

#[test]
fn a_data_directory_that_is_a_file_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let not_a_directory = directory.path().join("file");
    fs::write(&not_a_directory, "mine").unwrap();
    let (status, log) = refused(command(&not_a_directory));
    assert_eq!(status, Some(1), "{log}");
    assert_eq!(fs::read_to_string(&not_a_directory).unwrap(), "mine");
}

/// Everything that a client can learn of a small world.
fn portrait_of_all(wire: &mut Wire) -> String {
    let questions = [
        "SEGMENT ALL RETURN TAGS, age, hobbies, signup ORDER BY KEY",
        "SHOW TAGS",
        "SHOW GROUPS",
        "SHOW ATTRIBUTES",
        "SHOW SEGMENTS",
        "SHOW VALUES OF hobbies",
        "DIMENSION group:stage",
        "PORTRAIT u1",
    ];
    questions
        .map(|question| format!("{:?}", wire.execute(question).unwrap().rows))
        .join("\n")
}

#[test]
fn everything_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start_with(directory.path(), &["--partitions", "5"]);
    let mut wire = Wire::connect(server.address()).unwrap();
    for statement in [
        "DEFINE GROUP stage EXCLUSIVE DESCRIPTION \"where they stand\"",
        "DEFINE TAG new IN GROUP stage OWNER crm",
        "DEFINE TAG old IN GROUP stage",
        "DEFINE ATTRIBUTE age INTEGER",
        "DEFINE ATTRIBUTE hobbies MULTI",
        "DEFINE ATTRIBUTE signup DATE WRITE ONCE",
        "SAVE SEGMENT adults AS age >= 18",
        "TAG u1, u2 WITH new",
        "TAG u2 WITH old",
        "SET u1 age = 20, hobbies = (golf, chess), signup = 2026-01-05",
        "SET u3 age = 7",
        "DELETE USER u2",
    ] {
        wire.execute(statement)
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let before = portrait_of_all(&mut wire);
    drop(wire);
    let (status, log) = server.stop();
    assert!(status.success(), "{status}: {log}");
    // The number of partitions is the store's, whatever the flag says.
    let server = ServerProcess::start_with(directory.path(), &["--partitions", "5"]);
    let mut wire = Wire::connect(server.address()).unwrap();
    assert_eq!(portrait_of_all(&mut wire), before);
    assert_eq!(wire.count("segment:adults").unwrap(), 1);
}

#[test]
fn a_stopping_server_ends_what_it_began_and_begins_nothing_more() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path());
    let mut wire = Wire::connect(server.address()).unwrap();
    wire.execute("DEFINE TAG vip").unwrap();
    let requests: u64 = 40;
    for request in 0..requests {
        let users = (0..200).map(|user| Mutation::Tag {
            user: format!("{request}-{user}"),
            tags: vec!["vip".into()],
        });
        wire.ask(write_body(None, users.collect())).unwrap();
    }
    // The first answer says that the server is at it.
    let mut done = u64::from(matches!(wire.receive(), Ok(ServerMessage::End { .. })));
    assert_eq!(done, 1);
    server.signal(Signal::SIGTERM);
    let mut refused = 0;
    let mut late_asked = false;
    loop {
        match wire.receive() {
            Ok(ServerMessage::End { .. }) => done += 1,
            Ok(ServerMessage::Failed { failure, .. }) => {
                assert_eq!(failure.code, FailureCode::Closing);
                refused += 1;
            }
            Ok(ServerMessage::Closing) => {
                // Too late: refused, or the connection is gone before it is read.
                late_asked = wire.ask(RequestBody::Ping).is_ok();
            }
            Ok(other) => panic!("{other:?}"),
            Err(WireError::Lost(_)) => break,
            Err(WireError::Refused(failure)) => panic!("{failure:?}"),
        }
    }
    let (status, log) = server.wait();
    assert!(status.success(), "{status}: {log}");
    assert!(
        done + refused >= requests && refused <= requests + u64::from(late_asked),
        "{done} done, {refused} refused"
    );
    check_users(directory.path(), done.min(requests) * 200);
}

fn check_users(store: &Path, expected: u64) {
    let server = ServerProcess::start(store);
    let mut wire = Wire::connect(server.address()).unwrap();
    assert_eq!(
        wire.count("tag:vip").unwrap(),
        i64::try_from(expected).expect("few")
    );
    assert_eq!(
        wire.count("ALL").unwrap(),
        i64::try_from(expected).expect("few")
    );
    wire.send(&ClientMessage::Goodbye).unwrap();
    assert!(
        matches!(wire.receive(), Err(WireError::Lost(_))),
        "a goodbye ends the connection"
    );
}
