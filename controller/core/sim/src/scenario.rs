//! The world that a seed begins with, and what happens in it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ipnet::IpNet;
use signpost_core::{Config, Limits, PoolConfig, PoolState, lease::Terms};

use crate::{
    dice::mix,
    faults::{Entry, Fault, Target},
};

/// How many node names there are.
pub(crate) const NAMES: u8 = 12;

/// So rare are clouds that carry changes out later, and the dice by which they are chosen: those whose
/// fixed seeds tell the story that they are kept for.
const OPERATIONS_IN: u64 = 5;
const OPERATIONS: u64 = 17_152;
const BULK: u64 = 18_432;

/// What listings say of how full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tells {
    Nothing,
    /// How many routes it holds.
    Use,
    /// That, and how many it may hold.
    Limit,
}

/// Which kind of route tables there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloudKind {
    /// A kernel's table: consistent, fast, with notifications. Next hops are the nodes' addresses.
    Local,
    /// Eventually consistent, slow, throttled. Next hops are network interfaces.
    Cloud,
    /// Provider `none`.
    None,
}

/// How the cloud deals with routes.
#[expect(clippy::struct_excessive_bools, reason = "each for itself")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// Routes of ours carry a mark, as in a kernel's table. Without, they are recognised only where a
    /// listing is asked to look, as on AWS.
    pub(crate) marks: bool,
    /// Routes have names, as in a cloud that cannot replace a route in one step.
    pub(crate) handles: bool,
    /// Changes are accepted at once and carried out later, and none leads a route elsewhere in one step.
    pub(crate) operations: bool,
    /// Routes of both families count against one quota.
    pub(crate) common_quota: bool,
    /// Listings say that packets are dropped by an instance that does not forward.
    pub(crate) tells_forwarding: bool,
}

/// What holds for a whole run.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) cloud: CloudKind,
    pub(crate) limits: Limits,
    pub(crate) tables: u8,
    pub(crate) config: Config,
    pub(crate) nodes: u8,
    pub(crate) habits: Habits,
    /// The spans of the election.
    pub(crate) terms: Terms,
    /// How long a write to the API server is waited for, in milliseconds, and how long it may still
    /// land once the server has it.
    pub(crate) api_wait: u64,
    pub(crate) api_serve: u64,
    /// What listings say of how full a table is.
    pub(crate) tells: Tells,
    /// At the end, what stands in the way of nodes is taken away too.
    pub(crate) heal: bool,
    /// What each controller's clock shows at the start.
    pub(crate) origins: [u64; 2],
}

impl Scenario {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(mix(seed, 1));
        let cloud = match rng.u8(0..20) {
            0 => CloudKind::None,
            1..=8 => CloudKind::Local,
            _ => CloudKind::Cloud,
        };
        let operations =
            cloud == CloudKind::Cloud && mix(seed, OPERATIONS).is_multiple_of(OPERATIONS_IN);
        let terms = terms(&mut rng);
        // As `Bounds::of` in the program's `api` has it.
        let longest = terms.longest_write();
        let serve = Duration::from_secs((longest.as_secs() / 2).max(1));
        let wait = longest.saturating_sub(serve);
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let limits = match cloud {
            CloudKind::Local => Limits::LOCAL,
            CloudKind::None => Limits {
                routes: false,
                ..Limits::LOCAL
            },
            CloudKind::Cloud => Limits {
                routes: true,
                forwarding: rng.bool(),
                replaces: !operations,
                // Longer than a write can take, which it includes.
                settle: Duration::from_secs(rng.u64(6..=25)),
                listing_interval: Duration::from_millis(rng.u64(500..=2_000)),
                bulk_listing_interval: Duration::from_millis(2_000 + mix(seed, BULK) % 6_000),
                route_writes: rng.usize(1..=8),
                api_writes: rng.usize(1..=8),
                api_settle: serve,
            },
        };
        let limits = Limits {
            api_settle: serve,
            ..limits
        };
        Self {
            seed,
            cloud,
            limits,
            tables: if cloud == CloudKind::Cloud {
                rng.u8(1..=3)
            } else {
                1
            },
            config: config(&mut rng),
            nodes: rng.u8(1..=8),
            habits: Habits {
                marks: cloud == CloudKind::Local || rng.u8(0..3) == 0,
                handles: rng.bool() || operations,
                operations,
                common_quota: operations && mix(seed, OPERATIONS + 1).is_multiple_of(2),
                tells_forwarding: rng.bool(),
            },
            terms,
            api_wait: millis(wait),
            api_serve: millis(serve),
            tells: [Tells::Nothing, Tells::Use, Tells::Limit][rng.usize(0..3)],
            heal: rng.bool(),
            origins: [rng.u64(0..1_000_000), rng.u64(0..1_000_000)],
        }
    }

    /// What happens, in the order of time.
    pub(crate) fn schedule(&self) -> Vec<Entry> {
        let mut rng = fastrand::Rng::with_seed(mix(self.seed, 2));
        let horizon = rng.u64(20_000..=200_000);
        // In half of the worlds much happens at a few times, in a third to a few nodes.
        let bursts: Vec<u64> = (0..rng.usize(1..=4)).map(|_| rng.u64(0..horizon)).collect();
        let clustered = rng.bool();
        let names = if rng.u8(0..3) == 0 { 4 } else { NAMES };
        let total: u32 = Fault::ALL.iter().map(|fault| fault.weight()).sum();
        let mut entries: Vec<Entry> = (0..rng.usize(5..=40))
            .map(|_| {
                let mut ticket = rng.u32(0..total);
                let fault = Fault::ALL
                    .iter()
                    .copied()
                    .find(|fault| match ticket.checked_sub(fault.weight()) {
                        Some(rest) => {
                            ticket = rest;
                            false
                        }
                        None => true,
                    })
                    .unwrap_or(Fault::NodeAdded);
                Entry {
                    at: if clustered {
                        bursts[rng.usize(0..bursts.len())] + rng.u64(0..8_000)
                    } else {
                        rng.u64(0..horizon)
                    },
                    fault,
                    target: match fault.target() {
                        Target::Node | Target::Nodes => rng.u8(0..names),
                        Target::Controller => rng.u8(0..2),
                        Target::Table => rng.u8(0..3),
                        Target::Block | Target::World => rng.u8(..),
                    },
                    amount: rng.u8(1..=30),
                }
            })
            .collect();
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}

/// The spans that follow from a lease duration as the command line has them; mostly the default.
fn terms(rng: &mut fastrand::Rng) -> Terms {
    if rng.u8(0..8) > 0 {
        return Terms::default();
    }
    let duration = Duration::from_secs([30, 60, 90][rng.usize(0..3)]);
    Terms {
        duration,
        deadline: duration * 2 / 3,
        renew_every: duration / 5,
        look_every: duration * 2 / 15,
    }
}

fn config(rng: &mut fastrand::Rng) -> Config {
    let mut pools = vec![pool("main", "10.0.0.0/24", rng.u8(26..=28))];
    if rng.u8(0..3) == 0 {
        pools.push(pool("six", "fd00::/60", rng.u8(62..=64)));
        if rng.bool() {
            pools.swap(0, 1);
        }
    }
    if rng.u8(0..4) == 0 {
        let mut zone = pool("zone-b", "10.1.0.0/25", rng.u8(26..=28));
        zone.node_selector = label("b");
        pools.insert(0, zone);
    }
    Config {
        generation: 1,
        pools,
        reserved: Vec::new(),
        check_period: Duration::from_secs([5, 10, 30][rng.usize(0..3)]),
        max_deletion_percent: [30, 30, 50, 100][rng.usize(0..4)],
        teardown: false,
    }
}

/// The labels of a node of that zone.
pub(crate) fn label(zone: &str) -> BTreeMap<Arc<str>, Arc<str>> {
    BTreeMap::from([("zone".into(), zone.into())])
}

/// An active pool for every node.
pub(crate) fn pool(name: &str, cidr: &str, node_prefix_length: u8) -> PoolConfig {
    PoolConfig {
        name: name.into(),
        cidr: net(cidr),
        node_prefix_length,
        node_selector: BTreeMap::new(),
        state: PoolState::Active,
    }
}

/// A range written in this crate.
#[expect(
    clippy::expect_used,
    reason = "only literals and numbers below 256 come here"
)]
pub(crate) fn net(cidr: &str) -> IpNet {
    cidr.parse().expect("a CIDR written in this crate")
}

/// The blocks of a pool, in order.
pub(crate) fn blocks(pool: &PoolConfig) -> Vec<IpNet> {
    pool.cidr
        .subnets(pool.node_prefix_length)
        .map(Iterator::collect)
        .unwrap_or_default()
}
