//! Network interfaces: look-up, change, removal.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoKind, LinkAttribute, LinkExtentMask, LinkFlags, LinkInfo, LinkMessage, Prop, State,
};

use crate::error::{Error, Result};
use crate::mac::Mac;
use crate::request::Request;
use crate::socket::{Socket, decode};

/// A network interface as the kernel describes it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "the kernel has them as independent flags"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Interface index, unique within its namespace.
    pub index: u32,
    /// Interface name.
    pub name: String,
    /// Hardware address, absent where the interface has none of 48 bits.
    pub mac: Option<Mac>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether its operational state is up (RFC 2863): the kernel sends from then on. It takes note of
    /// a carrier some time after the carrier came, and drops what is sent before.
    pub operational: bool,
    /// Whether it is a loopback interface.
    pub loopback: bool,
    /// Whether it is a veth.
    pub veth: bool,
    /// Whether it is a bridge.
    pub bridge: bool,
    /// Index of the bridge that it is a port of.
    pub master: Option<u32>,
    /// Index of the interface that it hangs on: for a veth its peer, in the peer's namespace.
    pub peer: Option<u32>,
    /// Free text for people (`ip link` shows it as `alias`).
    pub alias: Option<String>,
    /// Number of the group that it is in; 0 for all that nobody puts into another.
    pub group: u32,
    /// Further names (`ip link` shows them as `altname`).
    pub alternative_names: Vec<String>,
}

/// What to change of an interface; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct LinkChange {
    /// New name.
    pub name: Option<String>,
    /// New hardware address.
    pub mac: Option<Mac>,
    /// New MTU in bytes.
    pub mtu: Option<u32>,
    /// Set up or down.
    pub up: Option<bool>,
    /// New text for people, at most 255 bytes.
    pub alias: Option<String>,
    /// New group.
    pub group: Option<u32>,
}

impl Socket {
    /// The interface called `name`, or `None` if there is none.
    pub fn link_by_name(&mut self, name: &str) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        self.get_link(message)
            .map_err(|error| error.during(format!("look up interface {name}")))
    }

    /// The interface with this index, or `None` if there is none.
    pub fn link_by_index(&mut self, index: u32) -> Result<Option<Link>> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.get_link(message)
            .map_err(|error| error.during(format!("look up interface {index}")))
    }

    /// All interfaces of the namespace.
    pub fn links(&mut self) -> Result<Vec<Link>> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let links = self
            .channel
            .dump(RouteNetlinkMessage::GetLink(message), |answer| {
                Ok(match decode(&answer)? {
                    RouteNetlinkMessage::NewLink(link) => Some(Link::from(link)),
                    _ => None,
                })
            });
        links.map_err(|error| error.during("list interfaces"))
    }

    /// Gives the interface with this index a further name, at most 127 bytes. It keeps it for life, whether
    /// it is up or down, and no other interface of the namespace gets it: then this fails with `EEXIST`, and
    /// with `EOPNOTSUPP` before Linux 5.5.
    pub fn add_alternative_name(&mut self, index: u32, name: &str) -> Result<()> {
        let message = RouteNetlinkMessage::NewLinkProp(alternative_name(index, name));
        self.execute(message, NLM_F_CREATE | NLM_F_EXCL)
            .map_err(|error| error.during(format!("name interface {index} {name}")))
    }

    /// Takes that name away. Tells whether it had it.
    pub fn remove_alternative_name(&mut self, index: u32, name: &str) -> Result<bool> {
        let message = RouteNetlinkMessage::DelLinkProp(alternative_name(index, name));
        absent_is_false(self.execute(message, 0))
            .map_err(|error| error.during(format!("take the name {name} from interface {index}")))
    }

    fn get_link(&mut self, mut message: LinkMessage) -> Result<Option<Link>> {
        message
            .attributes
            .push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        let request = RouteNetlinkMessage::GetLink(message);
        let found = self.channel.fetch(request, |answer| {
            Ok(match decode(&answer)? {
                RouteNetlinkMessage::NewLink(link) => Some(Link::from(link)),
                _ => None,
            })
        });
        match found {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Option::flatten),
        }
    }

    /// Changes the interface with this index.
    pub fn change_link(&mut self, index: u32, change: &LinkChange) -> Result<()> {
        self.make(Request::change_link(index, change))
    }

    /// Sets the interface with this index up.
    pub fn set_link_up(&mut self, index: u32) -> Result<()> {
        self.make(Request::set_link_up(index))
    }

    /// Removes the interface with this index, for a veth both ends. Tells whether there was one.
    pub fn delete_link_by_index(&mut self, index: u32) -> Result<bool> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        absent_is_false(self.execute(RouteNetlinkMessage::DelLink(message), 0))
            .map_err(|error| error.during(format!("remove interface {index}")))
    }

    /// Removes all interfaces of a group at once, which costs little more than one. Tells whether there were
    /// any.
    pub fn delete_links(&mut self, group: u32) -> Result<bool> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        absent_is_false(self.execute(RouteNetlinkMessage::DelLink(message), 0))
            .map_err(|error| error.during(format!("remove the interfaces of group {group}")))
    }

    /// Removes the interface called `name`, for a veth both ends. Tells whether there was one.
    pub fn delete_link(&mut self, name: &str) -> Result<bool> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(name.to_owned()));
        absent_is_false(self.execute(RouteNetlinkMessage::DelLink(message), 0))
            .map_err(|error| error.during(format!("remove interface {name}")))
    }
}

impl Request {
    /// To change the interface with this index.
    pub fn change_link(index: u32, change: &LinkChange) -> Self {
        let mut message = LinkMessage::default();
        message.header.index = index;
        if let Some(up) = change.up {
            message.header.change_mask = LinkFlags::Up;
            message.header.flags = if up {
                LinkFlags::Up
            } else {
                LinkFlags::empty()
            };
        }
        message
            .attributes
            .extend(change.name.clone().map(LinkAttribute::IfName));
        message
            .attributes
            .extend(change.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        message
            .attributes
            .extend(change.mtu.map(LinkAttribute::Mtu));
        message
            .attributes
            .extend(change.alias.clone().map(LinkAttribute::IfAlias));
        message
            .attributes
            .extend(change.group.map(LinkAttribute::Group));
        let operation = format!("change interface {index}");
        Self::new(RouteNetlinkMessage::SetLink(message), 0, operation)
    }

    /// To set the interface with this index up.
    pub fn set_link_up(index: u32) -> Self {
        let up = LinkChange {
            up: Some(true),
            ..LinkChange::default()
        };
        Self::change_link(index, &up).during(format!("set interface {index} up"))
    }
}

fn alternative_name(index: u32, name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    let names = vec![Prop::AltIfName(name.to_owned())];
    message.attributes.push(LinkAttribute::PropList(names));
    message
}

/// Turns "not there" into `false`, for removals that may be repeated.
pub(crate) fn absent_is_false(outcome: Result<()>) -> Result<bool> {
    match outcome {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err::<bool, Error>(error),
    }
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            mac: None,
            mtu: 0,
            up: message.header.flags.contains(LinkFlags::Up),
            operational: false,
            loopback: message.header.flags.contains(LinkFlags::Loopback),
            veth: false,
            bridge: false,
            master: None,
            peer: None,
            alias: None,
            group: 0,
            alternative_names: Vec::new(),
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(octets) => link.mac = octets.try_into().ok().map(Mac),
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Controller(index) => link.master = Some(index),
                LinkAttribute::Link(index) => link.peer = Some(index),
                LinkAttribute::OperState(state) => link.operational = state == State::Up,
                LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
                LinkAttribute::Group(group) => link.group = group,
                LinkAttribute::PropList(names) => {
                    let names = names.into_iter().filter_map(|name| match name {
                        Prop::AltIfName(name) => Some(name),
                        _ => None,
                    });
                    link.alternative_names.extend(names);
                }
                LinkAttribute::LinkInfo(infos) => {
                    // Comparing whole messages would take code for all kinds of interfaces.
                    link.veth = infos
                        .iter()
                        .any(|it| matches!(it, LinkInfo::Kind(InfoKind::Veth)));
                    link.bridge = infos
                        .iter()
                        .any(|it| matches!(it, LinkInfo::Kind(InfoKind::Bridge)));
                }
                _ => {}
            }
        }
        link
    }
}
