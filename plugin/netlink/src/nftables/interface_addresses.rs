//! Elements of sets of interfaces' names with addresses, which come and go while their table stands.

use std::net::IpAddr;

use netlink_packet_core::NLM_F_CREATE;
use netlink_packet_netfilter::nftables::{
    DataAttribute, ListAttribute, NfTablesMessage, SetElementAttribute, SetElementList,
    SetElementMessage,
};

use super::attributes::text;
use super::expression::octets;
use super::model::Table;
use super::{Batch, Socket};
use crate::error::Result;

/// Bytes that an interface's name takes in a key.
const NAME_BYTES: usize = 16;

impl Batch {
    /// Adds an element to a set of [`Content::InterfaceAddresses`]; it may be there already. The table and the
    /// set must be, or the batch fails with `ENOENT`.
    ///
    /// [`Content::InterfaceAddresses`]: super::Content::InterfaceAddresses
    pub fn add_interface_address(
        &mut self,
        table: &Table,
        set: &str,
        interface: &str,
        address: IpAddr,
    ) {
        let message = NfTablesMessage::NewSetElement(element(table, set, interface, address));
        self.push(table.family, message, NLM_F_CREATE);
    }

    /// Removes an element, which must be there, or the batch fails with `ENOENT`.
    pub fn remove_interface_address(
        &mut self,
        table: &Table,
        set: &str,
        interface: &str,
        address: IpAddr,
    ) {
        let message = NfTablesMessage::DeleteSetElement(element(table, set, interface, address));
        self.push(table.family, message, 0);
    }
}

impl Socket {
    /// The elements of a set of [`Content::InterfaceAddresses`]; none if there is no such set.
    ///
    /// [`Content::InterfaceAddresses`]: super::Content::InterfaceAddresses
    pub fn interface_addresses(
        &mut self,
        table: &Table,
        set: &str,
    ) -> Result<Vec<(String, IpAddr)>> {
        let elements = self.elements(table.family, &table.name, set)?;
        let keys = elements.into_iter().flatten().map(|(key, _)| key);
        Ok(keys.filter_map(|key| read(&key)).collect())
    }
}

fn element(table: &Table, set: &str, interface: &str, address: IpAddr) -> SetElementMessage {
    let mut key = interface.as_bytes().to_vec();
    key.resize(NAME_BYTES, 0);
    key.extend(octets(address));
    let key = SetElementAttribute::Key(DataAttribute::Value(key));
    SetElementMessage {
        attributes: vec![
            SetElementList::Table(table.name.clone()),
            SetElementList::Set(set.to_owned()),
            SetElementList::Elements(vec![ListAttribute::Element(vec![key])]),
        ],
    }
}

fn read(key: &[u8]) -> Option<(String, IpAddr)> {
    let (name, address) = key.split_at_checked(NAME_BYTES)?;
    let address = match address.len() {
        4 => IpAddr::from(*address.first_chunk::<4>()?),
        _ => IpAddr::from(*address.first_chunk::<16>()?),
    };
    Some((text(name), address))
}
