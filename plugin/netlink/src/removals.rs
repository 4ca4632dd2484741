//! Notifications about interfaces that are removed.

use std::collections::VecDeque;
use std::time::Duration;

use netlink_packet_core::NetlinkDeserializable as _;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::error::Result;
use crate::subscription::Subscription;

/// `RTNLGRP_LINK`.
const GROUP_LINK: u32 = 1;

/// A subscription to removals of interfaces in one network namespace.
#[derive(Debug)]
pub struct LinkRemovals {
    subscription: Subscription,
}

impl LinkRemovals {
    /// Subscribes in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let subscription = Subscription::open(NETLINK_ROUTE, &[GROUP_LINK])
            .map_err(|error| error.during("subscribe to removals of interfaces"))?;
        Ok(Self { subscription })
    }

    /// Waits until the interface with this index is told to be removed, at most for `timeout`. Tells whether
    /// it was; if not, it may have been all the same, and the notification was lost.
    ///
    /// The kernel tells once nobody finds the interface any more, its names are free and its routes gone, and
    /// before whoever asked for the removal gets an answer.
    pub fn wait_for(&mut self, index: u32, timeout: Duration) -> Result<bool> {
        let told = self
            .subscription
            .next(&mut VecDeque::new(), timeout, |message| {
                let (header, payload) = message?;
                match RouteNetlinkMessage::deserialize(&header, payload) {
                    Ok(RouteNetlinkMessage::DelLink(link)) => {
                        is_removal(&link, index).then_some(())
                    }
                    _ => None,
                }
            })?;
        Ok(told.is_some())
    }
}

/// An interface that leaves a bridge is told of in the bridge's family.
fn is_removal(link: &LinkMessage, index: u32) -> bool {
    link.header.index == index && link.header.interface_family == AddressFamily::Unspec
}
