//! The names that are defined on the server, remembered for a moment.
//!
//! Knows how to ask for them, and that an editor must never wait. Does not know where names
//! stand in a statement.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tessera_query_lang::NameKind;
use tokio::runtime::Handle;

use super::command::quoted;
use super::complete::Names;
use crate::cli::session::{Answer, Datum, Session};

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(5);
/// How long an editor waits: more would be felt.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a server that did not answer is left alone.
const SULK: Duration = Duration::from_secs(3);
/// Names that are asked for at once.
const NAMES_MAX: usize = 200;
/// Questions that are remembered.
const REMEMBERED_MAX: usize = 256;

/// The names.
pub(crate) struct Catalog {
    session: Session,
    handle: Handle,
    remembered: HashMap<String, (Instant, Vec<String>)>,
    /// Until when nothing is asked.
    silent_until: Option<Instant>,
}

impl Catalog {
    /// The names of a server.
    pub(crate) fn new(session: Session, handle: Handle) -> Self {
        Self {
            session,
            handle,
            remembered: HashMap::new(),
            silent_until: None,
        }
    }

    /// Asks this server from now on. A statement may also have changed what is defined.
    pub(crate) fn turn_to(&mut self, session: &Session) {
        self.session = session.clone();
        self.remembered.clear();
        self.silent_until = None;
    }

    fn ask(&mut self, statement: String) -> Vec<String> {
        let now = Instant::now();
        if let Some((asked, names)) = self.remembered.get(&statement)
            && now.duration_since(*asked) < FRESH
        {
            return names.clone();
        }
        if self.silent_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        let asking =
            async { tokio::time::timeout(PATIENCE, self.session.collect(&statement)).await };
        let answer = self.handle.block_on(asking);
        let names = match answer {
            Ok(Ok(answer)) => names_of(&answer),
            // Refused: there is nothing of that name.
            Ok(Err(error)) if error.status() != crate::cli::error::EXIT_CONNECTION => Vec::new(),
            Ok(Err(_)) | Err(_) => {
                self.silent_until = Some(now + SULK);
                return Vec::new();
            }
        };
        if self.remembered.len() >= REMEMBERED_MAX {
            self.remembered.clear();
        }
        self.remembered.insert(statement, (now, names.clone()));
        names
    }
}

impl Names for Catalog {
    fn names(&mut self, kind: NameKind, prefix: &str) -> Vec<String> {
        let what = match kind {
            NameKind::Tag => "TAGS",
            NameKind::Group => "GROUPS",
            NameKind::Attribute => "ATTRIBUTES",
            NameKind::Segment => "SEGMENTS",
            NameKind::Event => "EVENTS",
            NameKind::Form => "FORMS",
            // Which event's or form's is not known here.
            NameKind::Property | NameKind::Field => return Vec::new(),
        };
        self.ask(format!("SHOW {what}{} LIMIT {NAMES_MAX}", like(prefix)))
    }

    fn values(&mut self, attribute: &str, prefix: &str) -> Vec<String> {
        self.ask(format!(
            "SHOW VALUES OF {}{} LIMIT {NAMES_MAX}",
            quoted(attribute),
            like(prefix)
        ))
    }
}

fn like(prefix: &str) -> String {
    if prefix.is_empty() {
        String::new()
    } else {
        format!(" LIKE {}", quoted(&format!("{prefix}*")))
    }
}

fn names_of(answer: &Answer) -> Vec<String> {
    let column = answer
        .column("name")
        .or_else(|| answer.column("value"))
        .unwrap_or(0);
    answer
        .rows
        .iter()
        .filter_map(|row| text_of(row.get(column)?))
        .collect()
}

fn text_of(value: &Datum) -> Option<String> {
    match value {
        Datum::Text(text) => Some(text.clone()),
        Datum::Null
        | Datum::Boolean(_)
        | Datum::Integer(_)
        | Datum::Decimal { .. }
        | Datum::Real(_)
        | Datum::Date(_)
        | Datum::Timestamp(_)
        | Datum::List(_) => None,
    }
}
