//! The pure half of the shell: what both the program and the simulation must do around the engine.
//!
//! | question | module |
//! |---|---|
//! | which actions write, and so need the lease when they begin | [`effect`] |
//! | what is the engine told of nodes, after what | [`feed`] |
//! | when may a leadership follow another one of the same process, and what does it have to wait for | [`writes`] |

pub mod effect;
pub mod feed;
pub mod writes;

pub use effect::{Effect, Place};
pub use feed::{Feed, Reading, Told};
pub use writes::{Ended, Writes};
