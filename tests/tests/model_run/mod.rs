//! One history: the same steps for the engine and for the model, and what must then be equal.

mod compare;
mod cursors;
mod engine;
mod samples;

use std::{env, sync::Arc};

use jiff::Timestamp;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tempfile::TempDir;
use tessera_engine::time::ManualClock;
use tessera_protocol::message::{Datum, FailureCode};
use tessera_query_lang::ast::{Segment, Statement};
use tessera_tests::model::{
    Model, Refused,
    generate::{Generator, Step},
    write::Changes,
};

use compare::{check_portrait, check_segment, same_rows};
use cursors::{HeldCursor, PageEnd};
pub(crate) use engine::Engine;
use engine::Reply;
use samples::Samples;

/// Steps of one history.
pub(crate) const STEPS_A_HISTORY: u64 = 400;
/// Steps at the beginning that define things.
const BEGINNINGS: u64 = 20;

/// A database, its model, and the steps to come.
pub(crate) struct History {
    seed: u64,
    model: Model,
    generator: Generator,
    random: StdRng,
    engine: Engine,
    cursors: Vec<HeldCursor>,
    samples: Samples,
    trace: bool,
    _directory: TempDir,
}

impl History {
    /// An empty database, whose shape follows from the seed.
    pub(crate) fn new(seed: u64) -> Self {
        let start: Timestamp = "2026-01-15T10:20:30.5Z".parse().unwrap();
        let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
        let directory = tempfile::tempdir().unwrap();
        let keys = random.random_range(6..60);
        let clock = Arc::new(ManualClock::at(start));
        let engine = Engine::open(directory.path(), clock, &mut random);
        Self {
            seed,
            model: Model::new(start),
            generator: Generator::new(seed, keys),
            random,
            engine,
            cursors: Vec::new(),
            samples: Samples::default(),
            trace: env::var_os("TESSERA_MODEL_TRACE").is_some(),
            _directory: directory,
        }
    }

    /// Takes every step.
    pub(crate) fn run(mut self) {
        for number in 0..STEPS_A_HISTORY {
            let step = match number {
                0..BEGINNINGS => self.generator.beginnings(&self.model),
                _ => self.generator.step(&self.model),
            };
            if self.trace {
                println!("{} {number}: {}", self.seed, describe(&step));
            }
            self.take(&step);
            self.turn_a_page();
        }
        self.check_everything();
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Statement(statement) => self.statement(statement),
            Step::Write {
                mutations,
                unknown_tags,
            } => {
                let expected = self.model.write(mutations, *unknown_tags);
                let found = self.engine.write(mutations, *unknown_tags);
                if let Some((changes, found)) = self.agree(step, expected, found) {
                    self.check_changes(step, changes, &found);
                }
            }
            Step::Wait(duration) => {
                self.model.now += *duration;
                self.engine.set_now(self.model.now);
            }
            Step::Restart => {
                self.engine.restart();
                self.forget_cursors();
                self.check_everything();
            }
        }
    }

    fn statement(&mut self, statement: &Statement) {
        let step = Step::Statement(statement.clone());
        let text = statement.to_string();
        match statement {
            Statement::Segment(segment) => self.segment(&step, &text, segment),
            Statement::Count(expr) => {
                let expected = self
                    .model
                    .matching(expr)
                    .map(|keys| vec![vec![Datum::Integer(keys.len() as i64)]]);
                self.check_rows(&step, &text, expected);
            }
            Statement::Dimension(dimension) => {
                let expected = self.model.dimension(dimension);
                self.check_rows(&step, &text, expected);
            }
            Statement::Show(show) => {
                let expected = self.model.shown_names(show);
                let found = self.engine.execute(&text);
                if let Some((Some(names), found)) = self.agree(&step, expected, found) {
                    let found: Vec<Datum> = found
                        .rows
                        .into_iter()
                        .map(|mut row| row.swap_remove(0))
                        .collect();
                    let names: Vec<Datum> = names.into_iter().map(Datum::Text).collect();
                    assert_eq!(found, names, "{}", self.place(&step));
                }
            }
            Statement::Portrait(key) => {
                let key = tessera_tests::model::value::text_of(&key.node, self.model.now).unwrap();
                let found = self.engine.execute(&text);
                if let Some(((), found)) = self.agree(&step, Ok(()), found) {
                    check_portrait(&self.model, &key, &found.rows, &self.place(&step));
                }
            }
            Statement::Explain(_, inner) => {
                let Statement::Count(expr) = inner.as_ref() else {
                    panic!("only counts are explained")
                };
                let expected = self.model.check(expr);
                let found = self.engine.execute(&text);
                if let Some(((), found)) = self.agree(&step, expected, found) {
                    assert!(!found.rows.is_empty(), "{}", self.place(&step));
                }
            }
            Statement::Define(..)
            | Statement::Alter(_)
            | Statement::Drop(..)
            | Statement::SaveSegment(_) => {
                let expected = self.model.change_definitions(statement);
                let found = self.engine.execute(&text);
                self.agree(&step, expected, found);
            }
            Statement::Tag { .. }
            | Statement::Untag { .. }
            | Statement::Set { .. }
            | Statement::DeleteUser(_) => {
                let expected = self.model.write_statement(statement);
                let found = self.engine.execute(&text);
                if let Some((changes, found)) = self.agree(&step, expected, found) {
                    self.check_changes(&step, changes, &found);
                }
            }
            Statement::Fetch { .. } | Statement::Close(_) => panic!("the driver's own"),
            Statement::ClearTag { .. }
            | Statement::Track(_)
            | Statement::Submit(_)
            | Statement::RenameTag { .. }
            | Statement::MergeTag { .. }
            | Statement::Usages(..)
            | Statement::Lint(_)
            | Statement::Trend(_)
            | Statement::Why { .. } => panic!("the model does not know {text}"),
        }
    }

    fn check_changes(&self, step: &Step, changes: Changes, found: &Reply) {
        let found = Changes {
            users: found.summary.users_changed,
            facts: found.summary.facts_changed,
        };
        assert_eq!(found, changes, "{}", self.place(step));
    }

    fn check_rows(&mut self, step: &Step, text: &str, expected: Result<Vec<Vec<Datum>>, Refused>) {
        let found = self.engine.execute(text);
        if let Some((expected, found)) = self.agree(step, expected, found) {
            assert!(
                same_rows(&found.rows, &expected),
                "{}\nfound    {:?}\nexpected {expected:?}",
                self.place(step),
                found.rows
            );
        }
    }

    fn segment(&mut self, step: &Step, text: &str, segment: &Segment) {
        let expected = self.model.segment_rows(segment);
        let found = self.engine.execute(text);
        let Some((expected, first)) = self.agree(step, expected, found) else {
            return;
        };
        let mut held = HeldCursor::new(segment.clone(), expected, self.place(step));
        if held.take_page(first, None) == PageEnd::More && self.random.random_bool(0.3) {
            // The rest is fetched while the world changes.
            self.cursors.push(held);
            return;
        }
        while held.cursor().is_some() {
            held.fetch(&mut self.engine, &mut self.random);
        }
        self.finish(&held);
    }

    /// Goes on with one of the cursors that are open, or closes it.
    fn turn_a_page(&mut self) {
        if self.cursors.is_empty() || self.random.random_bool(0.7) {
            return;
        }
        let at = self.random.random_range(0..self.cursors.len());
        let mut held = self.cursors.swap_remove(at);
        if self.random.random_bool(0.1) {
            held.close(&mut self.engine);
            return;
        }
        match held.fetch(&mut self.engine, &mut self.random) {
            PageEnd::More => self.cursors.push(held),
            PageEnd::Last => self.finish(&held),
        }
    }

    fn finish(&mut self, held: &HeldCursor) {
        check_segment(held.segment(), held.expected(), held.rows(), held.place());
        if let Some(sample) = &held.segment().sample {
            self.samples
                .note(sample, held.expected(), held.rows(), held.place());
        }
    }

    /// After a restart no cursor is known any more.
    fn forget_cursors(&mut self) {
        for held in self.cursors.drain(..) {
            held.check_unknown(&mut self.engine);
        }
    }

    /// Both refuse with the same code, or both go on.
    fn agree<E, F>(
        &self,
        step: &Step,
        expected: Result<E, Refused>,
        found: Result<F, (FailureCode, String)>,
    ) -> Option<(E, F)> {
        match (expected, found) {
            (Ok(expected), Ok(found)) => Some((expected, found)),
            (Err(expected), Err((found, message))) => {
                assert_eq!(found, expected, "{}\n{message}", self.place(step));
                None
            }
            (Ok(_), Err((code, message))) => {
                panic!(
                    "{}\nthe engine refuses it ({code:?}: {message}), the model does not",
                    self.place(step)
                )
            }
            (Err(code), Ok(_)) => panic!(
                "{}\nthe model refuses it ({code:?}), the engine does not",
                self.place(step)
            ),
        }
    }

    fn place(&self, step: &Step) -> String {
        format!("seed {}, {}", self.seed, describe(step))
    }

    /// Every user, every tag: what is stored is what should be.
    fn check_everything(&mut self) {
        let Reply { rows, .. } = self.engine.execute("SEGMENT ALL RETURN TAGS").unwrap();
        let mut found: Vec<(String, Datum)> = rows
            .into_iter()
            .map(|row| match <[Datum; 2]>::try_from(row).unwrap() {
                [Datum::Text(key), tags] => (key, tags),
                other => panic!("{other:?}"),
            })
            .collect();
        found.sort_by(|left, right| left.0.cmp(&right.0));
        let expected: Vec<(String, Datum)> = self
            .model
            .users
            .iter()
            .map(|(key, user)| {
                (
                    key.clone(),
                    Datum::List(user.tags.iter().cloned().collect()),
                )
            })
            .collect();
        assert_eq!(found, expected, "seed {}", self.seed);
    }
}

fn describe(step: &Step) -> String {
    match step {
        Step::Statement(statement) => statement.to_string(),
        Step::Write { .. } | Step::Wait(_) | Step::Restart => format!("{step:?}"),
    }
}
