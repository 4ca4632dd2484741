//! Node agent: puts the plugin and its configuration on the node.
//!
//! It installs the plugin, waits until the routes to this node are in place, and then keeps four
//! things as the `PodNetwork` wants them: forwarding is on, forwarded pod packets pass the FORWARD
//! chain, traffic that leaves the pod network is masqueraded, and the container runtime finds the
//! network's configuration. It only ever adds: when it stops, pods go on and new pods still start.

pub mod adoption;
pub mod agent;
pub mod bridged;
pub mod chained;
pub mod claims;
pub mod cluster;
pub mod command;
pub mod conflist;
pub mod events;
pub mod file;
pub mod former;
pub mod forward;
pub mod hand;
pub mod health;
pub mod install;
pub mod iptables_legacy;
pub mod kubernetes;
pub mod leftovers;
pub mod logging;
pub mod machine;
mod masquerade;
pub mod once;
pub mod options;
pub mod plan;
mod probe;
pub mod ready;
mod retired;
pub mod rivals;
pub mod room;
pub mod rule_changes;
mod spoofing;
pub mod sysctl;
pub mod table;
pub mod uninstall;
pub mod uplink;
mod warnings;
