//! What a table consists of, in the words of the `nft` program.

use ipnet::IpNet;

use super::ranges::AddressRanges;
use crate::route::Family as AddressFamily;

/// The family of a table: which packets it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    Inet,
    /// IPv4.
    Ip,
    /// IPv6.
    Ip6,
    /// What comes in at or leaves by ports of bridges.
    Bridge,
}

/// A table with everything in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Family.
    pub family: Family,
    /// Name.
    pub name: String,
    /// Comment, at most 127 bytes; `nft` shows it.
    pub comment: String,
    /// Named sets, which rules refer to.
    pub sets: Vec<Set>,
    /// Chains.
    pub chains: Vec<Chain>,
}

/// A named set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Name, unique in the table.
    pub name: String,
    /// What is in it.
    pub content: Content,
}

/// What a set consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These ranges, which also say of which address family it is.
    Ranges(AddressRanges),
    /// Names of interfaces, each with an address of this family (`ifname . ipv4_addr`). They come and go
    /// while the table stands, so it is written without any, and stands whatever is in it.
    InterfaceAddresses(AddressFamily),
}

/// A chain of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Name, unique in the table.
    pub name: String,
    /// Where packets enter it; without one it is reached from other chains only.
    pub base: Option<BaseChain>,
    /// Its rules in order.
    pub rules: Vec<Rule>,
}

/// How a chain is hooked into the path of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BaseChain {
    /// Type of the chain.
    pub kind: ChainKind,
    /// The hook.
    pub hook: Hook,
    /// Order among the chains of a hook: lower comes first; -300 is raw, 0 filtering, 100 source NAT.
    pub priority: i32,
    /// What happens to packets that no rule decides.
    pub policy: Policy,
}

/// The type of a base chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// Filters packets.
    Filter,
    /// Sees the first packet of each connection and translates addresses.
    Nat,
}

impl ChainKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Nat => "nat",
        }
    }
}

/// A point in the path of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Packets that are routed through this machine.
    Forward,
    /// Packets about to leave.
    Postrouting,
    /// Packets that have just come in.
    Prerouting,
}

/// What happens to packets that no rule of a base chain decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// They pass this chain.
    Accept,
    /// They are dropped.
    Drop,
}

/// A rule: expressions that are worked off from the first to the last that matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its expressions.
    pub expressions: Vec<Expression>,
    /// Comment, at most 127 bytes; `nft` shows it.
    pub comment: String,
}

/// The address of a packet that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Where it comes from (`saddr`).
    Source,
    /// Where it goes (`daddr`).
    Destination,
}

/// A protocol whose packets name their sender's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Where it asks or answers for an IPv4 address (`arp saddr ip`).
    Arp,
    /// In its header (`ip saddr`).
    Ipv4,
    /// In its header (`ip6 saddr`).
    Ipv6,
}

/// A match or a statement of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// `ip saddr 10.0.0.0/8`: the address is in the network.
    InNetwork(Direction, IpNet),
    /// `ip daddr @name`: the address is in the named set of the same table.
    InSet(Direction, AddressFamily, String),
    /// `ip daddr != @name`: the address is not in the named set of the same table.
    NotInSet(Direction, AddressFamily, String),
    /// `-m conntrack --ctstate DNAT`: the connection's destination was translated. For chains of
    /// iptables, in its own words: it refuses to list a chain that has nftables' `ct status dnat`.
    DestinationTranslated,
    /// `iifname "abc*"`: the packet came in over an interface whose name begins so.
    FromInterfaces(String),
    /// `iifname . ip saddr @name`: the interface that the packet came in by is in the named set together with
    /// the address that it names as its sender's.
    SentBy(Protocol, String),
    /// `fib saddr . iif oif missing`: no route leads back to the source over the interface that the packet
    /// came in by.
    NoWayBack,
    /// Counts packets and bytes.
    Counter,
    /// Ends this chain's hook with acceptance; chains of other tables at the same hook still decide.
    Accept,
    /// Ends the packet.
    Drop,
    /// Translates the source to the address of the outgoing interface, with fully random ports, so
    /// that simultaneous connections do not race for the same port.
    Masquerade,
}
