//! Bridges, their ports, and where a bridge sends frames.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::link::{
    InfoBridgePort, InfoKind, InfoPortData, InfoPortKind, LinkAttribute, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{
    NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::Result;
use crate::mac::Mac;
use crate::socket::Socket;

impl Socket {
    /// Creates a bridge, which is down. Its MTU is that of the smallest port as soon as it has one. Fails with
    /// `EEXIST` if the name is taken.
    pub fn create_bridge(&mut self, name: &str, mac: Mac, mtu: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Address(mac.0.to_vec()),
            LinkAttribute::Mtu(mtu),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
        ];
        self.execute(
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
        .map_err(|error| error.during(format!("create the bridge {name}")))
    }

    /// Makes an interface a port of a bridge that learns nothing from what the port sends: frames for a
    /// hardware address go to the port that [`pin`](Self::pin) names, the one that they come from included.
    pub fn join_bridge(&mut self, port: u32, bridge: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = port;
        message.attributes = vec![LinkAttribute::Controller(bridge)];
        // The kernel takes settings of a port only once it is one.
        let mut settings = LinkMessage::default();
        settings.header.index = port;
        settings.attributes = vec![LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![
                InfoBridgePort::Learning(false),
                InfoBridgePort::HairpinMode(true),
            ])),
        ])];
        self.execute(RouteNetlinkMessage::SetLink(message), 0)
            .and_then(|()| self.execute(RouteNetlinkMessage::NewLink(settings), 0))
            .map_err(|error| {
                error.during(format!("make interface {port} a port of bridge {bridge}"))
            })
    }

    /// Makes the bridge send frames for `mac` to this port and nowhere else, for as long as it is one.
    pub fn pin(&mut self, port: u32, mac: Mac) -> Result<()> {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Bridge;
        message.header.ifindex = port;
        message.header.state = NeighbourState::Noarp;
        message.header.flags = NeighbourFlags::Controller;
        message.attributes = vec![NeighbourAttribute::LinkLayerAddress(mac.0.to_vec())];
        self.execute(
            RouteNetlinkMessage::NewNeighbour(message),
            NLM_F_CREATE | NLM_F_REPLACE,
        )
        .map_err(|error| error.during(format!("send frames for {mac} to interface {port}")))
    }
}
