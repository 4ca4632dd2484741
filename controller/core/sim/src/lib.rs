//! Deterministic simulation of the engine against a model of the world.
