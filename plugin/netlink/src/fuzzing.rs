//! Reads what could be an answer of the kernel, for a fuzzer.

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR};
use netlink_packet_route::RouteNetlinkMessage;

use crate::channel::Answer;
use crate::message::{check_done, check_error, split_message};
use crate::{Link, address, neighbour, nftables, route_message, socket};

/// Reads a datagram as those of rtnetlink and of nftables are read.
pub fn answers(datagram: &[u8]) {
    let mut rest = datagram;
    while let Ok((header, payload, next)) = split_message(rest) {
        // As when a connection reads.
        match header.message_type {
            NLMSG_ERROR => drop(check_error(&header, payload)),
            NLMSG_DONE => drop(check_done(payload)),
            _ => {
                nftables::list::read_answer(payload);
                read(&Answer { header, payload });
            }
        }
        rest = next;
        if rest.is_empty() {
            break;
        }
    }
}

fn read(answer: &Answer<'_>) {
    match socket::decode(answer) {
        Ok(RouteNetlinkMessage::NewRoute(message)) => drop(route_message::read_route(&message)),
        Ok(RouteNetlinkMessage::NewAddress(message)) => drop(address::read_address(&message)),
        Ok(RouteNetlinkMessage::NewNeighbour(message)) => drop(neighbour::read_neighbour(&message)),
        Ok(RouteNetlinkMessage::NewLink(message)) => drop(Link::from(message)),
        _ => {}
    }
}
