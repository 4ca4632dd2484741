//! Routing policy: which packets follow a table of their own.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::error::Result;
use crate::link::absent_is_false;
use crate::route::Family;
use crate::socket::Socket;
use crate::wiring::ROUTE_PROTOCOL;

impl Socket {
    /// Has packets from `source` follow `table`. The kernel puts the rule before those that are there.
    pub fn add_rule_from(&mut self, source: IpAddr, table: u32) -> Result<()> {
        let mut message = message(Family::of(source), table);
        message.header.src_len = IpNet::from(source).prefix_len();
        message.attributes.push(RuleAttribute::Source(source));
        self.add_rule(message)
            .map_err(|error| error.during(format!("add a rule from {source} to table {table}")))
    }

    /// Has packets of sockets that are bound to `interface` follow `table`.
    pub fn add_rule_over(&mut self, interface: &str, family: Family, table: u32) -> Result<()> {
        let mut message = message(family, table);
        let name = RuleAttribute::Oifname(interface.to_owned());
        message.attributes.push(name);
        self.add_rule(message)
            .map_err(|error| error.during(format!("add a rule over {interface} to table {table}")))
    }

    fn add_rule(&mut self, message: RuleMessage) -> Result<()> {
        self.execute(
            RouteNetlinkMessage::NewRule(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Removes all rules of this family that were added here and lead to `table`.
    pub fn delete_rules(&mut self, family: Family, table: u32) -> Result<()> {
        let message = RouteNetlinkMessage::DelRule(message(family, table));
        while absent_is_false(self.execute(message.clone(), 0))
            .map_err(|error| error.during(format!("remove the rules to table {table}")))?
        {}
        Ok(())
    }
}

fn message(family: Family, table: u32) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Table(table),
        RuleAttribute::Protocol(ROUTE_PROTOCOL.into()),
    ];
    message
}
