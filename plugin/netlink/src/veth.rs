//! Pairs of interfaces, of which what one sends the other receives.

use std::os::fd::RawFd;

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use crate::error::Result;
use crate::mac::Mac;
use crate::netns::Netns;
use crate::socket::Socket;

/// One end of a veth pair that is to be created.
#[derive(Clone, Copy, Debug)]
pub struct VethEnd<'a> {
    /// Interface name, at most 15 bytes.
    pub name: &'a str,
    /// Namespace in which the end is created; `None` means the socket's own.
    pub netns: Option<&'a Netns>,
    /// Hardware address; `None` lets the kernel choose a random one.
    pub mac: Option<Mac>,
    /// MTU in bytes; `None` means the kernel's default of 1500.
    pub mtu: Option<u32>,
}

impl VethEnd<'_> {
    fn attributes(&self) -> Vec<LinkAttribute> {
        let fd: Option<RawFd> = self.netns.map(Netns::raw_fd);
        let mut attributes = vec![
            LinkAttribute::IfName(self.name.to_owned()),
            // By default there is one for each processor, all of which cost time to make.
            LinkAttribute::NumTxQueues(1),
            LinkAttribute::NumRxQueues(1),
        ];
        attributes.extend(fd.map(LinkAttribute::NetNsFd));
        attributes.extend(self.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        attributes.extend(self.mtu.map(LinkAttribute::Mtu));
        attributes
    }
}

impl Socket {
    /// Creates a veth pair in one message, each end in its final namespace with its name, hardware
    /// address and MTU. The first end is up at once; the kernel cannot do that for the second.
    ///
    /// Fails with `EEXIST` if either name is taken in its namespace; then nothing is created.
    pub fn create_veth(&mut self, first: &VethEnd<'_>, second: &VethEnd<'_>) -> Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = second.attributes();
        let mut message = LinkMessage::default();
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes = first.attributes();
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.execute(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|error| {
            error.during(format!(
                "create the veth pair {} and {}",
                first.name, second.name
            ))
        })
    }
}
