//! The program `signpost-controller`: everything around the pure engine.
//!
//! ```text
//! PodNetwork ──► network ─┐                      ┌─► execute ──► Kubernetes API, cloud
//! Node ────────► nodes ───┼─► session ─► engine ─┤      │
//! cloud ───────► changes ─┘      ▲               └─► status, metrics
//!                                └──────── results ─────┘
//! Lease ───────► elect ──► leadership: no session, no executor without it
//! ```
//!
//! | question | module |
//! |---|---|
//! | which flags are there | [`cli`] |
//! | what runs, and how does it stop | [`run`] |
//! | who leads, and until when may it write | [`elect`], [`fence`] |
//! | what was written, and has it all ended | [`ledger`] |
//! | what is read of nodes, of the `PodNetwork` | [`nodes`], [`network`] |
//! | how is a request sent, bounded and counted | [`api`], [`connect`], [`clouds`] |
//! | what happens while we lead | [`driver`], [`session`] |
//! | how is an action carried out | [`execute`] |
//! | what are node agents told | [`agents`] |
//! | what are people and machines told | [`status`], [`metrics`], [`http`], [`health`], [`logging`], [`errors`] |

pub mod agents;
pub mod api;
pub mod cli;
pub mod clock;
pub mod clouds;
pub mod connect;
pub mod driver;
pub mod elect;
pub mod errors;
pub mod execute;
pub mod fence;
pub mod health;
pub mod http;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod network;
pub mod nodes;
pub mod run;
pub mod session;
pub mod status;
pub mod watching;
