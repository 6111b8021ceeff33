//! Reads the configuration from flags, environment and file, in this order of weight.
//!
//! Knows how each source spells a key. Takes its arguments and variables from the caller and
//! reads nothing but the one file it is told to.

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format, Serialized, Toml},
    util::nest,
    value::{Dict, Map, Value},
};

use super::{
    Config, Defaults, OutOfBounds,
    describe::{describe, nearest, suggestion},
    keys::{CONFIG_ENV, ENV_PREFIX, FOREIGN_ENV, FOREIGN_ENV_PREFIXES, KEYS, Key, Shape},
};

/// What the program is asked to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Invocation {
    /// Serve.
    Serve(Config),
    /// Print the effective configuration and end.
    PrintConfig(Config),
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The flags are wrong, or ask for help or the version: print it and exit with its code.
    #[error(transparent)]
    Usage(#[from] clap::Error),
    /// A variable that looks like the server's and is not.
    #[error("unknown environment variable `{name}`{}", suggestion(.nearest.as_deref()))]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The known variable nearest to it.
        nearest: Option<String>,
    },
    /// A variable that is not UTF-8.
    #[error("environment variable `{0}` is not UTF-8")]
    NotUtf8(String),
    /// The file is not there.
    #[error("configuration file `{}` cannot be read", .0.display())]
    NoFile(PathBuf),
    /// No source sets the data directory.
    #[error("no data directory: set --data-dir DIR, TESSERA_DATA_DIR, or data_dir in the file")]
    NoDataDir,
    /// A key that does not exist, or a value of the wrong type.
    #[error("{}", describe(.0))]
    Value(Box<figment::Error>),
    /// A value that makes no sense.
    #[error(transparent)]
    OutOfBounds(#[from] OutOfBounds),
}

/// Reads the configuration. `arguments` begin with the program's name.
///
/// # Errors
/// Says which source is wrong, and where.
pub fn load(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, ConfigError> {
    let matches = command().try_get_matches_from(arguments)?;
    let variables = Variables::read(environment)?;
    let mut figment = Figment::from(Serialized::defaults(Defaults::default()));
    let file = matches
        .get_one::<PathBuf>("config")
        .cloned()
        .or(variables.config);
    if let Some(path) = file {
        if !path.is_file() {
            return Err(ConfigError::NoFile(path));
        }
        figment = figment.merge(Toml::file_exact(path));
    }
    for setting in variables.settings.into_iter().chain(flags(&matches)) {
        figment = figment.merge(setting);
    }
    match figment.find_value("data_dir") {
        Err(error) if error.missing() => return Err(ConfigError::NoDataDir),
        Err(error) => return Err(ConfigError::Value(Box::new(error))),
        Ok(_) => {}
    }
    let config: Config = figment
        .extract()
        .map_err(|error| ConfigError::Value(Box::new(error)))?;
    config.check()?;
    Ok(if matches.get_flag("print-config") {
        Invocation::PrintConfig(config)
    } else {
        Invocation::Serve(config)
    })
}

/// The flags: one for every key, and a few of the program's own.
pub fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(clap::value_parser!(PathBuf))
        .help("The configuration file, in TOML [env: TESSERA_CONFIG]");
    let print = Arg::new("print-config")
        .long("print-config")
        .action(ArgAction::SetTrue)
        .help("Print the effective configuration as TOML and exit");
    let keys = KEYS.iter().map(|key| {
        let arg = Arg::new(key.path)
            .long(key.flag())
            .value_name(key.placeholder)
            .help(format!("{} [env: {}]", key.help, key.env()))
            .visible_aliases(key.alias);
        match key.path.split_once('.') {
            Some(("limits", _)) => arg.help_heading("Limits"),
            Some(("labels", _)) => arg.help_heading("Labels"),
            Some(_) => arg.help_heading("Log"),
            None => arg,
        }
    });
    Command::new("tessera-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The Tessera server")
        .long_about("The Tessera server. Flags beat environment variables, these beat the file.")
        .max_term_width(100)
        .args([config, print])
        .args(keys)
}

/// One value from a flag or a variable.
struct Setting {
    origin: String,
    key: &'static Key,
    text: String,
}

impl Provider for Setting {
    fn metadata(&self) -> Metadata {
        let origin = self.origin.clone();
        Metadata::named(origin.clone()).interpolater(move |_, _| origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = match (self.key.shape, self.text.trim().parse::<u64>()) {
            (Shape::Number, Ok(number)) => Value::from(number),
            // Not a number where one is wanted: the type says so when it is read.
            (Shape::Number, Err(_)) | (Shape::Text, _) => Value::from(self.text.clone()),
        };
        let dict = nest(self.key.path, value).into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

fn flags(matches: &ArgMatches) -> impl Iterator<Item = Setting> {
    KEYS.iter().filter_map(|key| {
        matches.get_one::<String>(key.path).map(|text| Setting {
            origin: format!("flag --{}", key.flag()),
            key,
            text: text.clone(),
        })
    })
}

#[derive(Default)]
struct Variables {
    config: Option<PathBuf>,
    settings: Vec<Setting>,
}

impl Variables {
    fn read(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigError> {
        let mut variables = Self::default();
        for (name, value) in environment {
            // A name that is not UTF-8 is none of ours.
            if let Some(name) = name.to_str()
                && name.starts_with(ENV_PREFIX)
                && !belongs_to_others(name)
            {
                variables.take(name, value)?;
            }
        }
        Ok(variables)
    }

    fn take(&mut self, name: &str, value: OsString) -> Result<(), ConfigError> {
        if name == CONFIG_ENV {
            self.config = Some(PathBuf::from(value));
            return Ok(());
        }
        let Some(key) = KEYS.iter().find(|key| key.env() == name) else {
            let nearest = nearest_variable(name);
            return Err(ConfigError::UnknownVariable {
                name: name.to_owned(),
                nearest,
            });
        };
        let text = value
            .into_string()
            .map_err(|_| ConfigError::NotUtf8(name.to_owned()))?;
        self.settings.push(Setting {
            origin: format!("environment variable {name}"),
            key,
            text,
        });
        Ok(())
    }
}

fn belongs_to_others(name: &str) -> bool {
    FOREIGN_ENV.contains(&name)
        || FOREIGN_ENV_PREFIXES
            .iter()
            .any(|prefix| name.starts_with(prefix))
}

fn nearest_variable(name: &str) -> Option<String> {
    let known: Vec<String> = KEYS.iter().map(Key::env).collect();
    nearest(name, known.iter().map(String::as_str)).map(str::to_owned)
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
