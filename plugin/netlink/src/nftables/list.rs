//! Tables, chains, rules and elements as they stand in the kernel.

use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, NfTablesMessage, RuleAttribute, RuleMessage, SetElementList,
    SetElementMessage, TableMessage,
};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};

use super::Socket;
use super::attributes::{Attribute, find, number, of_message, read, text};
use super::batch::protocol_family;
use super::model::{Family, Policy};
use super::rule::RuleEntry;
use crate::error::Result;

/// `NFTNL_UDATA_*_COMMENT`, alike for tables and rules.
const COMMENT: u8 = 0;
/// `NFT_TABLE_F_DORMANT`.
const DORMANT: u32 = 1;
/// `NFT_SET_ELEM_INTERVAL_END`.
const INTERVAL_END: u32 = 1;

/// The key of a set's element, and whether it is the end of a range instead of its begin.
pub(super) type Element = (Vec<u8>, bool);

/// A table in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Family.
    pub family: Family,
    /// Name.
    pub name: String,
    /// Comment, empty if there is none.
    pub comment: String,
    /// Flags; 1 is a dormant table, whose chains see no packets.
    pub flags: u32,
    /// Number of chains, sets and other objects in it.
    pub size: u32,
}

impl TableEntry {
    /// Whether its chains see no packets.
    pub fn is_dormant(&self) -> bool {
        self.flags & DORMANT != 0
    }
}

/// A chain in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEntry {
    /// Family of its table.
    pub family: Family,
    /// Name of its table.
    pub table: String,
    /// Name.
    pub name: String,
    /// Its type, such as `filter`; empty if it is no base chain.
    pub kind: String,
    /// Number of its hook (2 is forward, 4 postrouting); absent if it is no base chain.
    pub hook: Option<u32>,
    /// Order among the chains of its hook; absent if it is no base chain.
    pub priority: Option<i32>,
    /// Policy; absent if it is no base chain.
    pub policy: Option<Policy>,
}

impl Socket {
    /// All tables of the families `inet`, `ip` and `ip6`.
    pub fn tables(&mut self) -> Result<Vec<TableEntry>> {
        let message = NfTablesMessage::GetTable(TableMessage {
            attributes: Vec::new(),
        });
        let unspecified = NetfilterProtoFamily::Unspec;
        self.list(unspecified, message, |family, attributes| {
            read_table(routed(family), attributes)
        })
        .map_err(|error| error.during("list nftables tables"))
    }

    /// All chains of the families `inet`, `ip` and `ip6`.
    pub fn chains(&mut self) -> Result<Vec<ChainEntry>> {
        let message = NfTablesMessage::GetChain(ChainMessage {
            attributes: Vec::new(),
        });
        let unspecified = NetfilterProtoFamily::Unspec;
        self.list(unspecified, message, |family, attributes| {
            read_chain(routed(family), attributes)
        })
        .map_err(|error| error.during("list nftables chains"))
    }

    /// A chain by its name; `None` if there is none.
    pub(super) fn chain(
        &mut self,
        of: Family,
        table: &str,
        name: &str,
    ) -> Result<Option<ChainEntry>> {
        let message = NfTablesMessage::GetChain(ChainMessage {
            attributes: vec![
                ChainAttribute::Table(table.to_owned()),
                ChainAttribute::Name(name.to_owned()),
            ],
        });
        self.get(of, message, read_chain)
            .map_err(|error| error.during(format!("look up the nftables chain {table} {name}")))
    }

    /// The rules of a chain in order; none if the chain does not exist.
    pub fn rules(&mut self, family: Family, table: &str, chain: &str) -> Result<Vec<RuleEntry>> {
        let name = RuleAttribute::Chain(chain.to_owned());
        let listing = self.list_rules(family, table, vec![name], Some(chain));
        absent_is_empty(listing)
            .map_err(|error| error.during(format!("list nftables rules of {table} {chain}")))
    }

    /// The rules of all chains of a table; none if the table does not exist.
    pub fn rules_of_table(&mut self, family: Family, table: &str) -> Result<Vec<RuleEntry>> {
        let listing = self.list_rules(family, table, Vec::new(), None);
        absent_is_empty(listing)
            .map_err(|error| error.during(format!("list nftables rules of {table}")))
    }

    fn list_rules(
        &mut self,
        family: Family,
        table: &str,
        mut filter: Vec<RuleAttribute>,
        chain: Option<&str>,
    ) -> Result<Vec<RuleEntry>> {
        filter.push(RuleAttribute::Table(table.to_owned()));
        let message = NfTablesMessage::GetRule(RuleMessage { attributes: filter });
        self.list(protocol_family(family), message, |_, attributes| {
            // Older kernels ignore the filter and list every chain of the family.
            let wanted = find(attributes, 1).map(text).as_deref() == Some(table)
                && (chain.is_none() || find(attributes, 2).map(text).as_deref() == chain);
            wanted.then(|| RuleEntry::read(attributes)).flatten()
        })
    }

    /// Elements of a set; `None` in the place of one with more to it than [`Element`] tells, such as a
    /// time after which it goes. None at all if there is no such set.
    pub(super) fn elements(
        &mut self,
        family: Family,
        table: &str,
        set: &str,
    ) -> Result<Vec<Option<Element>>> {
        let message = NfTablesMessage::GetSetElement(SetElementMessage {
            attributes: vec![
                SetElementList::Table(table.to_owned()),
                SetElementList::Set(set.to_owned()),
            ],
        });
        let listing = self.list(protocol_family(family), message, |_, attributes| {
            let elements = read(find(attributes, 3).unwrap_or_default());
            Some(
                elements
                    .into_iter()
                    .map(|(_, element)| read_element(element))
                    .collect::<Vec<_>>(),
            )
        });
        absent_is_empty(listing)
            .map(|messages| messages.into_iter().flatten().collect())
            .map_err(|error| error.during(format!("list nftables set {table} {set}")))
    }

    /// The attributes of one thing as `read` reads them; `None` if it does not exist.
    pub(super) fn get<T>(
        &mut self,
        family: Family,
        message: NfTablesMessage,
        mut read: impl FnMut(Option<Family>, &[Attribute<'_>]) -> Option<T>,
    ) -> Result<Option<T>> {
        let header = NetfilterHeader::new(protocol_family(family), 0, 0);
        let request = NetfilterMessage::new(header, message);
        let found = self.channel.fetch(request, |answer| {
            Ok(read(
                self::family(answer.payload),
                &of_message(answer.payload),
            ))
        });
        match found {
            Err(error) if error.is_not_found() => Ok(None),
            other => other.map(Option::flatten),
        }
    }

    fn list<T>(
        &mut self,
        family: NetfilterProtoFamily,
        message: NfTablesMessage,
        mut read: impl FnMut(Option<Family>, &[Attribute<'_>]) -> Option<T>,
    ) -> Result<Vec<T>> {
        let request = NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), message);
        self.channel.dump(request, |answer| {
            Ok(read(
                self::family(answer.payload),
                &of_message(answer.payload),
            ))
        })
    }
}

/// The family that a message names, if it is one of those that matter here.
pub(super) fn family(payload: &[u8]) -> Option<Family> {
    match payload.first() {
        Some(1) => Some(Family::Inet),
        Some(2) => Some(Family::Ip),
        Some(7) => Some(Family::Bridge),
        Some(10) => Some(Family::Ip6),
        _ => None,
    }
}

/// Those that see what is routed.
fn routed(family: Option<Family>) -> Option<Family> {
    family.filter(|family| *family != Family::Bridge)
}

fn absent_is_empty<T>(listing: Result<Vec<T>>) -> Result<Vec<T>> {
    match listing {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => other,
    }
}

pub(super) fn read_table(
    family: Option<Family>,
    attributes: &[Attribute<'_>],
) -> Option<TableEntry> {
    Some(TableEntry {
        family: family?,
        name: text(find(attributes, 1)?),
        comment: comment(find(attributes, 6)),
        flags: find(attributes, 2).and_then(number).unwrap_or_default(),
        size: find(attributes, 3).and_then(number).unwrap_or_default(),
    })
}

fn read_chain(family: Option<Family>, attributes: &[Attribute<'_>]) -> Option<ChainEntry> {
    let hook = find(attributes, 4).map(read).unwrap_or_default();
    let priority = find(&hook, 2).and_then(number);
    Some(ChainEntry {
        family: family?,
        table: text(find(attributes, 1)?),
        name: text(find(attributes, 3)?),
        kind: find(attributes, 7).map(text).unwrap_or_default(),
        hook: find(&hook, 1).and_then(number),
        priority: priority.map(u32::cast_signed),
        policy: find(attributes, 5)
            .and_then(number)
            .map(|policy| match policy {
                0 => Policy::Drop,
                _ => Policy::Accept,
            }),
    })
}

fn read_element(bytes: &[u8]) -> Option<Element> {
    let attributes = read(bytes);
    let key = find(&read(find(&attributes, 1)?), 1)?.to_vec();
    let flags = find(&attributes, 3).and_then(number).unwrap_or_default();
    // Beside key and flags only what a user noted (6) is without effect.
    let plain = attributes.iter().all(|(kind, _)| [1, 3, 6].contains(kind));
    (plain && flags <= INTERVAL_END).then_some((key, flags == INTERVAL_END))
}

/// Reads what could be a table, a chain, an element or a rule.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_answer(payload: &[u8]) {
    let attributes = of_message(payload);
    drop(read_table(Some(Family::Inet), &attributes));
    drop(read_chain(Some(Family::Inet), &attributes));
    drop(read_element(payload));
    super::rule::parsed(payload).for_each(drop);
}

/// User data as `nft` lays it out: type, length, value, here one comment.
pub(super) fn comment_data(comment: &str) -> Vec<u8> {
    // The length field has one byte and counts the terminating zero.
    let mut end = comment.len().min(127);
    while !comment.is_char_boundary(end) {
        end -= 1;
    }
    let length = u8::try_from(end + 1).unwrap_or(u8::MAX);
    let mut data = vec![COMMENT, length];
    data.extend_from_slice(&comment.as_bytes()[..end]);
    data.push(0);
    data
}

pub(super) fn comment(user_data: Option<&[u8]>) -> String {
    let mut rest = user_data.unwrap_or_default();
    while let [kind, length, tail @ ..] = rest {
        let value = tail.get(..usize::from(*length)).unwrap_or_default();
        if *kind == COMMENT {
            return text(value);
        }
        rest = tail.get(usize::from(*length)..).unwrap_or_default();
    }
    String::new()
}
