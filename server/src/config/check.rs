//! The bounds of every key.

use tessera_engine::schema::NameError;
use tessera_protocol::frame::FRAME_BYTES_LIMIT;

use super::{Config, LabelsConfig, LimitsConfig};

/// A day: no timeout is longer.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A key has a value of the right type that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfBounds {
    /// A number outside its bounds.
    #[error("`{key}` is {value}, but must lie between {min} and {max}")]
    Number {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// No address and port.
    #[error("`listen` is `{0}`, but must be an address and a port, as in 127.0.0.1:7700")]
    Listen(String),
    /// No patterns of names.
    #[error(
        "`labels.name_pattern` is `{pattern}`, which has no patterns with `|` between them: {error}"
    )]
    NamePattern {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        error: NameError,
    },
    /// Nothing to store in.
    #[error("`data_dir` is empty")]
    DataDir,
}

/// A key, its value, the least and the most allowed.
type Number = (&'static str, u64, u64, u64);

/// Every number, with its bounds.
fn numbers(config: &Config) -> Vec<Number> {
    let mut numbers = vec![
        ("memory_bytes", config.memory_bytes.0, 1 << 20, 1 << 50),
        ("threads", config.threads as u64, 1, 1_024),
        ("partitions", config.partitions.into(), 1, 4_096),
        ("shutdown_grace_ms", config.shutdown_grace_ms, 0, DAY_MS),
        ("log.slow_request_ms", config.log.slow_request_ms, 0, DAY_MS),
    ];
    numbers.extend(labels(&config.labels));
    numbers.extend(sizes(&config.limits));
    numbers.extend(times(&config.limits));
    numbers.extend(counts(&config.limits));
    numbers
}

fn labels(labels: &LabelsConfig) -> impl Iterator<Item = Number> {
    [
        ("labels.name_length_max", labels.name_length_max, 256),
        ("labels.tags_max", labels.tags_max, 10_000_000),
        ("labels.groups_max", labels.groups_max, 1_000_000),
        ("labels.attributes_max", labels.attributes_max, 1_000_000),
        ("labels.group_tags_max", labels.group_tags_max, 10_000_000),
    ]
    .into_iter()
    .map(|(key, value, max)| (key, value.into(), 1, max))
}

fn sizes(limits: &LimitsConfig) -> [Number; 5] {
    let frame = u64::from(FRAME_BYTES_LIMIT);
    let (own_frame, requests) = (
        limits.frame_bytes_max.0,
        limits.request_bytes_in_flight_max.0,
    );
    let outgoing = limits.outgoing_bytes_max.0;
    [
        ("limits.frame_bytes_max", own_frame, 4_096, frame),
        (
            "limits.request_bytes_in_flight_max",
            requests,
            own_frame,
            1 << 50,
        ),
        (
            "limits.statement_bytes_max",
            limits.statement_bytes_max.0,
            1,
            frame,
        ),
        (
            "limits.message_bytes_max",
            limits.message_bytes_max.0,
            1,
            frame,
        ),
        (
            "limits.outgoing_bytes_max",
            outgoing,
            4_096,
            u32::MAX.into(),
        ),
    ]
}

fn times(limits: &LimitsConfig) -> [Number; 4] {
    [
        (
            "limits.handshake_timeout_ms",
            limits.handshake_timeout_ms,
            1,
            DAY_MS,
        ),
        ("limits.idle_timeout_ms", limits.idle_timeout_ms, 1, DAY_MS),
        (
            "limits.request_timeout_ms",
            limits.request_timeout_ms,
            1,
            DAY_MS,
        ),
        (
            "limits.stall_timeout_ms",
            limits.stall_timeout_ms,
            1,
            DAY_MS,
        ),
    ]
}

fn counts(limits: &LimitsConfig) -> impl Iterator<Item = Number> {
    [
        ("limits.connections_max", limits.connections_max, 1 << 20),
        (
            "limits.requests_in_flight_max",
            limits.requests_in_flight_max,
            1 << 16,
        ),
        // A thread's stack holds so many levels of the parser; see the language's own limits.
        ("limits.depth_max", limits.depth_max, 100),
        ("limits.leaves_max", limits.leaves_max, 10_000_000),
        ("limits.list_len_max", limits.list_len_max, 10_000_000),
        ("limits.mutations_max", limits.mutations_max, 10_000_000),
        (
            "limits.statements_running_max",
            limits.statements_running_max,
            4_096,
        ),
        (
            "limits.writes_running_max",
            limits.writes_running_max,
            4_096,
        ),
        (
            "limits.streams_waiting_max",
            limits.streams_waiting_max,
            4_096,
        ),
        (
            "limits.message_rows_max",
            limits.message_rows_max,
            1_000_000,
        ),
    ]
    .into_iter()
    .map(|(key, value, max)| (key, value.into(), 1, max))
}

impl Config {
    /// Whether every value lies within its bounds.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        if self.data_dir.as_os_str().is_empty() {
            return Err(OutOfBounds::DataDir);
        }
        let port = self
            .listen
            .rsplit_once(':')
            .map(|(host, port)| (host, port.parse::<u16>()));
        if !matches!(port, Some((host, Ok(_))) if !host.is_empty()) {
            return Err(OutOfBounds::Listen(self.listen.clone()));
        }
        self.labels
            .naming()
            .map_err(|error| OutOfBounds::NamePattern {
                pattern: self.labels.name_pattern.clone(),
                error,
            })?;
        numbers(self)
            .into_iter()
            .find(|(_, value, min, max)| value < min || value > max)
            .map_or(Ok(()), |(key, value, min, max)| {
                Err(OutOfBounds::Number {
                    key,
                    value,
                    min,
                    max,
                })
            })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ByteSize, keys::KEYS};
    use super::*;

    #[test]
    fn the_defaults_lie_within_their_bounds() {
        assert_eq!(Config::new("data").check(), Ok(()));
    }

    #[test]
    fn every_number_has_bounds() {
        let config = Config::new("data");
        let bounded: Vec<_> = numbers(&config)
            .into_iter()
            .map(|number| number.0)
            .collect();
        let texts = [
            "data_dir",
            "listen",
            "durability",
            "clock",
            "log.format",
            "log.level",
            "labels.name_pattern",
        ];
        for key in KEYS {
            assert_ne!(
                bounded.contains(&key.path),
                texts.contains(&key.path),
                "{}",
                key.path
            );
        }
    }

    #[test]
    fn values_out_of_bounds_are_refused_by_name() {
        let check = |change: fn(&mut Config), expected: &str| {
            let mut config = Config::new("data");
            change(&mut config);
            let seen = config.check().map_err(|error| error.to_string());
            assert!(
                seen.as_ref().is_err_and(|text| text.starts_with(expected)),
                "{seen:?}"
            );
        };
        check(
            |config| config.threads = 0,
            "`threads` is 0, but must lie between 1 and 1024",
        );
        check(|config| config.partitions = 0, "`partitions` is 0");
        check(
            |config| config.memory_bytes = ByteSize(1),
            "`memory_bytes` is 1",
        );
        check(
            |config| config.listen = "7700".to_owned(),
            "`listen` is `7700`",
        );
        check(
            |config| config.listen = ":7700".to_owned(),
            "`listen` is `:7700`",
        );
        check(
            |config| config.listen = "host:99999".to_owned(),
            "`listen` is `host:99999`",
        );
        check(|config| config.data_dir = "".into(), "`data_dir` is empty");
        check(
            |config| config.labels.name_pattern = "a||b".to_owned(),
            "`labels.name_pattern` is `a||b`",
        );
        check(
            |config| config.labels.name_length_max = 257,
            "`labels.name_length_max` is 257, but must lie between 1 and 256",
        );
        check(
            |config| config.limits.depth_max = 101,
            "`limits.depth_max` is 101",
        );
        check(
            |config| config.limits.connections_max = 0,
            "`limits.connections_max` is 0",
        );
        check(
            |config| config.limits.frame_bytes_max = ByteSize::mib(65),
            "`limits.frame_bytes_max` is 68157440, but must lie between 4096 and 67108864",
        );
        check(
            |config| config.limits.request_bytes_in_flight_max = ByteSize::mib(1),
            "`limits.request_bytes_in_flight_max` is 1048576",
        );
    }
}
