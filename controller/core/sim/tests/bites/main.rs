//! The simulation finds what is wrong: for each promise an engine, or a shell, that breaks it.

mod mutants;
mod order;
mod safety;
mod wrong;
