//! Notifications about routes.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::Duration;

use netlink_packet_core::NetlinkDeserializable as _;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkFlags;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::channel::split_message;
use crate::error::{Error, Result};
use crate::netns::Netns;
use crate::route::Route;
use crate::route_message::read_route;

/// `RTNLGRP_LINK`.
const GROUP_LINK: u32 = 1;
/// `RTNLGRP_IPV4_ROUTE`.
const GROUP_IPV4_ROUTE: u32 = 7;
/// `RTNLGRP_IPV6_ROUTE`.
const GROUP_IPV6_ROUTE: u32 = 11;
/// Room for one notification datagram.
const RECEIVE_BYTES: usize = 64 * 1024;

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
    socket: Socket,
    ignored_port: Option<u32>,
    queue: VecDeque<(RouteEvent, u32)>,
    /// Who made the change that was told last.
    told_port: u32,
    buffer: Vec<u8>,
}

impl RouteMonitor {
    /// Subscribes in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let open = || -> std::io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            socket.add_membership(GROUP_LINK)?;
            socket.add_membership(GROUP_IPV4_ROUTE)?;
            socket.add_membership(GROUP_IPV6_ROUTE)?;
            Ok(socket)
        };
        let socket = open().map_err(|error| Error::io("subscribe to route changes", &error))?;
        Ok(Self {
            socket,
            ignored_port: None,
            queue: VecDeque::new(),
            told_port: 0,
            buffer: Vec::new(),
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
        self.ignored_port = Some(port);
    }

    /// The netlink port through which the change was made that [`next`](Self::next) told last: 0 is the kernel
    /// itself, and the first port of a process has mostly its id.
    pub fn made_by(&self) -> u32 {
        self.told_port
    }

    /// Waits for the next change, at most for `timeout`; `None` after that time without one.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<RouteEvent>> {
        let deadline = std::time::Instant::now() + timeout;
        loop {
            if let Some((event, port)) = self.queue.pop_front() {
                self.told_port = port;
                return Ok(Some(event));
            }
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if !self.readable(left)? {
                return Ok(None);
            }
            self.read()?;
        }
    }

    fn readable(&self, timeout: Duration) -> Result<bool> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::system("wait for route changes", errno)),
        }
    }

    fn read(&mut self) -> Result<()> {
        self.buffer.clear();
        self.buffer.reserve(RECEIVE_BYTES);
        match self.socket.recv(&mut self.buffer, 0) {
            Ok(_) => {}
            Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                Errno::EINTR => return Ok(()),
                Errno::ENOBUFS => {
                    self.queue.push_back((RouteEvent::Overrun, 0));
                    return Ok(());
                }
                errno => return Err(Error::system("read route changes", errno)),
            },
        }
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let Ok((header, payload, next)) = split_message(rest) else {
                self.queue.push_back((RouteEvent::Overrun, 0));
                return Ok(());
            };
            rest = next;
            // The kernel stamps notifications with the socket that asked for the change.
            if self.ignored_port == Some(header.port_number) {
                continue;
            }
            let event = match RouteNetlinkMessage::deserialize(&header, payload) {
                Ok(RouteNetlinkMessage::NewRoute(message)) => {
                    read_route(&message).map(RouteEvent::Added)
                }
                Ok(RouteNetlinkMessage::DelRoute(message)) => {
                    read_route(&message).map(RouteEvent::Removed)
                }
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
            };
            self.queue
                .extend(event.map(|event| (event, header.port_number)));
        }
        Ok(())
    }
}
