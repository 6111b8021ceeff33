//! The statements that have a typed form: builders to text, answers to types.

pub(crate) mod dimension;
pub(crate) mod portrait;
pub(crate) mod segment;
pub(crate) mod why;
