//! Rules as they stand in the kernel, others' too: what can be said of them without knowing every
//! expression.

use ipnet::IpNet;

use super::attributes::{Attribute, bytes, find, number, read, same, text};
use super::expression::{addresses, lower, octets};
use super::list::comment;
use super::model::{Family, Rule};

/// A rule in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleEntry {
    /// Handle, by which it can be deleted.
    pub handle: u64,
    /// Comment, empty if there is none.
    pub comment: String,
    expressions: Vec<u8>,
}

/// Where a rule sends packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They pass the chains of this table at this hook.
    Accept,
    /// They are dropped.
    Drop,
    /// They are dropped, and their sender is told.
    Reject,
    /// Into another chain, and back when that has decided nothing.
    Jump(String),
    /// Into another chain, and when that has decided nothing back to where this one was entered.
    Goto(String),
    /// Back to where the chain was entered; from a base chain to its policy.
    Return,
}

impl RuleEntry {
    pub(super) fn read(attributes: &[Attribute<'_>]) -> Option<Self> {
        let handle = find(attributes, 3)?.first_chunk().copied()?;
        let expressions = find(attributes, 4).unwrap_or_default().to_vec();
        let mut comment = comment(find(attributes, 7));
        if comment.is_empty() {
            // Where iptables writes them.
            let noted =
                parsed(&expressions).find_map(|(name, data)| extension(&name, data, "comment"));
            comment = noted.map(text).unwrap_or_default();
        }
        Some(Self {
            handle: u64::from_be_bytes(handle),
            comment,
            expressions,
        })
    }

    /// Whether it does what `rule` says in a table of `family`, whatever it has counted, and has its
    /// comment.
    pub fn is(&self, family: Family, rule: &Rule) -> bool {
        let sent = bytes(&lower(family, rule));
        let (sent, shown): (Vec<_>, Vec<_>) =
            (parsed(&sent).collect(), parsed(&self.expressions).collect());
        self.comment == rule.comment
            && sent.len() == shown.len()
            && sent.iter().zip(&shown).all(|(sent, shown)| {
                sent.0 == shown.0 && (sent.0 == "counter" || same(sent.1, shown.1))
            })
    }

    /// What it does with every packet that comes to it; `None` if it asks something first, or leaves
    /// packets to the next rule.
    pub fn verdict(&self) -> Option<Verdict> {
        let decides = |(name, data): &(String, &[u8])| {
            let goes_on = matches!(name.as_str(), "counter" | "log")
                || extension(name, data, "comment").is_some()
                || extension(name, data, "LOG").is_some();
            !goes_on
        };
        let (name, data) = parsed(&self.expressions).find(decides)?;
        if name == "reject" || extension(&name, data, "REJECT").is_some() {
            return Some(Verdict::Reject);
        }
        if name != "immediate" {
            return None;
        }
        let data = read(find(&read(data), 2)?);
        let verdict = read(find(&data, 2)?);
        let chain = || find(&verdict, 2).map(text);
        match number(find(&verdict, 1)?)?.cast_signed() {
            0 => Some(Verdict::Drop),
            1 => Some(Verdict::Accept),
            -3 => chain().map(Verdict::Jump),
            -4 => chain().map(Verdict::Goto),
            -5 => Some(Verdict::Return),
            _ => None,
        }
    }

    /// Whether it asks if a packet's address is in just this network. A set that the network is in is
    /// not looked into.
    pub fn asks_for(&self, network: &IpNet) -> bool {
        let address = octets(network.network());
        let mut loaded = false;
        let mut prefix = 0;
        parsed(&self.expressions).any(|(name, data)| {
            let data = read(data);
            let value = |kind| find(&read(find(&data, kind)?), 1).map(<[u8]>::to_vec);
            match name.as_str() {
                "payload" => {
                    let field = |kind| find(&data, kind).and_then(number).unwrap_or_default();
                    // Of a network that ends at a byte `nft` and iptables load no more than its bytes.
                    loaded = addresses(network).contains(&(field(2), field(3)));
                    prefix = field(4) * 8;
                }
                "bitwise" => {
                    let mask = value(4).unwrap_or_default();
                    prefix = mask.iter().map(|byte| byte.count_ones()).sum();
                }
                "cmp" if loaded && find(&data, 2).and_then(number).unwrap_or_default() == 0 => {
                    return prefix == u32::from(network.prefix_len())
                        && value(3).is_some_and(|value| address.starts_with(&value));
                }
                _ => {}
            }
            false
        })
    }
}

/// Names and data of the expressions in a list of them.
pub(super) fn parsed(expressions: &[u8]) -> impl Iterator<Item = (String, &[u8])> {
    read(expressions).into_iter().map(|(_, expression)| {
        let attributes = read(expression);
        let name = find(&attributes, 1).map(text).unwrap_or_default();
        (name, find(&attributes, 2).unwrap_or_default())
    })
}

/// What iptables' match or target `wanted` holds, if the expression is that one.
fn extension<'a>(name: &str, data: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let attributes = read(data);
    let found = matches!(name, "match" | "target") && text(find(&attributes, 1)?) == wanted;
    if found { find(&attributes, 3) } else { None }
}
