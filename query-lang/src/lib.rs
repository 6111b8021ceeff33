//! The Tessera query language: text → syntax tree → text.
//!
//! Knows grammar, names and positions. Knows nothing of storage, users or sockets, nor whether
//! a name is defined.
//!
//! ```
//! use tessera_query_lang::{Limits, parse_statement};
//!
//! let statement = parse_statement("count tag:vip and not gender:f", &Limits::default())?;
//! assert_eq!(statement.to_string(), "COUNT tag:vip AND NOT gender:f");
//! # Ok::<(), tessera_query_lang::ParseError>(())
//! ```

pub mod ast;
pub mod classify;
pub mod complete;
pub mod error;
pub mod keywords;
mod lexer;
pub mod limits;
pub mod name;
mod parser;
pub mod print;
pub mod render;
pub mod split;
pub mod suggest;
pub mod timestamp;

pub use classify::{TokenClass, classify};
pub use error::{Expected, Found, NameKind, ParseError, ParseErrorKind};
pub use limits::{Limit, Limits};
pub use parser::{parse_expr, parse_group_rule, parse_statement};
pub use render::{line_column, render};
pub use split::{Completeness, Split, split_statements};
