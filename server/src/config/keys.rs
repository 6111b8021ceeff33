//! Every key by name: from here come the flags, the variables of the environment and the check
//! that the documentation names them all.

/// One key of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its place in the file: `limits.frame_bytes_max` is `frame_bytes_max` in `[limits]`.
    pub path: &'static str,
    /// Another name of its flag.
    pub alias: Option<&'static str>,
    /// How its value is read from a text.
    pub shape: Shape,
    /// What the flag's value is called in the help text.
    pub placeholder: &'static str,
    /// What it is, in one line.
    pub help: &'static str,
}

/// How a value is read from a flag or a variable, which have only texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As it stands.
    Text,
    /// A whole number.
    Number,
}

const fn text(path: &'static str, placeholder: &'static str, help: &'static str) -> Key {
    Key {
        path,
        alias: None,
        shape: Shape::Text,
        placeholder,
        help,
    }
}

const fn size(path: &'static str, help: &'static str) -> Key {
    Key {
        path,
        alias: None,
        shape: Shape::Text,
        placeholder: "SIZE",
        help,
    }
}

const fn count(path: &'static str, help: &'static str) -> Key {
    Key {
        path,
        alias: None,
        shape: Shape::Number,
        placeholder: "N",
        help,
    }
}

const fn time(path: &'static str, help: &'static str) -> Key {
    Key {
        path,
        alias: None,
        shape: Shape::Number,
        placeholder: "MS",
        help,
    }
}

/// All keys, in the order of the documentation.
pub const KEYS: &[Key] = &[
    text(
        "data_dir",
        "DIR",
        "The directory of the store; created when it is not there",
    ),
    text(
        "listen",
        "ADDR",
        "Address and port to listen on; port 0 picks a free one",
    ),
    Key {
        alias: Some("memory"),
        ..size("memory_bytes", "Memory for cached bitmaps and columns")
    },
    count("threads", "Threads that evaluate queries"),
    count(
        "partitions",
        "Parts the users are spread over; fixed when the database is created",
    ),
    text(
        "durability",
        "WHEN",
        "What a write waits for: fsync or os-buffered",
    ),
    time(
        "shutdown_grace_ms",
        "How long requests under way may take when the server stops",
    ),
    text(
        "clock",
        "TIME",
        "system, or the moment at which the time of day stands still",
    ),
    text(
        "log.format",
        "FORMAT",
        "How a line of the log looks: text or json",
    ),
    text(
        "log.level",
        "LEVEL",
        "error, warn, info, debug, trace, or directives by module",
    ),
    time(
        "log.slow_request_ms",
        "Requests that take longer are logged as warnings; 0 for never",
    ),
    text(
        "labels.name_pattern",
        "PATTERN",
        "What new names of tags and groups match, as in crm-*|web-*; empty for any",
    ),
    count(
        "labels.name_length_max",
        "The longest new name of a tag, a group or an attribute, in characters",
    ),
    count("labels.tags_max", "The most tags"),
    count("labels.groups_max", "The most tag groups"),
    count("labels.attributes_max", "The most attributes"),
    count("labels.group_tags_max", "The most tags of one tag group"),
    size(
        "limits.frame_bytes_max",
        "The longest frame taken from a client, and the longest sent",
    ),
    count("limits.connections_max", "Connections at once"),
    count(
        "limits.requests_in_flight_max",
        "Requests under way at once on one connection",
    ),
    size(
        "limits.request_bytes_in_flight_max",
        "Bytes of all requests under way together",
    ),
    time(
        "limits.handshake_timeout_ms",
        "Time a new connection has to say hello",
    ),
    time(
        "limits.idle_timeout_ms",
        "Time a connection may lie without a request",
    ),
    time(
        "limits.request_timeout_ms",
        "Time a request may take, whatever deadline it asks for",
    ),
    time(
        "limits.stall_timeout_ms",
        "Time a client may leave answers unread or without credit",
    ),
    size(
        "limits.statement_bytes_max",
        "The longest text of a statement",
    ),
    count("limits.depth_max", "The deepest nesting of an expression"),
    count(
        "limits.leaves_max",
        "The most leaves of a statement's expressions",
    ),
    count(
        "limits.list_len_max",
        "The longest list between commas in a statement",
    ),
    count(
        "limits.mutations_max",
        "The most mutations of one write, and the most rows or events of one load",
    ),
    count(
        "limits.statements_running_max",
        "Statements that run at once",
    ),
    count(
        "limits.writes_running_max",
        "Writes that wait for the disk at once",
    ),
    count(
        "limits.streams_waiting_max",
        "Streams that may wait for their clients at once",
    ),
    count("limits.message_rows_max", "The most rows of one message"),
    size(
        "limits.message_bytes_max",
        "The size at which a message of rows is sent",
    ),
    size(
        "limits.outgoing_bytes_max",
        "Bytes of answers that wait for one connection's client",
    ),
];

/// Where the server's variables begin.
pub const ENV_PREFIX: &str = "TESSERA_";

/// The variable that names the configuration file.
pub const CONFIG_ENV: &str = "TESSERA_CONFIG";

/// Variables with the server's prefix that belong to the `tessera` program, the tests and the
/// demo. The server leaves them alone.
pub const FOREIGN_ENV: &[&str] = &[
    "TESSERA_CONNECT",
    "TESSERA_FORMAT",
    "TESSERA_HISTORY",
    "TESSERA_BIN",
    "TESSERA_BLESS",
];

/// Variables that begin so are for tests and benchmarks. The server leaves them alone.
pub const FOREIGN_ENV_PREFIXES: &[&str] = &[
    "TESSERA_TEST_",
    "TESSERA_BENCH_",
    "TESSERA_MODEL_",
    "TESSERA_SHARED_",
];

impl Key {
    /// The variable of the environment: `TESSERA_LIMITS_FRAME_BYTES_MAX`.
    pub fn env(&self) -> String {
        format!("{ENV_PREFIX}{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The flag without its dashes: `limits-frame-bytes-max`.
    pub fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Config;
    use super::*;

    fn paths(prefix: &str, table: &toml::Table, out: &mut BTreeSet<String>) {
        for (name, value) in table {
            let path = format!("{prefix}{name}");
            match value.as_table() {
                Some(inner) => paths(&format!("{path}."), inner, out),
                None => {
                    out.insert(path);
                }
            }
        }
    }

    #[test]
    fn the_keys_are_the_fields_of_the_configuration() -> Result<(), toml::ser::Error> {
        let mut fields = BTreeSet::new();
        paths(
            "",
            &toml::Table::try_from(Config::new("data"))?,
            &mut fields,
        );
        let keys: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        assert_eq!(fields, keys);
        Ok(())
    }

    #[test]
    fn no_two_keys_share_a_flag_or_a_variable() {
        let variables: BTreeSet<_> = KEYS.iter().map(Key::env).collect();
        let flags: BTreeSet<_> = KEYS.iter().map(Key::flag).collect();
        assert_eq!(variables.len(), KEYS.len());
        assert_eq!(flags.len(), KEYS.len());
        assert!(!variables.contains(CONFIG_ENV));
        assert!(FOREIGN_ENV.iter().all(|name| !variables.contains(*name)));
    }

    /// Whoever uses both programs in one shell has the variables of both.
    #[test]
    fn variables_of_the_client_program_are_left_alone() {
        let sources = [
            include_str!("../../../client/src/cli/args.rs"),
            include_str!("../../../client/src/cli/repl/history.rs"),
        ];
        let named: BTreeSet<_> = sources
            .iter()
            .flat_map(|source| source.split('"').skip(1).step_by(2))
            .filter(|text| text.starts_with(ENV_PREFIX))
            .collect();
        assert!(named.len() >= 3, "{named:?}");
        for name in named {
            assert!(FOREIGN_ENV.contains(&name), "the server refuses {name}");
        }
    }

    #[test]
    fn the_documentation_names_every_key() {
        let page = include_str!("../../../docs/configuration.md");
        for key in KEYS {
            for name in [
                format!("`{}`", key.path),
                key.env(),
                format!("--{}", key.flag()),
            ] {
                assert!(
                    page.contains(&name),
                    "docs/configuration.md does not name {name}"
                );
            }
        }
        for name in FOREIGN_ENV
            .iter()
            .chain(FOREIGN_ENV_PREFIXES)
            .chain([&CONFIG_ENV])
        {
            assert!(
                page.contains(name),
                "docs/configuration.md does not name {name}"
            );
        }
    }
}
