#![expect(clippy::panic, reason = "a test may stop at the first surprise")]

use std::io::Write as _;

use tempfile::NamedTempFile;

use super::*;
use crate::config::{ByteSize, Durability, LogFormat};

fn loaded(
    flags: &[&str],
    variables: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Invocation, ConfigError> {
    let mut arguments: Vec<OsString> = vec!["tessera-server".into()];
    arguments.extend(flags.iter().map(Into::into));
    let kept = file.map(|text| {
        let mut file = NamedTempFile::new().unwrap_or_else(|error| panic!("{error}"));
        file.write_all(text.as_bytes())
            .unwrap_or_else(|error| panic!("{error}"));
        arguments.push("--config".into());
        arguments.push(file.path().into());
        file
    });
    let variables = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()));
    let outcome = load(arguments, variables);
    drop(kept);
    outcome
}

fn served(flags: &[&str], variables: &[(&str, &str)], file: Option<&str>) -> Config {
    match loaded(flags, variables, file) {
        Ok(Invocation::Serve(config)) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_beat_the_environment_and_that_the_file_and_that_the_defaults() {
    let file = "data_dir = 'f'\nthreads = 2\nlisten = '0.0.0.0:2'\n[limits]\nleaves_max = 2\n";
    let variables = [("TESSERA_DATA_DIR", "e"), ("TESSERA_THREADS", "3")];
    let config = served(&["--data-dir", "a"], &variables, Some(file));
    assert_eq!(config.data_dir.to_str(), Some("a"));
    assert_eq!(config.threads, 3);
    assert_eq!(config.listen, "0.0.0.0:2");
    assert_eq!(config.limits.leaves_max, 2);
    assert_eq!(config.limits.depth_max, 100);
    assert_eq!(config.partitions, 16);
}

#[test]
fn with_nothing_but_a_directory_all_is_at_its_default() {
    assert_eq!(served(&["--data-dir", "d"], &[], None), Config::new("d"));
}

#[test]
fn every_key_can_be_set_by_every_source() {
    for key in KEYS {
        let text = match (key.path, key.shape) {
            ("data_dir", _) => "elsewhere",
            ("listen", _) => "localhost:1",
            ("durability", _) => "os-buffered",
            ("log.format", _) => "json",
            ("log.level", _) => "debug",
            ("limits.request_bytes_in_flight_max", _) => "3GiB",
            ("memory_bytes", _) => "3MiB",
            ("clock", _) => "2026-06-30T12:00:00Z",
            (_, Shape::Text) => "6000",
            (_, Shape::Number) => "77",
        };
        let toml_text = match key.shape {
            Shape::Text => format!("'{text}'"),
            Shape::Number => text.to_owned(),
        };
        let (flag, env) = (format!("--{}", key.flag()), key.env());
        let (base, base_flag) = match key.path {
            "data_dir" => ("", [].as_slice()),
            _ => ("data_dir = 'd'\n", ["--data-dir", "d"].as_slice()),
        };
        let by_file = served(&[], &[], Some(&format!("{}={toml_text}\n{base}", key.path)));
        let by_env = served(base_flag, &[(&env, text)], None);
        let by_flag = served(&[base_flag, &[flag.as_str(), text]].concat(), &[], None);
        assert_ne!(by_file, Config::new("d"), "{}", key.path);
        assert_eq!(by_file, by_env, "{}", key.path);
        assert_eq!(by_file, by_flag, "{}", key.path);
    }
}

#[test]
fn texts_become_what_they_mean() {
    let file = "data_dir = 'd'\nmemory_bytes = 1048576\ndurability = 'os-buffered'\n\
                log = { format = 'json' }\n";
    let config = served(&["--limits-frame-bytes-max", "1 MiB"], &[], Some(file));
    assert_eq!(config.memory_bytes, ByteSize::mib(1));
    assert_eq!(config.limits.frame_bytes_max, ByteSize::mib(1));
    assert_eq!(config.durability, Durability::OsBuffered);
    assert_eq!(config.log.format, LogFormat::Json);
    // A directory may be called like a number.
    assert_eq!(
        served(&["--data-dir", "7"], &[], None).data_dir.to_str(),
        Some("7")
    );
}

/// Checks that sources are refused with a message that has these parts.
fn check_refused(flags: &[&str], variables: &[(&str, &str)], file: Option<&str>, parts: &[&str]) {
    match loaded(flags, variables, file) {
        Ok(config) => panic!("{flags:?} {variables:?} {file:?} gave {config:?}"),
        Err(error) => {
            let text = error.to_string();
            assert!(
                !text.contains("default"),
                "figment's profile is in `{text}`"
            );
            for part in parts {
                assert!(text.contains(part), "`{part}` is not in `{text}`");
            }
        }
    }
}

#[test]
fn what_cannot_be_understood_in_a_file_is_refused_and_named() {
    let check = check_refused;
    let data = ["--data-dir", "d"];
    check(&[], &[], None, &["no data directory", "--data-dir"]);
    check(&data, &[], Some("port = 1"), &["unknown key `port` in "]);
    check(
        &data,
        &[],
        Some("lisen = 'x'"),
        &["unknown key `lisen`", ", did you mean `listen`?"],
    );
    check(
        &data,
        &[],
        Some("[limits]\nframe_byte_max = 1"),
        &[
            "unknown key `limits.frame_byte_max`",
            ", did you mean `limits.frame_bytes_max`?",
        ],
    );
    check(
        &data,
        &[],
        Some("[log]\ncolour = 1"),
        &["unknown key `log.colour`"],
    );
    check(&data, &[], Some("data_dir = "), &["TOML"]);
    check(
        &data,
        &[],
        Some("threads = 'many'"),
        &["invalid type", "many", "for key `threads`"],
    );
    check(&data, &[], Some("threads = -1"), &["threads"]);
    check(
        &data,
        &[],
        Some("memory_bytes = 'much'"),
        &["`much` is not a size"],
    );
}

#[test]
fn what_cannot_be_understood_elsewhere_is_refused_and_named() {
    let check = check_refused;
    let data = ["--data-dir", "d"];
    check(
        &data,
        &[("TESSERA_LISTN", "x")],
        None,
        &[
            "unknown environment variable `TESSERA_LISTN`",
            "did you mean `TESSERA_LISTEN`?",
        ],
    );
    check(
        &data,
        &[("TESSERA_XYZZY", "x")],
        None,
        &["variable `TESSERA_XYZZY`"],
    );
    check(
        &data,
        &[("TESSERA_THREADS", "many")],
        None,
        &["many", "variable TESSERA_THREADS"],
    );
    check(
        &data,
        &[("TESSERA_LOG_FORMAT", "xml")],
        None,
        &[
            "unknown value `xml` for key `log.format` in environment variable TESSERA_LOG_FORMAT",
            "one of `text`, `json`",
        ],
    );
    check(
        &[&data[..], &["--durability", "never"]].concat(),
        &[],
        None,
        &["--durability"],
    );
    check(
        &[&data[..], &["--port", "1"]].concat(),
        &[],
        None,
        &["--port"],
    );
    check(
        &[&data[..], &["--threads", "0"]].concat(),
        &[],
        None,
        &["`threads` is 0"],
    );
    check(
        &[&data[..], &["--config", "/nowhere/at/all.toml"]].concat(),
        &[],
        None,
        &["/nowhere/at/all.toml", "cannot be read"],
    );
    check(
        &data,
        &[("TESSERA_CONFIG", "/nowhere.toml")],
        None,
        &["/nowhere.toml"],
    );
}

#[test]
fn variables_of_others_are_left_alone() {
    let others = [
        ("TESSERA_CONNECT", "there"),
        ("TESSERA_FORMAT", "json"),
        ("TESSERA_HISTORY", "file"),
        ("TESSERA_BIN", "target"),
        ("TESSERA_TEST_CASES", "1"),
        ("TESSERA_BENCH_USERS", "1"),
        ("TESSERAE", "1"),
        ("HOME", "somewhere"),
    ];
    assert_eq!(
        served(&["--data-dir", "d"], &others, None),
        Config::new("d")
    );
}

#[test]
fn the_printed_configuration_reads_back_as_itself() -> Result<(), toml::ser::Error> {
    let flags = ["--data-dir", "d", "--memory", "3GiB", "--print-config"];
    let Ok(Invocation::PrintConfig(config)) = loaded(&flags, &[], None) else {
        panic!("--print-config is not understood");
    };
    let printed = toml::to_string(&config)?;
    assert!(printed.contains("memory_bytes = \"3GiB\""), "{printed}");
    assert_eq!(served(&[], &[], Some(&printed)), config);
    Ok(())
}

#[test]
fn the_flags_are_well_formed() {
    command().debug_assert();
}
