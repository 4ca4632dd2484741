//! The decisions of Signpost as a pure state machine.
//!
//! ```text
//! events ──► Engine::handle(event, now) ──► actions, carried out by the shell,
//!    ▲                                        whose results come back as events
//!    └────────────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing here does I/O, reads a clock or spawns anything. Everything that can go wrong in the
//! world is an [`Event`], so the whole system can be simulated and every run repeated.
//!
//! | question | module |
//! |---|---|
//! | what is configured, what may the cloud do at once | [`config`] |
//! | what is known of a node | [`node`] |
//! | what is known of routes, tables and instances | [`cloud`] |
//! | what can happen | [`event`] |
//! | what can be done | [`action`] |
//! | which block is free, who has it | [`ipam`] |
//! | who is there, what is written to nodes | `nodes` |
//! | which routes are missing, wrong or orphaned | `tables` |
//! | where do routes to a node lead | `instances` |
//! | what to do next | [`engine`] |
//! | who may write | [`lease`] |
//! | what surrounds the engine, in the program as in the simulation | [`shell`] |
//! | what to tell people | [`summary`] |

pub mod action;
pub mod cloud;
pub mod config;
pub mod engine;
pub mod event;
mod ids;
mod instances;
pub mod ipam;
pub mod lease;
pub mod node;
mod nodes;
mod retry;
pub mod shell;
pub mod summary;
mod tables;
pub mod time;
mod timers;
mod turn;

pub use action::Action;
pub use config::{Config, Handover, Limits, PoolConfig, PoolState};

pub use engine::Engine;
pub use event::Event;
pub use ipnet::IpNet;
pub use node::{Node, NodeKey};
pub use summary::Summary;
pub use time::Time;
