//! Notifications below every subject: a socket that only listens.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use netlink_packet_core::NetlinkHeader;
use netlink_sys::{Socket, SocketAddr};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::MsgFlags;

use crate::error::{Error, Result};
use crate::message::split_message;

/// Room for one notification datagram.
const RECEIVE_BYTES: usize = 64 * 1024;

/// A subscription to groups of notifications in one network namespace.
#[derive(Debug)]
pub(crate) struct Subscription {
    socket: Socket,
    ignored_port: Option<u32>,
    buffer: Vec<u8>,
}

impl Subscription {
    /// Subscribes to `groups` of `protocol` in the network namespace of the calling thread.
    pub(crate) fn open(protocol: isize, groups: &[u32]) -> Result<Self> {
        let open = || -> std::io::Result<Socket> {
            let mut socket = Socket::new(protocol)?;
            socket.bind(&SocketAddr::new(0, 0))?;
            for group in groups {
                socket.add_membership(*group)?;
            }
            Ok(socket)
        };
        let socket = open().map_err(|error| Error::io("subscribe to changes", &error))?;
        Ok(Self {
            socket,
            ignored_port: None,
            buffer: Vec::new(),
        })
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Leaves out from now on what the socket with this number has caused.
    pub(crate) fn ignore_changes_of(&mut self, port: u32) {
        self.ignored_port = Some(port);
    }

    /// Waits for the next of what `tell` makes of messages, at most for `timeout`; `None` after that time
    /// without one. `queue` has those that came in one datagram with others. `None` is told as by
    /// [`read`](Self::read).
    pub(crate) fn next<T>(
        &mut self,
        queue: &mut VecDeque<T>,
        timeout: Duration,
        mut tell: impl FnMut(Option<(NetlinkHeader, &[u8])>) -> Option<T>,
    ) -> Result<Option<T>> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(told) = queue.pop_front() {
                return Ok(Some(told));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.readable(left)? && left.is_zero() {
                return Ok(None);
            }
            self.read(|message| queue.extend(tell(message)))?;
        }
    }

    /// Waits until something can be read, at most for `timeout`; tells whether it can.
    fn readable(&self, timeout: Duration) -> Result<bool> {
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(Error::system("wait for changes", errno)),
        }
    }

    /// Reads one datagram, if there is one, and hands each message in it to `visit`, or `None` where
    /// messages were lost: more changed at once than the socket could hold, or they are illegible.
    fn read(&mut self, mut visit: impl FnMut(Option<(NetlinkHeader, &[u8])>)) -> Result<()> {
        self.buffer.clear();
        self.buffer.reserve(RECEIVE_BYTES);
        match self
            .socket
            .recv(&mut self.buffer, MsgFlags::MSG_DONTWAIT.bits())
        {
            Ok(_) => {}
            Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
                Errno::EINTR | Errno::EAGAIN => return Ok(()),
                Errno::ENOBUFS => {
                    visit(None);
                    return Ok(());
                }
                errno => return Err(Error::system("read changes", errno)),
            },
        }
        let mut rest = self.buffer.as_slice();
        while !rest.is_empty() {
            let Ok((header, payload, next)) = split_message(rest) else {
                visit(None);
                return Ok(());
            };
            rest = next;
            // The kernel stamps notifications with the socket that asked for the change.
            if self.ignored_port != Some(header.port_number) {
                visit(Some((header, payload)));
            }
        }
        Ok(())
    }
}
