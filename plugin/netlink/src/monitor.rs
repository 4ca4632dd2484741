//! Notifications about routes.

use std::collections::VecDeque;
use std::time::Duration;

use netlink_packet_core::{NetlinkDeserializable as _, NetlinkHeader};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkFlags;
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::error::Result;
use crate::netns::Netns;
use crate::route::Route;
use crate::route_message::read_route;
use crate::subscription::Subscription;

/// `RTNLGRP_LINK`.
const GROUP_LINK: u32 = 1;
/// `RTNLGRP_IPV4_ROUTE`.
const GROUP_IPV4_ROUTE: u32 = 7;
/// `RTNLGRP_IPV6_ROUTE`.
const GROUP_IPV6_ROUTE: u32 = 11;

/// A change of the kernel's routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteEvent {
    /// A route was added, or replaced another.
    Added(Route),
    /// A route was removed.
    Removed(Route),
    /// An interface was set down or removed, and with it went the IPv4 routes over it: the kernel
    /// says nothing about those.
    LinkGone,
    /// An interface was set up.
    LinkUp,
    /// Something changed, but what is not known: more changed at once than the socket could hold, or
    /// a notification could not be decoded. List the routes again.
    Overrun,
}

/// A subscription to the route changes of both families in one network namespace.
#[derive(Debug)]
pub struct RouteMonitor {
    subscription: Subscription,
    queue: VecDeque<(RouteEvent, u32)>,
    /// Who made the change that was told last.
    told_port: u32,
}

impl RouteMonitor {
    /// Subscribes in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let groups = [GROUP_LINK, GROUP_IPV4_ROUTE, GROUP_IPV6_ROUTE];
        let subscription = Subscription::open(NETLINK_ROUTE, &groups)
            .map_err(|error| error.during("subscribe to route changes"))?;
        Ok(Self {
            subscription,
            queue: VecDeque::new(),
            told_port: 0,
        })
    }

    /// Subscribes in `netns`.
    pub fn open_in(netns: &Netns) -> Result<Self> {
        netns.run(Self::open)?
    }

    /// Leaves out the changes that the socket of the same namespace with this [`port`] makes.
    ///
    /// [`port`]: crate::Socket::port
    pub fn ignore_changes_of(&mut self, port: u32) {
        self.subscription.ignore_changes_of(port);
    }

    /// The netlink port through which the change was made that [`next`](Self::next) told last: 0 is the kernel
    /// itself, and the first port of a process has mostly its id.
    pub fn made_by(&self) -> u32 {
        self.told_port
    }

    /// Waits for the next change, at most for `timeout`; `None` after that time without one.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<RouteEvent>> {
        let next = self
            .subscription
            .next(&mut self.queue, timeout, |message| match message {
                Some((header, payload)) => {
                    event(&header, payload).map(|event| (event, header.port_number))
                }
                None => Some((RouteEvent::Overrun, 0)),
            })?;
        Ok(next.map(|(event, port)| {
            self.told_port = port;
            event
        }))
    }
}

fn event(header: &NetlinkHeader, payload: &[u8]) -> Option<RouteEvent> {
    match RouteNetlinkMessage::deserialize(header, payload) {
        Ok(RouteNetlinkMessage::NewRoute(message)) => read_route(&message).map(RouteEvent::Added),
        Ok(RouteNetlinkMessage::DelRoute(message)) => read_route(&message).map(RouteEvent::Removed),
        Ok(RouteNetlinkMessage::DelLink(_)) => Some(RouteEvent::LinkGone),
        Ok(RouteNetlinkMessage::NewLink(link)) => {
            let changed = link.header.change_mask.contains(LinkFlags::Up);
            if link.header.flags.contains(LinkFlags::Up) {
                changed.then_some(RouteEvent::LinkUp)
            } else {
                Some(RouteEvent::LinkGone)
            }
        }
        Ok(_) => None,
        Err(_) => Some(RouteEvent::Overrun),
    }
}
