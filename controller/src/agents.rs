//! What the node agents are told: one small object, which every agent follows instead of the `PodNetwork`
//! and the nodes.
//!
//! It goes with the `PodNetwork`, which owns it: then nobody allocates or routes any more, and an agent
//! that finds no object undoes nothing and sets nothing up.

mod exempt;
mod object;
mod publisher;

pub use exempt::exempt;
pub use publisher::Publisher;
