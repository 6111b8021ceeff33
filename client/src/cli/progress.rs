//! A line that shows how far a long command is; nothing where nobody looks.
//!
//! Knows rows, bytes and time. Does not know what the rows are.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::streams::Ends;

const BYTES_TEMPLATE: &str = "{bar:30} {percent:>3}%  {msg}  {elapsed} elapsed, {eta} left";
const ROWS_TEMPLATE: &str = "{spinner} {msg}  {elapsed} elapsed";

/// The line.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// For a work of which only the rows are known.
    pub(crate) fn rows(stderr: Ends) -> Self {
        Self::new(stderr, None, ROWS_TEMPLATE)
    }

    /// For a work of so many bytes.
    pub(crate) fn bytes(stderr: Ends, bytes_total: u64) -> Self {
        Self::new(stderr, Some(bytes_total), BYTES_TEMPLATE)
    }

    fn new(stderr: Ends, length: Option<u64>, template: &str) -> Self {
        let target = match stderr {
            Ends::InTerminal => ProgressDrawTarget::stderr_with_hz(10),
            Ends::Elsewhere => ProgressDrawTarget::hidden(),
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(length, target).with_style(style);
        if stderr == Ends::InTerminal {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Self { bar }
    }

    /// So many rows are done.
    pub(crate) fn set_rows(&self, rows: u64) {
        if self.bar.is_hidden() {
            return;
        }
        let rate = rows as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
        self.bar
            .set_message(format!("{rows} rows, {rate:.0} rows/s"));
    }

    /// So many bytes are done.
    pub(crate) fn set_bytes(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Writes something else without the line in its way.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }

    /// Takes the line away.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
