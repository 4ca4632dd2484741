//! Whether a table stands in the kernel as it was written.
//!
//! What the kernel holds is compared with what would be sent, not with what was read back after it was
//! sent: that needs no memory, so an agent that starts leaves a table alone that stands, and nobody can
//! slip in a change between writing and reading back. Rules are compared expression by expression in
//! the kernel's own form, so that an expression that is unknown here is a difference too.

use netlink_packet_netfilter::nftables::{
    NfTablesMessage, SetAttribute, SetMessage, TableAttribute, TableMessage,
};

use super::Socket;
use super::attributes::{Attribute, find, number};
use super::batch::{hook_number, key_type};
use super::list::{ChainEntry, read_table};
use super::model::{Chain, Content, Set, Table};
use super::rule::RuleEntry;
use crate::error::Result;

/// `NFT_SET_INTERVAL`.
const INTERVAL: u32 = 4;
/// Attributes of sets that say what else their elements hold or how long they last: data type and
/// length, timeout, interval of its check, object type and expressions.
const BEYOND_KEYS: [u16; 7] = [6, 7, 11, 12, 15, 17, 18];

impl Socket {
    /// Whether the kernel holds `table` just as [`Batch::replace_table`] writes it: awake, with its
    /// comment, its chains at their hooks, its rules and its elements, and with nothing else in it.
    ///
    /// [`Batch::replace_table`]: super::Batch::replace_table
    pub fn stands(&mut self, table: &Table) -> Result<bool> {
        let name = TableAttribute::Name(table.name.clone());
        let message = NfTablesMessage::GetTable(TableMessage {
            attributes: vec![name],
        });
        let found = self
            .get(table.family, message, read_table)
            .map_err(|error| error.during(format!("look up the nftables table {}", table.name)))?;
        let as_a_whole = found.is_some_and(|found| {
            found.flags == 0
                && found.comment == table.comment
                && usize::try_from(found.size) == Ok(table.chains.len() + table.sets.len())
        });
        if !as_a_whole {
            return Ok(false);
        }
        for chain in &table.chains {
            if !self.chain_stands(table, chain)? {
                return Ok(false);
            }
        }
        for set in &table.sets {
            if !self.set_stands(table, set)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn chain_stands(&mut self, table: &Table, chain: &Chain) -> Result<bool> {
        let found = self.chain(table.family, &table.name, &chain.name)?;
        if found != Some(entry(table, chain)) {
            return Ok(false);
        }
        let rules = self.rules(table.family, &table.name, &chain.name)?;
        let same = |(found, wanted): (&RuleEntry, _)| found.is(table.family, wanted);
        Ok(rules.len() == chain.rules.len() && rules.iter().zip(&chain.rules).all(same))
    }

    fn set_stands(&mut self, table: &Table, set: &Set) -> Result<bool> {
        let message = NfTablesMessage::GetSet(SetMessage {
            attributes: vec![
                SetAttribute::Table(table.name.clone()),
                SetAttribute::Name(set.name.clone()),
            ],
        });
        let of_that_type = self
            .get(table.family, message, |_, attributes| {
                Some(is_of_type(attributes, set))
            })
            .map_err(|error| error.during(format!("look up the nftables set {}", set.name)))?;
        if of_that_type != Some(true) {
            return Ok(false);
        }
        let Content::Ranges(ranges) = &set.content else {
            return Ok(true);
        };
        let mut found = self.elements(table.family, &table.name, &set.name)?;
        let mut wanted: Vec<_> = ranges.elements().map(Some).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        Ok(found == wanted)
    }
}

/// The chain as a listing shows it.
fn entry(table: &Table, chain: &Chain) -> ChainEntry {
    ChainEntry {
        family: table.family,
        table: table.name.clone(),
        name: chain.name.clone(),
        kind: chain.base.map_or("", |base| base.kind.name()).to_owned(),
        hook: chain.base.map(|base| hook_number(base.hook).into()),
        priority: chain.base.map(|base| base.priority),
        policy: chain.base.map(|base| base.policy),
    }
}

fn is_of_type(attributes: &[Attribute<'_>], set: &Set) -> bool {
    let value = |kind| find(attributes, kind).and_then(number).unwrap_or_default();
    let nothing = |kind: &u16| {
        let bytes = find(attributes, *kind).unwrap_or_default();
        bytes.iter().all(|byte| *byte == 0)
    };
    let flags = match set.content {
        Content::Ranges(_) => INTERVAL,
        Content::InterfaceAddresses(_) => 0,
    };
    value(3) == flags
        && (value(4), value(5)) == key_type(&set.content)
        && BEYOND_KEYS.iter().all(nothing)
}
