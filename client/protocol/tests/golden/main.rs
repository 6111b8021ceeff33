//! The bytes of every message, kept in a file: a change of the format cannot go unnoticed.
//! `docs/protocol.md` shows some of them, and is checked here too.
//!
//! `TESSERA_BLESS=1 cargo test -p tessera-protocol --release --test golden` writes the file anew.

mod client;
mod loads;
mod said;
mod server;

use std::{collections::BTreeMap, error::Error, fmt::Write as _, fs, path::PathBuf};

use tessera_protocol::{
    load::{EventColumn, LoadColumn, NumberForm},
    message::*,
};

use crate::{
    client::{client_messages, mutations},
    loads::{event_loads, loads},
    said::Said,
    server::{server_messages, small_enums, values},
};

type Outcome = Result<(), Box<dyn Error>>;

fn messages() -> Result<Vec<(String, Said)>, Box<dyn Error>> {
    Ok([
        client_messages(),
        mutations(),
        server_messages(),
        values(),
        small_enums(),
        loads()?,
        event_loads()?,
    ]
    .concat())
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/messages.txt")
}

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md")
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: String = text.split_whitespace().collect();
    if !digits.len().is_multiple_of(2) || !digits.is_ascii() {
        return Err(format!("odd hex: {text}").into());
    }
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).map_err(Into::into);
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The file's entries: a name, a space and the bytes in hex.
fn golden() -> Result<BTreeMap<String, Vec<u8>>, Box<dyn Error>> {
    let mut entries = BTreeMap::new();
    for line in fs::read_to_string(file())?
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (name, hex) = line
            .split_once(' ')
            .ok_or_else(|| format!("no bytes in: {line}"))?;
        entries.insert(name.to_owned(), from_hex(hex)?);
    }
    Ok(entries)
}

fn bless() -> Outcome {
    let mut text = String::from(
        "# The bytes of messages of protocol versions 1 to 4, without the frame's length.\n",
    );
    for (name, said) in messages()? {
        writeln!(text, "{name} {}", to_hex(&said.bytes()?))?;
    }
    Ok(fs::write(file(), text)?)
}

#[test]
fn every_message_has_the_bytes_it_always_had() -> Outcome {
    if std::env::var_os("TESSERA_BLESS").is_some() {
        bless()?;
    }
    let golden = golden()?;
    let messages = messages()?;
    for (name, said) in &messages {
        let kept = golden
            .get(name)
            .ok_or_else(|| format!("{name} is not in the file"))?;
        assert_eq!(to_hex(&said.bytes()?), to_hex(kept), "{name} to bytes");
        assert_eq!(&said.read_like(kept)?, said, "{name} from bytes");
    }
    assert_eq!(
        golden.len(),
        messages.len(),
        "the file has messages that nobody knows"
    );
    Ok(())
}

/// Where each variant stands; a new one does not compile until it is counted here.
#[test]
fn every_variant_is_among_the_messages() -> Outcome {
    let mut seen = std::collections::BTreeSet::new();
    for (_, said) in messages()? {
        match said {
            Said::Client(message) => see_client(&message, &mut |name| {
                seen.insert(name);
            }),
            Said::Server(message) => see_server(&message, &mut |name| {
                seen.insert(name);
            }),
        }
    }
    // 5 from clients, 5 bodies, 9 mutations, 9 columns, 2 of events, 9 values, 8 from servers.
    assert_eq!(seen.len(), 5 + 5 + 9 + 9 + 2 + 9 + 8, "{seen:?}");
    Ok(())
}

fn see_client(message: &ClientMessage, see: &mut dyn FnMut(&'static str)) {
    match message {
        ClientMessage::Hello(_) => see("hello"),
        ClientMessage::Credit { .. } => see("credit"),
        ClientMessage::Cancel { .. } => see("cancel"),
        ClientMessage::Goodbye => see("goodbye"),
        ClientMessage::Request(request) => {
            see("request");
            match &request.body {
                RequestBody::Ping => see("ping"),
                RequestBody::Execute { .. } => see("execute"),
                RequestBody::Write { mutations, .. } => {
                    see("write");
                    mutations
                        .iter()
                        .for_each(|mutation| see(mutation_name(mutation)));
                }
                RequestBody::Load { rows, .. } => {
                    see("load");
                    rows.columns
                        .iter()
                        .for_each(|column| see(column_name(column)));
                }
                RequestBody::LoadEvents { rows, .. } => {
                    see("load of events");
                    for column in &rows.columns {
                        see(match column {
                            EventColumn::Coded { .. } => "coded property",
                            EventColumn::Numbers { .. } => "number property",
                        });
                    }
                }
            }
        }
    }
}

fn column_name(column: &LoadColumn) -> &'static str {
    match column {
        LoadColumn::Coded { .. } => "coded column",
        LoadColumn::Numbers { form, .. } => match form {
            NumberForm::Integer => "integer column",
            NumberForm::Decimal { .. } => "decimal column",
            NumberForm::Date => "date column",
            NumberForm::Timestamp => "timestamp column",
        },
        LoadColumn::Tags { .. } => "tag column",
        LoadColumn::Holdings { .. } => "holding column",
        LoadColumn::Added { .. } => "added column",
        LoadColumn::Taken { .. } => "taken column",
    }
}

fn mutation_name(mutation: &Mutation) -> &'static str {
    match mutation {
        Mutation::Ensure { .. } => "ensure",
        Mutation::Tag { .. } => "tag",
        Mutation::Untag { .. } => "untag",
        Mutation::Set { .. } => "set",
        Mutation::Add { .. } => "add",
        Mutation::Remove { .. } => "remove",
        Mutation::DeleteUser { .. } => "delete user",
        Mutation::Hold { .. } => "hold",
        Mutation::Track(_) => "track",
    }
}

fn see_server(message: &ServerMessage, see: &mut dyn FnMut(&'static str)) {
    match message {
        ServerMessage::Welcome(_) => see("welcome"),
        ServerMessage::Refused(_) => see("refused"),
        ServerMessage::Header { .. } => see("header"),
        ServerMessage::End { .. } => see("end"),
        ServerMessage::Failed { .. } => see("failed"),
        ServerMessage::Closing => see("closing"),
        ServerMessage::Keys { .. } => see("keys"),
        ServerMessage::Rows { rows, .. } => {
            see("rows");
            rows.iter()
                .flatten()
                .for_each(|value| see(value_name(value)));
        }
    }
}

fn value_name(value: &Datum) -> &'static str {
    match value {
        Datum::Null => "null",
        Datum::Boolean(_) => "boolean",
        Datum::Integer(_) => "integer",
        Datum::Decimal { .. } => "decimal",
        Datum::Real(_) => "real",
        Datum::Text(_) => "text",
        Datum::Date(_) => "date",
        Datum::Timestamp(_) => "timestamp",
        Datum::List(_) => "list",
    }
}

/// A block of the page: ```` ```hex name ```` for a message, ```` ```hex frame name ```` with the
/// frame's length before it. What follows a `#` in a line is for people.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in page.lines() {
        if let Some((name, hex)) = &mut open {
            if line.trim() == "```" {
                blocks.push((name.clone(), hex.clone()));
                open = None;
            } else {
                hex.push_str(line.split('#').next().unwrap_or_default());
                hex.push(' ');
            }
        } else if let Some(name) = line.trim().strip_prefix("```hex ") {
            open = Some((name.trim().to_owned(), String::new()));
        }
    }
    blocks
}

#[test]
fn the_page_shows_the_same_bytes() -> Outcome {
    let golden = golden()?;
    let blocks = blocks(&fs::read_to_string(page())?);
    for (name, hex) in &blocks {
        let shown = from_hex(hex).map_err(|error| format!("{name}: {error}"))?;
        let (entry, is_frame) = match name.strip_prefix("frame ") {
            Some(entry) => (entry, true),
            None => (name.as_str(), false),
        };
        let kept = golden
            .get(entry)
            .ok_or_else(|| format!("the page shows {entry}, unknown"))?;
        let length = u32::try_from(kept.len())?.to_le_bytes();
        let expected = if is_frame {
            [&length[..], kept].concat()
        } else {
            kept.clone()
        };
        assert_eq!(to_hex(&shown), to_hex(&expected), "{name}");
    }
    for (name, _) in client_messages()
        .iter()
        .chain(&mutations())
        .chain(&loads()?)
        .chain(&event_loads()?)
        .chain(&server_messages())
    {
        let is_shown = blocks
            .iter()
            .any(|(shown, _)| shown.trim_start_matches("frame ") == name);
        assert!(is_shown, "the page does not show {name}");
    }
    Ok(())
}

/// The page's table of failure codes has every code under its number.
#[test]
fn the_page_lists_every_failure_code() -> Outcome {
    let page = fs::read_to_string(page())?;
    for (name, said) in small_enums() {
        let (Some(code), Said::Server(ServerMessage::Failed { failure, .. })) =
            (name.strip_prefix("code-"), said)
        else {
            continue;
        };
        let row = format!("| {} | `{code}` |", failure.code as u32);
        assert!(page.contains(&row), "no row {row}");
    }
    Ok(())
}
