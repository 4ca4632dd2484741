//! Carries out the entries of a schedule that change the configuration.

use std::{collections::BTreeMap, time::Duration};

use ipnet::IpNet;
use signpost_core::{PoolConfig, PoolState};

use crate::{
    faults::{Entry, Fault},
    scenario::{label, pool},
    world::World,
};

/// So many ranges there are for pools that are added.
const RANGES: u8 = 4;

impl World<'_> {
    pub(super) fn apply_to_config(&mut self, entry: Entry) -> bool {
        let amount = entry.amount;
        match entry.fault {
            Fault::PoolAdded => return self.add_pool(),
            Fault::PoolRemoved => return self.remove_pool(amount),
            Fault::PoolBack => return self.bring_back_pool(entry.target, amount),
            Fault::PoolsReordered => {
                if self.wishes.pools.len() < 2 {
                    return false;
                }
                self.configure(|config| config.pools.rotate_left(1));
            }
            Fault::CheckPeriodChanged => {
                let period = Duration::from_secs([5, 10, 30, 60][usize::from(amount) % 4]);
                if self.wishes.check_period == period {
                    return false;
                }
                self.configure(|config| config.check_period = period);
            }
            Fault::PercentChanged => {
                let percent = [0, 10, 50, 100][usize::from(amount) % 4];
                if self.wishes.max_deletion_percent == percent {
                    return false;
                }
                self.configure(|config| config.max_deletion_percent = percent);
            }
            _ => {
                let rare = amount.is_multiple_of(3) && !self.wishes.teardown;
                if rare {
                    self.configure(|config| config.teardown = true);
                }
                return rare;
            }
        }
        true
    }

    /// The range of the pool that is added next.
    pub(super) fn next_pool(&self) -> PoolConfig {
        let number = self.pools_made % RANGES;
        let cidr = format!("10.{}.0.0/26", 100 + number);
        pool(&format!("added-{}", self.pools_made), &cidr, 28)
    }

    fn add_pool(&mut self) -> bool {
        let added = self.next_pool();
        self.pools_made += 1;
        self.put_pool(added)
    }

    fn remove_pool(&mut self, nth: u8) -> bool {
        let count = self.wishes.pools.len();
        if count < 2 {
            return false;
        }
        let nth = usize::from(nth) % count;
        self.removed.push(self.wishes.pools[nth].clone());
        self.configure(|config| {
            config.pools.remove(nth);
        });
        true
    }

    /// A pool where one was removed, as the API accepts it: it overlaps no other.
    fn bring_back_pool(&mut self, nth: u8, how: u8) -> bool {
        if self.removed.is_empty() {
            return false;
        }
        let nth = usize::from(nth) % self.removed.len();
        let mut back = self.removed[nth].clone();
        let bits = back.cidr.prefix_len();
        let other = |bits| IpNet::new(back.cidr.addr(), bits).map(|net| net.trunc());
        match how % 5 {
            0 if back.node_prefix_length > bits + 1 => back.node_prefix_length -= 1,
            1 => back.node_prefix_length += 1,
            2 if bits < back.node_prefix_length => {
                if let Ok(part) = other(bits + 1) {
                    back.cidr = part;
                }
            }
            3 => {
                if let Ok(around) = other(bits - 1) {
                    back.cidr = around;
                }
            }
            _ => {}
        }
        if how.is_multiple_of(2) {
            back.name = format!("{}-again", back.name).into();
        }
        let added = self.put_pool(back);
        if added {
            self.removed.remove(nth);
        }
        added
    }

    fn put_pool(&mut self, added: PoolConfig) -> bool {
        let clash = self.wishes.pools.iter().any(|pool| {
            pool.name == added.name
                || pool.cidr.contains(&added.cidr)
                || added.cidr.contains(&pool.cidr)
        });
        if !clash {
            self.configure(|config| config.pools.push(added));
        }
        !clash
    }

    pub(super) fn toggle_pool(&mut self, nth: u8) {
        self.configure(|config| {
            let count = config.pools.len();
            let pool = &mut config.pools[usize::from(nth) % count];
            pool.state = match pool.state {
                PoolState::Active => PoolState::Draining,
                PoolState::Draining => PoolState::Active,
            };
        });
    }

    pub(super) fn change_selector(&mut self, nth: u8, how: u8) -> bool {
        let selector = match how % 3 {
            0 => BTreeMap::new(),
            1 => label("a"),
            _ => label("b"),
        };
        let count = self.wishes.pools.len();
        let nth = usize::from(nth) % count;
        if self.wishes.pools[nth].node_selector == selector {
            return false;
        }
        self.configure(|config| config.pools[nth].node_selector = selector);
        true
    }
}
