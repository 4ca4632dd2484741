//! nftables: tables written in one batch, and read back as far as it takes to see that they stand.
//!
//! A batch is applied by the kernel as a whole or not at all, so packets never meet half a table.

mod attributes;
mod batch;
mod expression;
mod interface_addresses;
pub(crate) mod list;
mod model;
mod monitor;
mod ranges;
mod rule;
mod stands;

pub use batch::Batch;
pub use list::{ChainEntry, TableEntry};
pub use model::{
    BaseChain, Chain, ChainKind, Content, Direction, Expression, Family, Hook, Policy, Protocol,
    Rule, Set, Table,
};
pub use monitor::{Change, Event, Monitor};
pub use ranges::AddressRanges;
pub use rule::{RuleEntry, Verdict};

use netlink_sys::protocols::NETLINK_NETFILTER;

use crate::channel::Channel;
use crate::error::Result;
use crate::netns::Netns;

/// A netfilter socket, bound for life to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Socket {
    channel: Channel,
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        Channel::open(NETLINK_NETFILTER).map(|channel| Self { channel })
    }

    /// Opens a socket in `netns`; it can then be used from any thread.
    pub fn open_in(netns: &Netns) -> Result<Self> {
        netns.run(Self::open)?
    }

    /// The number under which the kernel knows this socket in its namespace. Notifications carry that
    /// of the socket through which the change was made.
    pub fn port(&self) -> u32 {
        self.channel.port()
    }
}
