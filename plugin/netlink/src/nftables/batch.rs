//! Changes that the kernel applies together.

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, DataAttribute, Hook as HookAttribute, HookNumber, InetHookNumber,
    ListAttribute, NfTablesMessage, RuleAttribute, RuleMessage, SetAttribute, SetElementAttribute,
    SetElementFlags, SetElementList, SetElementMessage, SetFlags, SetMessage, TableAttribute,
    TableMessage,
};
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};

use super::Socket;
use super::expression::lower;
use super::list::comment_data;
use super::model::{BaseChain, Chain, Content, Family, Hook, Policy, Rule, Set, Table};
use crate::error::Result;
use crate::route::Family as AddressFamily;

/// `NFNL_SUBSYS_NFTABLES`, which a batch names in its first and last message.
pub(super) const SUBSYSTEM: u16 = 10;
/// Elements sent in one message: the list must stay below the 64 KiB of an attribute.
const ELEMENTS_PER_MESSAGE: usize = 1000;

/// Changes to be applied all together or not at all.
#[derive(Debug, Default)]
pub struct Batch {
    messages: Vec<(NetfilterMessage, u16)>,
    sets: u32,
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `table` in the place of the one with its family and name, if there is one.
    pub fn replace_table(&mut self, table: &Table) {
        self.remove_table(table.family, &table.name);
        self.create_table(table);
    }

    /// Creates `table`; the batch fails with `EEXIST` if there is one with its family and name.
    pub fn create_table(&mut self, table: &Table) {
        let mut attributes = vec![TableAttribute::Name(table.name.clone())];
        if !table.comment.is_empty() {
            attributes.push(TableAttribute::UserData(comment_data(&table.comment)));
        }
        let message = NfTablesMessage::NewTable(TableMessage { attributes });
        self.push(table.family, message, NLM_F_CREATE | NLM_F_EXCL);
        for set in &table.sets {
            self.add_set(table, set);
        }
        for chain in &table.chains {
            self.add_chain(table, chain);
        }
        for chain in &table.chains {
            for rule in &chain.rules {
                self.add_rule(table.family, &table.name, &chain.name, rule, None);
            }
        }
    }

    /// Removes a table with everything in it, if it is there.
    pub fn remove_table(&mut self, family: Family, name: &str) {
        // Deleting an absent table would fail the batch, so it is made sure first that it is there.
        let attributes = vec![TableAttribute::Name(name.to_owned())];
        let create = NfTablesMessage::NewTable(TableMessage {
            attributes: attributes.clone(),
        });
        self.push(family, create, NLM_F_CREATE);
        self.push(
            family,
            NfTablesMessage::DeleteTable(TableMessage { attributes }),
            0,
        );
    }

    /// Adds a rule to a chain: before the one with the handle `before`, or without one at the end.
    pub fn add_rule(
        &mut self,
        family: Family,
        table: &str,
        chain: &str,
        rule: &Rule,
        before: Option<u64>,
    ) {
        let mut attributes = vec![
            RuleAttribute::Table(table.to_owned()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Expressions(lower(family, rule)),
        ];
        if !rule.comment.is_empty() {
            attributes.push(RuleAttribute::UserData(comment_data(&rule.comment)));
        }
        // Without NLM_F_APPEND a position is the rule that comes after.
        let place = match before {
            Some(handle) => {
                attributes.push(RuleAttribute::Position(handle));
                0
            }
            None => NLM_F_APPEND,
        };
        let message = NfTablesMessage::NewRule(RuleMessage { attributes });
        self.push(family, message, NLM_F_CREATE | place);
    }

    /// Deletes the rule with this handle.
    pub fn delete_rule(&mut self, family: Family, table: &str, chain: &str, handle: u64) {
        let attributes = vec![
            RuleAttribute::Table(table.to_owned()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Handle(handle),
        ];
        self.push(
            family,
            NfTablesMessage::DeleteRule(RuleMessage { attributes }),
            0,
        );
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn add_set(&mut self, table: &Table, set: &Set) {
        let (data_type, length) = key_type(&set.content);
        self.sets += 1;
        let flags = match set.content {
            Content::Ranges(_) => SetFlags::Interval,
            Content::InterfaceAddresses(_) => SetFlags::empty(),
        };
        let attributes = vec![
            SetAttribute::Table(table.name.clone()),
            SetAttribute::Name(set.name.clone()),
            SetAttribute::Flags(flags),
            SetAttribute::KeyType(data_type),
            SetAttribute::KeyLen(length),
            SetAttribute::Id(self.sets),
        ];
        let message = NfTablesMessage::NewSet(SetMessage { attributes });
        self.push(table.family, message, NLM_F_CREATE);
        let Content::Ranges(ranges) = &set.content else {
            return;
        };
        let elements: Vec<_> = ranges.elements().collect();
        for chunk in elements.chunks(ELEMENTS_PER_MESSAGE) {
            let list = chunk.iter().map(|(key, end)| {
                let mut element = vec![SetElementAttribute::Key(DataAttribute::Value(key.clone()))];
                if *end {
                    element.push(SetElementAttribute::Flags(SetElementFlags::IntervalEnd));
                }
                ListAttribute::Element(element)
            });
            let attributes = vec![
                SetElementList::Table(table.name.clone()),
                SetElementList::Set(set.name.clone()),
                SetElementList::SetId(self.sets),
                SetElementList::Elements(list.collect()),
            ];
            let message = NfTablesMessage::NewSetElement(SetElementMessage { attributes });
            self.push(table.family, message, NLM_F_CREATE);
        }
    }

    fn add_chain(&mut self, table: &Table, chain: &Chain) {
        let mut attributes = vec![
            ChainAttribute::Table(table.name.clone()),
            ChainAttribute::Name(chain.name.clone()),
        ];
        attributes.extend(chain.base.into_iter().flat_map(base_attributes));
        let message = NfTablesMessage::NewChain(ChainMessage { attributes });
        self.push(table.family, message, NLM_F_CREATE);
    }

    pub(super) fn push(&mut self, family: Family, message: NfTablesMessage, flags: u16) {
        let header = NetfilterHeader::new(protocol_family(family), 0, 0);
        self.messages
            .push((NetfilterMessage::new(header, message), flags));
    }
}

impl Socket {
    /// Applies a batch: all of it, or on an error nothing.
    pub fn commit(&mut self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let control = |message: ControlMessage| {
            let header = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, SUBSYSTEM);
            NetfilterMessage::new(header, message)
        };
        let opening = (control(ControlMessage::BatchBegin), 0);
        let messages = std::iter::once(opening).chain(batch.messages).collect();
        self.channel
            .batch(messages, control(ControlMessage::BatchEnd))
            .map_err(|error| error.during("apply nftables changes"))
    }
}

/// The type of a set's keys and their length in bytes; the types are `nft`'s numbers for `ipv4_addr`,
/// `ipv6_addr` and `ifname`, of which it puts one behind the other by shifting.
pub(super) fn key_type(content: &Content) -> (u32, u32) {
    let of_address = |family| match family {
        AddressFamily::V4 => (7, 4),
        AddressFamily::V6 => (8, 16),
    };
    match content {
        Content::Ranges(ranges) => of_address(ranges.family()),
        Content::InterfaceAddresses(family) => {
            let (data_type, length) = of_address(*family);
            (41 << 6 | data_type, 16 + length)
        }
    }
}

fn base_attributes(base: BaseChain) -> [ChainAttribute; 3] {
    let policy = match base.policy {
        Policy::Drop => 0,
        Policy::Accept => 1,
    };
    [
        ChainAttribute::Hook(vec![
            HookAttribute::Number(HookNumber::Inet(hook_number(base.hook))),
            HookAttribute::Priority(base.priority.cast_unsigned()),
        ]),
        ChainAttribute::Type(base.kind.name().to_owned()),
        ChainAttribute::Policy(policy),
    ]
}

pub(super) fn hook_number(hook: Hook) -> InetHookNumber {
    match hook {
        Hook::Forward => InetHookNumber::Forward,
        Hook::Postrouting => InetHookNumber::PostRouting,
        Hook::Prerouting => InetHookNumber::PreRouting,
    }
}

pub(super) fn protocol_family(family: Family) -> NetfilterProtoFamily {
    match family {
        Family::Inet => NetfilterProtoFamily::Inet,
        Family::Ip => NetfilterProtoFamily::IPv4,
        Family::Ip6 => NetfilterProtoFamily::IPv6,
        Family::Bridge => NetfilterProtoFamily::Bridge,
    }
}
