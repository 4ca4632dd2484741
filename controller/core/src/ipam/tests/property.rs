//! Random operations against the plain lists, and against what is derived from scratch.

use std::net::IpAddr;

use proptest::{prelude::*, sample::Index};

use super::model::{CREATED, Model, blocks, same_blocks};
use super::ops::{Op, any_config, any_op};
use super::*;
use crate::ipam::{Claim, Fate};

/// How long after a configuration a listing covers what is new in it.
const SETTLE: Duration = Duration::from_secs(2);

fn labels_of(zone: bool) -> BTreeMap<Arc<str>, Arc<str>> {
    if zone {
        labels(&[("zone", "b")])
    } else {
        BTreeMap::new()
    }
}

struct Pair {
    real: Ledger,
    model: Model,
    /// Goes on by a second with each operation.
    second: u64,
    /// The block handed out last by each pool there is.
    last: Vec<(PoolConfig, IpNet)>,
}

impl Pair {
    fn apply(&mut self, op: Op) -> Result<(), TestCaseError> {
        self.second += 1;
        let now = at(self.second);
        match op {
            Op::Claim(node, cidr) => self.claim(node, cidr)?,
            Op::Allocate(node, zone) => self.allocate(node, zone)?,
            Op::Release(node, claim, cidr) => self.release(node, claim, cidr)?,
            Op::Orphaned(cidr) => {
                self.real.orphaned(cidr, now);
                if !self.model.entries().contains(&cidr) {
                    self.model.quarantine.insert(cidr, now);
                }
            }
            Op::Free(index) => {
                if !self.model.quarantine.is_empty() {
                    let waiting: Vec<_> = self.model.quarantine.keys().copied().collect();
                    let cidr = *index.get(&waiting);
                    prop_assert!(self.real.free(cidr));
                    self.model.quarantine.remove(&cidr);
                }
            }
            Op::Foreign(routes) => {
                let news = self.real.set_foreign(&routes);
                prop_assert_eq!(news, self.model.foreign != routes);
                self.model.foreign = routes;
            }
            Op::Barred(ranges) => {
                let news = self.real.set_barred(&ranges);
                prop_assert_eq!(news, self.model.barred != ranges);
                self.model.barred = ranges;
            }
            Op::Address(node, inside) => {
                let third = if inside { 0 } else { 9 };
                let address = format!("10.0.{third}.{}", 20 * node);
                let now: Vec<IpAddr> = vec![address.parse().expect("an address")];
                let before = self.model.addresses.insert(node, now.clone());
                let before = before.unwrap_or_default();
                self.real.set_addresses(&key(node), &before, &now);
            }
            Op::Covered(ago) => {
                let begun = at(self.second.saturating_sub(ago));
                let before = self.model.uncovered.len();
                self.model
                    .uncovered
                    .retain(|(_, since)| begun.at < since.at.after(SETTLE));
                let news = self.model.uncovered.len() < before;
                prop_assert_eq!(self.real.covered(begun), news);
            }
            Op::Reconfigure(config) => {
                self.real.reconfigure(&config, (now, SETTLE));
                self.model.reconfigure(config, now);
                // As the engine does: what was in no pool may be in one now.
                for (node, addresses) in &self.model.addresses {
                    self.real.set_addresses(&key(*node), &[], addresses);
                }
            }
        }
        self.model.tidy();
        let model = &self.model;
        self.last
            .retain(|(pool, _)| model.pools().any(|known| same_blocks(known, pool)));
        Ok(())
    }

    fn claim(&mut self, index: usize, cidr: IpNet) -> Result<(), TestCaseError> {
        let before = self.model.owner(cidr);
        if !self.model.claims.contains(&(index, cidr)) {
            self.model.claims.push((index, cidr));
        }
        self.model.quarantine.remove(&cidr);
        let expected = match self.model.owner(cidr) {
            None => Claim::OutOfRange,
            Some(owner) if owner == index => Claim::Owner {
                before: before.filter(|before| *before != index).map(id),
            },
            Some(owner) => Claim::Duplicate { owner: id(owner) },
        };
        let claim = self.real.claim(node(index, CREATED[index]), cidr);
        prop_assert_eq!(claim, expected);
        Ok(())
    }

    fn allocate(&mut self, index: usize, zone: bool) -> Result<(), TestCaseError> {
        if !self.model.claims_of(index).is_empty() {
            return Ok(());
        }
        let labels = labels_of(zone);
        let given = self.real.allocate(&node(index, CREATED[index]), &labels);
        let families = self.model.matching(zone);
        if families.is_empty() {
            prop_assert_eq!(given, Err(AllocateError::NoMatchingPool));
            return Ok(());
        }
        let mut sources = Vec::new();
        for (family, pools) in families {
            let mut usable = pools.iter().filter(|pool| self.model.hands_out(pool));
            if let Some(pool) = usable.find(|pool| !self.model.free(pool).is_empty()) {
                sources.push(pool.clone());
                continue;
            }
            let waits =
                |pool: &PoolConfig| pool.state == PoolState::Active && !self.model.is_covered(pool);
            let told = match &given {
                Err(AllocateError::NotCovered(named)) => {
                    *named == family && pools.iter().any(waits)
                }
                Err(AllocateError::PoolExhausted { family: named, .. }) => {
                    *named == family && !pools.iter().any(waits)
                }
                _ => false,
            };
            prop_assert!(told, "{:?} instead of no free {}", given, family);
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
        let mut before = self.last.iter_mut();
        match before.find(|(known, _)| same_blocks(known, pool)) {
            Some((_, last)) => {
                let next = free.iter().find(|block| **block > *last);
                prop_assert_eq!(cidr, *next.unwrap_or(&free[0]));
                *last = cidr;
            }
            None => self.last.push((pool.clone(), cidr)),
        }
        Ok(())
    }

    fn release(&mut self, index: usize, claim: Index, cidr: IpNet) -> Result<(), TestCaseError> {
        let claims = self.model.claims_of(index);
        let cidr = if claims.is_empty() {
            cidr
        } else {
            *claim.get(&claims)
        };
        let now = at(self.second);
        let claimed = self.model.claims.contains(&(index, cidr));
        self.model.claims.retain(|it| *it != (index, cidr));
        let expected = match self.model.first_claimant(cidr) {
            _ if !claimed => Fate::Unclaimed,
            Some(next) => Fate::Has(id(next)),
            None => {
                self.model.quarantine.insert(cidr, now);
                Fate::Quarantined
            }
        };
        prop_assert_eq!(self.real.release(id(index), cidr, now), expected);
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let (real, model) = (&self.real, &self.model);
        let uses = real.uses();
        let names: Vec<_> = uses.iter().map(|usage| usage.name.as_ref()).collect();
        let expected: Vec<_> = model.pools().map(|pool| pool.name.as_ref()).collect();
        prop_assert_eq!(names, expected);
        for (usage, pool) in uses.iter().zip(model.pools()) {
            prop_assert_eq!(figures(usage), model.usage(pool), "{}", pool.name);
            prop_assert_eq!(usage.problem.is_some(), model.has_problem(pool));
            for block in blocks(pool) {
                let owner = real.owner(block).map(|owner| owner.id);
                prop_assert_eq!(owner, model.owner(block).map(id));
                for zone in [true, false] {
                    let given = real.would_give(block, &labels_of(zone));
                    prop_assert_eq!(given, model.would_give(block, zone));
                }
            }
        }
        for (number, cidr) in &model.claims {
            prop_assert!(real.is_claimed(*cidr));
            let mut claims = model.claims.iter();
            let alone = claims.all(|(other, claimed)| claimed != cidr || other == number);
            let block = model.home(*cidr).is_some();
            prop_assert_eq!(real.is_undisputed(id(*number), *cidr), alone && block);
        }
        let waiting: Vec<_> = real.quarantined().collect();
        let expected: Vec<_> = model.quarantine.keys().copied().collect();
        prop_assert_eq!(waiting, expected);
        for (cidr, since) in &model.quarantine {
            prop_assert!(!real.is_claimed(*cidr));
            prop_assert_eq!(real.released(*cidr), Some(*since));
        }
        let ranges = real.ranges();
        prop_assert_eq!(ranges.len(), model.ranges().len(), "one is named twice");
        prop_assert_eq!(
            ranges.iter().copied().collect::<BTreeSet<_>>(),
            model.ranges()
        );
        let due = model
            .uncovered
            .iter()
            .map(|(_, since)| since.at.after(SETTLE));
        prop_assert_eq!(real.uncovered(), due.min());
        Ok(())
    }

    /// Marks are derived step by step; derived at once they are the same, and so is all else.
    fn check_marks(&self) -> Result<(), TestCaseError> {
        let mut anew = self.real.clone();
        anew.reconfigure(&self.model.config, (at(self.second), SETTLE));
        prop_assert_eq!(format!("{:?}", anew), format!("{:?}", &self.real));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn agrees_with_plain_lists_and_with_what_is_derived_from_scratch(
        first in any_config(),
        ops in prop::collection::vec(any_op(), 1..60),
    ) {
        let mut pair = Pair {
            real: made(&first, (at(0), SETTLE)),
            model: Model::new(first, at(0)),
            second: 0,
            last: Vec::new(),
        };
        pair.check()?;
        for op in ops {
            pair.apply(op)?;
            pair.check()?;
        }
        pair.check_marks()?;
    }
}
