//! Tables, chains and rules as they stand in the kernel.
//!
//! Answers are read attribute by attribute instead of by the typed decoder, so that an expression of
//! somebody else's rule that the decoder does not know cannot hide that rule.

use netlink_packet_core::{NLA_TYPE_MASK, NlasIterator};
use netlink_packet_netfilter::nftables::{
    ChainMessage, NfTablesMessage, RuleAttribute, RuleMessage, SetElementList, SetElementMessage,
    TableMessage,
};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};

use super::Socket;
use super::batch::protocol_family;
use super::model::{Family, Policy};
use crate::error::Result;

/// Length in bytes of the netfilter header in front of the attributes.
const HEADER_BYTES: usize = 4;
/// `NFTNL_UDATA_*_COMMENT`, alike for tables and rules.
const COMMENT: u8 = 0;

/// A table in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableEntry {
    /// Family.
    pub family: Family,
    /// Name.
    pub name: String,
    /// Comment, empty if there is none.
    pub comment: String,
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
    /// Number of its hook (2 is forward, 4 postrouting); absent if it is no base chain.
    pub hook: Option<u32>,
    /// Policy; absent if it is no base chain.
    pub policy: Option<Policy>,
}

/// A rule in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleEntry {
    /// Handle, by which it can be deleted.
    pub handle: u64,
    /// Comment, empty if there is none.
    pub comment: String,
}

impl Socket {
    /// All tables of the families `inet`, `ip` and `ip6`.
    pub fn tables(&mut self) -> Result<Vec<TableEntry>> {
        let message = NfTablesMessage::GetTable(TableMessage {
            attributes: Vec::new(),
        });
        self.list(
            NetfilterProtoFamily::Unspec,
            message,
            |family, attributes| {
                Some(TableEntry {
                    family: family?,
                    name: text(find(attributes, 1)?),
                    comment: comment(find(attributes, 6)),
                })
            },
        )
        .map_err(|error| error.during("list nftables tables"))
    }

    /// All chains of the families `inet`, `ip` and `ip6`.
    pub fn chains(&mut self) -> Result<Vec<ChainEntry>> {
        let message = NfTablesMessage::GetChain(ChainMessage {
            attributes: Vec::new(),
        });
        self.list(
            NetfilterProtoFamily::Unspec,
            message,
            |family, attributes| {
                let hook = find(attributes, 4).map(|nested| read_attributes(nested));
                Some(ChainEntry {
                    family: family?,
                    table: text(find(attributes, 1)?),
                    name: text(find(attributes, 3)?),
                    hook: hook.and_then(|hook| find(&hook, 1).and_then(number)),
                    policy: find(attributes, 5)
                        .and_then(number)
                        .map(|policy| match policy {
                            0 => Policy::Drop,
                            _ => Policy::Accept,
                        }),
                })
            },
        )
        .map_err(|error| error.during("list nftables chains"))
    }

    /// The rules of a chain in order; none if the chain does not exist.
    pub fn rules(&mut self, family: Family, table: &str, chain: &str) -> Result<Vec<RuleEntry>> {
        let message = NfTablesMessage::GetRule(RuleMessage {
            attributes: vec![
                RuleAttribute::Table(table.to_owned()),
                RuleAttribute::Chain(chain.to_owned()),
            ],
        });
        let listing = self.list(protocol_family(family), message, |_, attributes| {
            let handle = find(attributes, 3)?.first_chunk().copied()?;
            // Older kernels ignore the filter and list every chain of the family.
            let ours = find(attributes, 1).map(text).as_deref() == Some(table)
                && find(attributes, 2).map(text).as_deref() == Some(chain);
            let comment = comment(find(attributes, 7));
            ours.then_some(RuleEntry {
                handle: u64::from_be_bytes(handle),
                comment,
            })
        });
        match listing {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            other => other
                .map_err(|error| error.during(format!("list nftables rules of {table} {chain}"))),
        }
    }

    /// Number of elements of a set, counting the two bounds of a range each; 0 if it does not exist.
    pub fn set_size(&mut self, family: Family, table: &str, set: &str) -> Result<usize> {
        let message = NfTablesMessage::GetSetElement(SetElementMessage {
            attributes: vec![
                SetElementList::Table(table.to_owned()),
                SetElementList::Set(set.to_owned()),
            ],
        });
        let listing = self.list(protocol_family(family), message, |_, attributes| {
            Some(find(attributes, 3).map_or(0, |nested| read_attributes(nested).len()))
        });
        match listing {
            Err(error) if error.is_not_found() => Ok(0),
            other => other
                .map(|counts| counts.into_iter().sum())
                .map_err(|error| error.during(format!("list nftables set {table} {set}"))),
        }
    }

    fn list<T>(
        &mut self,
        family: NetfilterProtoFamily,
        message: NfTablesMessage,
        mut read: impl FnMut(Option<Family>, &[(u16, &[u8])]) -> Option<T>,
    ) -> Result<Vec<T>> {
        let request = NetfilterMessage::new(NetfilterHeader::new(family, 0, 0), message);
        self.channel.dump(&request, |answer| {
            let family = match answer.payload.first() {
                Some(1) => Some(Family::Inet),
                Some(2) => Some(Family::Ip),
                Some(10) => Some(Family::Ip6),
                _ => None,
            };
            let attributes = answer.payload.get(HEADER_BYTES..).unwrap_or_default();
            Ok(read(family, &read_attributes(attributes)))
        })
    }
}

fn read_attributes(bytes: &[u8]) -> Vec<(u16, &[u8])> {
    NlasIterator::new(bytes)
        .map_while(std::result::Result::ok)
        .map(|attribute| {
            let length = usize::from(attribute.length());
            (
                attribute.kind() & NLA_TYPE_MASK,
                attribute.into_inner().get(4..length),
            )
        })
        .filter_map(|(kind, value)| Some((kind, value?)))
        .collect()
}

fn find<'a>(attributes: &[(u16, &'a [u8])], kind: u16) -> Option<&'a [u8]> {
    attributes
        .iter()
        .find(|(found, _)| *found == kind)
        .map(|(_, value)| *value)
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value)
        .trim_end_matches('\0')
        .to_owned()
}

fn number(value: &[u8]) -> Option<u32> {
    value.first_chunk().copied().map(u32::from_be_bytes)
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

fn comment(user_data: Option<&[u8]>) -> String {
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
