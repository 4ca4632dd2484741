//! The rtnetlink socket. Its operations stand in the file of their subject.

use netlink_packet_core::NetlinkDeserializable as _;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;

use crate::channel::{Answer, Channel};
use crate::error::{Error, Result};
use crate::netns::Netns;

/// An rtnetlink socket, bound for life to the network namespace in which it was opened.
#[derive(Debug)]
pub struct Socket {
    pub(crate) channel: Channel,
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self> {
        let channel = Channel::open(NETLINK_ROUTE)?;
        // Strict checking makes the kernel honour filters in listings instead of ignoring them.
        channel
            .socket()
            .set_netlink_get_strict_chk(true)
            .map_err(|error| Error::io("ask for strict netlink checking", &error))?;
        Ok(Self { channel })
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

    pub(crate) fn execute(&mut self, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
        self.channel.request(message, flags)
    }
}

/// Decodes an rtnetlink answer.
pub(crate) fn decode(answer: &Answer<'_>) -> Result<RouteNetlinkMessage> {
    RouteNetlinkMessage::deserialize(&answer.header, answer.payload)
        .map_err(|error| Error::decode("decode an rtnetlink message", &error))
}
