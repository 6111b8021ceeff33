//! The REPL on a real terminal: `script` of util-linux gives the program one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test stops at the first surprise"
)]

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use tessera_tests::{programs, server_process::ServerProcess, wire::Wire};

/// What the terminal is told each time the program begins to read a line.
const READING: &[u8] = b"\x1b[?2004h";
/// A prompt that does not come in this time does not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Types each line when the program reads one, and gives all that the terminal showed, or nothing
/// where there is no `script`.
fn type_lines(server: SocketAddr, home: &Path, lines: &[&str]) -> Option<String> {
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
    let screen = read_screen(child.stdout.take().expect("piped"));
    let mut shown = Vec::new();
    for (typed, line) in lines.iter().enumerate() {
        while prompts(&shown) <= typed {
            shown.extend(screen.recv_timeout(PATIENCE).expect("a prompt"));
        }
        keyboard.write_all(line.as_bytes()).expect("typed");
        keyboard.write_all(b"\r").expect("typed");
    }
    // The end of typing: `script` waits for it.
    drop(keyboard);
    let status = child.wait().expect("it ends");
    shown.extend(screen.iter().flatten());
    assert!(status.success(), "{status}");
    Some(String::from_utf8_lossy(&shown).into_owned())
}

fn prompts(shown: &[u8]) -> usize {
    shown
        .windows(READING.len())
        .filter(|window| *window == READING)
        .count()
}

fn read_screen(mut screen: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = screen.read(&mut chunk) {
            if sender.send(chunk[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
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
        "SEGMENT user:(a,\r  b) RETURN age;",
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
