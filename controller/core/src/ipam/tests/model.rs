//! Random operations against a model that keeps plain lists and looks at everything each time.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::ipam::{AllocateError, Claim, Family, Fate};

/// Few nodes and few networks, so that they meet.
const NODES: [(&str, i64); 5] = [("n0", 3), ("n1", 1), ("n2", 2), ("n3", 2), ("n4", 5)];

#[derive(Debug, Clone)]
enum Op {
    Claim(usize, IpNet),
    Allocate(usize, bool),
    Retain(usize, Vec<Index>),
    EndQuarantine(Index),
    Obstruct(Vec<IpNet>),
    Reconfigure(Config),
}

fn any_net() -> impl Strategy<Value = IpNet> {
    let four = (0u8..=128, 26u8..=30).prop_map(|(low, len)| format!("10.0.0.{low}/{len}"));
    let six = (0u8..16, 58u8..=63).prop_map(|(low, len)| format!("fd00:0:0:{low:x}::/{len}"));
    prop_oneof![
        8 => four,
        4 => six,
        1 => Just("10.0.0.0/24".to_owned()),
        1 => Just("0.0.0.0/0".to_owned()),
        1 => Just("fd00::/60".to_owned()),
    ]
    .prop_map(|text| net(&text).trunc())
}

fn any_config() -> impl Strategy<Value = Config> {
    // The first two overlap: only one of them at a time.
    let whole = prop_oneof![
        Just(None),
        Just(Some(pool("a", "10.0.0.0/26", 28))),
        Just(Some(pool("b", "10.0.0.0/26", 29))),
        Just(Some(pool("c", "10.0.0.0/27", 28))),
    ];
    let mut zone = pool("d", "10.0.0.64/26", 28);
    zone.node_selector = labels(&[("zone", "b")]);
    let others = prop::sample::subsequence(
        vec![
            zone,
            pool("e", "fd00::/60", 62),
            pool("f", "10.0.0.128/28", 28),
        ],
        0..=3,
    );
    let reserved = prop::collection::vec(any_net(), 0..2);
    (whole, others, reserved, any::<[bool; 4]>(), any::<bool>()).prop_map(
        |(whole, others, reserved, draining, reverse)| {
            let mut pools: Vec<_> = whole.into_iter().chain(others).collect();
            for (pool, draining) in pools.iter_mut().zip(draining) {
                if draining {
                    pool.state = PoolState::Draining;
                }
            }
            if reverse {
                pools.reverse();
            }
            Config {
                reserved,
                ..config(pools)
            }
        },
    )
}

fn any_op() -> impl Strategy<Value = Op> {
    let node = 0..NODES.len();
    prop_oneof![
        4 => (node.clone(), any_net()).prop_map(|(node, net)| Op::Claim(node, net)),
        6 => (node.clone(), any::<bool>()).prop_map(|(node, zone)| Op::Allocate(node, zone)),
        4 => (node, prop::collection::vec(any::<Index>(), 0..2))
            .prop_map(|(node, keep)| Op::Retain(node, keep)),
        4 => any::<Index>().prop_map(Op::EndQuarantine),
        2 => prop::collection::vec(any_net(), 0..4).prop_map(Op::Obstruct),
        2 => any_config().prop_map(Op::Reconfigure),
    ]
}

/// The same in lists.
struct Model {
    config: Config,
    retired: Vec<PoolConfig>,
    routes: Vec<IpNet>,
    /// In the order they were made.
    claims: Vec<(usize, IpNet)>,
    quarantine: BTreeSet<IpNet>,
}

fn overlap(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

fn has_block(pool: &PoolConfig, cidr: IpNet) -> bool {
    pool.node_prefix_length == cidr.prefix_len() && pool.cidr.contains(&cidr)
}

fn same_blocks(one: &PoolConfig, other: &PoolConfig) -> bool {
    (one.cidr, one.node_prefix_length) == (other.cidr, other.node_prefix_length)
}

fn blocks(pool: &PoolConfig) -> Vec<IpNet> {
    let subnets = pool.cidr.subnets(pool.node_prefix_length);
    subnets.expect("a valid prefix length").collect()
}

impl Model {
    fn pools(&self) -> impl Iterator<Item = &PoolConfig> {
        self.config.pools.iter().chain(&self.retired)
    }

    fn home(&self, cidr: IpNet) -> Option<&PoolConfig> {
        self.pools().find(|pool| has_block(pool, cidr))
    }

    fn owner(&self, cidr: IpNet) -> Option<usize> {
        self.home(cidr)?;
        let claims = self.claims.iter().filter(|(_, claimed)| *claimed == cidr);
        claims
            .map(|(node, _)| *node)
            .min_by_key(|node| (NODES[*node].1, *node))
    }

    fn claims_of(&self, node: usize) -> Vec<IpNet> {
        let claims = self.claims.iter().filter(|(claimant, _)| *claimant == node);
        claims.map(|(_, cidr)| *cidr).collect()
    }

    fn barred(&self, pool: &PoolConfig, block: IpNet) -> bool {
        let obstructs = |route: IpNet| {
            let only = pool.cidr == block && route == block;
            overlap(route, block) && (only || !route.contains(&pool.cidr))
        };
        self.claims.iter().any(|(_, cidr)| overlap(*cidr, block))
            || self.quarantine.iter().any(|cidr| overlap(*cidr, block))
            || self.routes.iter().any(|route| obstructs(*route))
    }

    fn reserved(&self, block: IpNet) -> bool {
        self.config
            .reserved
            .iter()
            .any(|range| overlap(*range, block))
    }

    fn free(&self, pool: &PoolConfig) -> Vec<IpNet> {
        let mut blocks = blocks(pool);
        blocks.retain(|block| !self.barred(pool, *block) && !self.reserved(*block));
        blocks
    }

    fn usage(&self, pool: &PoolConfig) -> [usize; 5] {
        let mut figures = [0; 5];
        for block in blocks(pool) {
            let at_home = self.home(block).is_some_and(|home| same_blocks(home, pool));
            let state = if at_home && self.owner(block).is_some() {
                1
            } else if self.barred(pool, block) {
                2
            } else if self.reserved(block) {
                3
            } else {
                4
            };
            figures[0] += 1;
            figures[state] += 1;
        }
        figures
    }

    fn reconfigure(&mut self, config: Config) {
        let before = std::mem::take(&mut self.config.pools);
        self.retired.splice(0..0, before);
        self.config = config;
        let pools = &self.config.pools;
        self.retired
            .retain(|old| !pools.iter().any(|new| same_blocks(old, new)));
    }

    /// Forgets removed pools that nobody needs.
    fn tidy(&mut self) {
        let entries: Vec<_> = self.claims.iter().map(|(_, cidr)| *cidr).collect();
        let homes: Vec<PoolConfig> = entries
            .iter()
            .chain(&self.quarantine)
            .filter_map(|cidr| self.home(*cidr).cloned())
            .collect();
        self.retired
            .retain(|pool| homes.iter().any(|home| same_blocks(home, pool)));
    }
}

struct Pair {
    real: Allocator,
    model: Model,
    /// The block handed out last by each pool there is.
    last: Vec<(PoolConfig, IpNet)>,
}

impl Pair {
    fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Claim(node, cidr) => self.claim(node, cidr)?,
            Op::Allocate(node, zone) => self.allocate(node, zone)?,
            Op::Retain(node, keep) => self.retain(node, &keep)?,
            Op::EndQuarantine(index) => {
                if !self.model.quarantine.is_empty() {
                    let waiting: Vec<_> = self.model.quarantine.iter().copied().collect();
                    let cidr = *index.get(&waiting);
                    prop_assert!(self.real.end_quarantine(cidr));
                    self.model.quarantine.remove(&cidr);
                }
            }
            Op::Obstruct(routes) => {
                self.real.set_obstructions(routes.iter().copied());
                self.model.routes = routes;
            }
            Op::Reconfigure(config) => {
                self.real.reconfigure(&config);
                self.model.reconfigure(config);
            }
        }
        self.model.tidy();
        let model = &self.model;
        self.last
            .retain(|(pool, _)| model.pools().any(|known| same_blocks(known, pool)));
        Ok(())
    }

    fn claim(&mut self, index: usize, cidr: IpNet) -> Result<(), TestCaseError> {
        let (name, created) = NODES[index];
        let before = self.model.owner(cidr);
        if !self.model.claims.contains(&(index, cidr)) {
            self.model.claims.push((index, cidr));
        }
        self.model.quarantine.remove(&cidr);
        let expected = match self.model.owner(cidr) {
            None => None,
            Some(owner) if owner == index => Some(Claim::Owner {
                displaced: before
                    .filter(|before| *before != index)
                    .map(|before| node(NODES[before].0)),
            }),
            Some(owner) => Some(Claim::Duplicate {
                owner: node(NODES[owner].0),
            }),
        };
        let claim = self.real.claim(&node(name), created, cidr);
        match expected {
            Some(expected) => prop_assert_eq!(claim, expected),
            None => prop_assert!(matches!(claim, Claim::OutOfRange(_))),
        }
        Ok(())
    }

    fn allocate(&mut self, index: usize, zone: bool) -> Result<(), TestCaseError> {
        let (name, created) = NODES[index];
        let labels = if zone {
            labels(&[("zone", "b")])
        } else {
            BTreeMap::new()
        };
        let given = self.real.allocate(&node(name), created, &labels);
        let claims = self.model.claims_of(index);
        if !claims.is_empty() {
            let own = claims
                .iter()
                .all(|cidr| self.model.owner(*cidr) == Some(index));
            prop_assert_eq!(
                given,
                if own {
                    Ok(claims)
                } else {
                    Err(AllocateError::Contested)
                }
            );
            return Ok(());
        }
        let pools = &self.model.config.pools;
        let matching: Vec<_> = pools
            .iter()
            .filter(|pool| zone || pool.node_selector.is_empty())
            .cloned()
            .collect();
        let mut families: Vec<Family> = Vec::new();
        for pool in &matching {
            let family = Family::of(&pool.cidr);
            if !families.contains(&family) {
                families.push(family);
            }
        }
        let mut sources = Vec::new();
        for family in &families {
            let usable = matching.iter().find(|pool| {
                Family::of(&pool.cidr) == *family
                    && pool.state == PoolState::Active
                    && !self.model.free(pool).is_empty()
            });
            let Some(pool) = usable else {
                let exhausted = matches!(given, Err(AllocateError::PoolExhausted { family: named, .. }) if named == *family);
                prop_assert!(exhausted, "{:?} instead of no free {}", given, family);
                return Ok(());
            };
            sources.push(pool.clone());
        }
        if sources.is_empty() {
            prop_assert_eq!(given, Err(AllocateError::NoMatchingPool));
            return Ok(());
        }
        let given = given.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(given.len(), sources.len());
        for (cidr, pool) in given.into_iter().zip(sources) {
            self.check_next(&pool, cidr)?;
            self.model.claims.push((index, cidr));
        }
        Ok(())
    }

    /// The block is free, and the first such behind the one handed out before.
    fn check_next(&mut self, pool: &PoolConfig, cidr: IpNet) -> Result<(), TestCaseError> {
        let free = self.model.free(pool);
        prop_assert!(free.contains(&cidr), "{} is not free in {:?}", cidr, pool);
        let before = self
            .last
            .iter_mut()
            .find(|(known, _)| same_blocks(known, pool));
        match before {
            Some((_, last)) => {
                let next = free
                    .iter()
                    .find(|block| **block > *last)
                    .unwrap_or(&free[0]);
                prop_assert_eq!(cidr, *next);
                *last = cidr;
            }
            None => self.last.push((pool.clone(), cidr)),
        }
        Ok(())
    }

    fn retain(&mut self, index: usize, keep: &[Index]) -> Result<(), TestCaseError> {
        let claims = self.model.claims_of(index);
        let keep: Vec<IpNet> = keep
            .iter()
            .filter(|_| !claims.is_empty())
            .map(|index| *index.get(&claims))
            .collect();
        let released = self.real.retain(&node(NODES[index].0), &keep);
        let dropped: Vec<_> = claims
            .into_iter()
            .filter(|cidr| !keep.contains(cidr))
            .collect();
        let named: Vec<_> = released.iter().map(|released| released.cidr).collect();
        prop_assert_eq!(named, dropped);
        for released in released {
            let cidr = released.cidr;
            let owned = self.model.owner(cidr) == Some(index);
            self.model.claims.retain(|claim| *claim != (index, cidr));
            let next = self.model.owner(cidr).map(|next| node(NODES[next].0));
            let expected = match (self.model.home(cidr), next) {
                (None, _) => Fate::OutOfRange,
                (Some(_), Some(next)) if owned => Fate::PassedTo(next),
                (Some(_), Some(next)) => Fate::StaysWith(next),
                (Some(_), None) => {
                    self.model.quarantine.insert(cidr);
                    Fate::Quarantined
                }
            };
            prop_assert_eq!(released.fate, expected);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let uses: Vec<_> = self.real.uses();
        let names: Vec<_> = uses.iter().map(|usage| usage.name.as_ref()).collect();
        let expected: Vec<_> = self.model.pools().map(|pool| pool.name.as_ref()).collect();
        prop_assert_eq!(names, expected);
        for (usage, pool) in uses.iter().zip(self.model.pools()) {
            prop_assert_eq!(figures(usage), self.model.usage(pool), "{}", pool.name);
            for block in blocks(pool) {
                let owner = self.model.owner(block).map(|owner| node(NODES[owner].0));
                prop_assert_eq!(self.real.owner(block), owner.as_ref());
            }
        }
        for (index, (name, _)) in NODES.iter().enumerate() {
            let claims = self.model.claims_of(index);
            prop_assert_eq!(self.real.claims(&node(name)), &claims[..]);
            prop_assert!(claims.iter().all(|cidr| self.real.claimed(*cidr)));
            let owned: Vec<_> = self.real.blocks(&node(name)).collect();
            let expected = claims
                .into_iter()
                .filter(|cidr| self.model.owner(*cidr) == Some(index));
            prop_assert_eq!(owned, expected.collect::<Vec<_>>());
        }
        let waiting: BTreeSet<_> = self.real.quarantined().collect();
        prop_assert_eq!(&waiting, &self.model.quarantine);
        prop_assert!(waiting.iter().all(|cidr| !self.real.claimed(*cidr)));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn agrees_with_plain_lists(
        first in any_config(),
        ops in prop::collection::vec(any_op(), 1..60),
    ) {
        let mut pair = Pair {
            real: Allocator::new(&first),
            model: Model {
                config: first,
                retired: Vec::new(),
                routes: Vec::new(),
                claims: Vec::new(),
                quarantine: BTreeSet::new(),
            },
            last: Vec::new(),
        };
        pair.check()?;
        for op in ops {
            pair.apply(op)?;
            pair.check()?;
        }
    }
}
