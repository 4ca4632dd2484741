//! Notifications about tables, chains, rules and sets.

use std::collections::VecDeque;
use std::time::Duration;

use netlink_sys::protocols::NETLINK_NETFILTER;
use nix::sys::socket::{setsockopt, sockopt};

use super::attributes::{find, of_message, text};
use super::batch::SUBSYSTEM;
use super::list::family;
use super::model::Family;
use crate::error::Result;
use crate::netns::Netns;
use crate::subscription::Subscription;

/// `NFNLGRP_NFTABLES`.
const GROUP: u32 = 7;
/// Bytes that may wait to be read: a service proxy writes thousands of elements in one batch.
const WAITING_BYTES: usize = 4 << 20;
/// `NFT_MSG_NEWCHAIN`.
const NEW_CHAIN: u8 = 3;
/// `NFT_MSG_DELCHAIN`.
const DELETED_CHAIN: u8 = 5;
/// `NFT_MSG_NEWRULE`.
const NEW_RULE: u8 = 6;
/// `NFT_MSG_DELRULE`.
const DELETED_RULE: u8 = 8;

/// `NFT_MSG_NEWSETELEM`.
const NEW_ELEMENTS: u8 = 12;
/// `NFT_MSG_DELSETELEM`.
const DELETED_ELEMENTS: u8 = 14;

/// A change of the kernel's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something was added, replaced or removed.
    Changed(Change),
    /// Something changed, but what is not known: more changed at once than the socket could hold, or
    /// a notification is illegible.
    Overrun,
}

/// What has changed: a table of the families `inet`, `ip`, `ip6` and `bridge`, or something in it; of the last
/// no elements of sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Family of the table.
    pub family: Family,
    /// Its name.
    pub table: String,
    /// The chain that changed, or whose rule did.
    pub chain: Option<String>,
}

/// A subscription to the changes of all tables in one network namespace.
#[derive(Debug)]
pub struct Monitor {
    subscription: Subscription,
    queue: VecDeque<Event>,
}

impl Monitor {
    /// Subscribes in the network namespace of the calling thread. It takes the capability `NET_ADMIN`.
    pub fn open() -> Result<Self> {
        let subscription = Subscription::open(NETLINK_NETFILTER, &[GROUP])
            .map_err(|error| error.during("subscribe to nftables changes"))?;
        // Without the larger buffer there are more overruns, nothing else.
        let _ = setsockopt(subscription.socket(), sockopt::RcvBufForce, &WAITING_BYTES);
        Ok(Self {
            subscription,
            queue: VecDeque::new(),
        })
    }

    /// Subscribes in `netns`.
    pub fn open_in(netns: &Netns) -> Result<Self> {
        netns.run(Self::open)?
    }

    /// Leaves out the changes that the socket of the same namespace with this [`port`] makes.
    ///
    /// [`port`]: super::Socket::port
    pub fn ignore_changes_of(&mut self, port: u32) {
        self.subscription.ignore_changes_of(port);
    }

    /// Waits for the next change, at most for `timeout`; `None` after that time without one.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event>> {
        self.subscription
            .next(&mut self.queue, timeout, |message| match message {
                Some((header, payload)) => change(header.message_type, payload).map(Event::Changed),
                None => Some(Event::Overrun),
            })
    }
}

/// What a notification tells; `None` for those of other families and those that end a batch.
fn change(message_type: u16, payload: &[u8]) -> Option<Change> {
    let [message, subsystem] = message_type.to_le_bytes();
    if u16::from(subsystem) != SUBSYSTEM {
        return None;
    }
    let family = family(payload)?;
    // Which addresses a port may send from changes with each pod.
    if family == Family::Bridge && [NEW_ELEMENTS, DELETED_ELEMENTS].contains(&message) {
        return None;
    }
    let attributes = of_message(payload);
    // Attribute 1 is the table in all these messages.
    let table = text(find(&attributes, 1)?);
    let chain = match message {
        NEW_CHAIN | DELETED_CHAIN => find(&attributes, 3),
        NEW_RULE | DELETED_RULE => find(&attributes, 2),
        _ => None,
    };
    Some(Change {
        family,
        table,
        chain: chain.map(text),
    })
}
