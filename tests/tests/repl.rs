//! The REPL on a real terminal: `script` of util-linux gives the program one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

use std::{
    io::Write,
    net::SocketAddr,
    process::{Command, Stdio},
};

use tessera_tests::{programs, server_process::ServerProcess, wire::Wire};

/// Types lines at the prompt and gives all that the terminal showed, or nothing where there is
/// no `script`.
fn type_lines(server: SocketAddr, home: &std::path::Path, lines: &[&str]) -> Option<String> {
    let program = format!("{} --connect {server}", programs::client().display());
    let child = Command::new("script")
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &program,
            "/dev/null",
        ])
        .env("TERM", "xterm")
        .env("HOME", home)
        .env("XDG_DATA_HOME", home)
        .env("XDG_STATE_HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: there is no `script` program (Debian: bsdutils)");
        return None;
    };
    let mut keyboard = child.stdin.take().expect("piped");
    for line in lines {
        keyboard.write_all(line.as_bytes()).expect("typed");
        keyboard.write_all(b"\r").expect("typed");
    }
    // The end of typing: `script` waits for it.
    drop(keyboard);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_session_on_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(&directory.path().join("store"));
    let mut wire = Wire::connect(server.address()).unwrap();
    wire.execute("DEFINE TAG vip").unwrap();
    wire.execute("DEFINE ATTRIBUTE age INTEGER").unwrap();
    wire.execute("SET a age = 12345").unwrap();
    wire.execute("TAG a, b, c WITH vip").unwrap();
    let lines = [
        "COUNT tag:vip;",
        // A statement over two lines.
        "SEGMENT user:a",
        "  RETURN age;",
        "COUNT tag:vipp;",
        "\\timing on",
        "\\format csv",
        "COUNT ALL;",
        "\\help count",
        "\\quit",
    ];
    let Some(shown) = type_lines(server.address(), directory.path(), &lines) else {
        return;
    };
    for part in [
        "3",
        "12",
        "345",
        "did you mean",
        "count\r\n3",
        "How many users",
    ] {
        assert!(shown.contains(part), "{part} is not in:\n{shown}");
    }
}
