//! What claims, quarantines, routes of others and barred ranges mean for the blocks of each pool.
//!
//! Marks are derived: whatever changes, those of the blocks around it are worked out anew.

use std::ops::RangeInclusive;

use ipnet::IpNet;

use super::{Entry, Ledger};
use crate::ipam::bitmap::Mark;

impl Ledger {
    /// Works out anew what is said of the blocks that overlap a network.
    pub(super) fn mark(&mut self, cidr: IpNet) {
        for place in 0..self.pools.len() {
            self.mark_in(place, cidr);
        }
    }

    /// Works out anew what is said of every block.
    pub(super) fn mark_all(&mut self) {
        for place in 0..self.pools.len() {
            let cidr = self.pools[place].config.cidr;
            self.mark_in(place, cidr);
        }
    }

    fn mark_in(&mut self, place: usize, cidr: IpNet) {
        let Some((region, blocks)) = self.pools[place].region(cidr) else {
            return;
        };
        let mut marks = self.marks_of_entries(place, region);
        marks.extend(self.marks_of_ranges(place, region));
        self.pools[place].mark_only(&blocks, marks.into_iter());
    }

    fn marks_of_entries(&self, place: usize, region: IpNet) -> Vec<(RangeInclusive<u32>, Mark)> {
        let pool = &self.pools[place];
        let mark = |(cidr, entry): (IpNet, &Entry)| {
            let home = self.home(cidr);
            let blocks = pool.overlap(cidr)?;
            if home.is_none() && pool.is_oversized(&blocks) {
                return None;
            }
            let held = home == Some(place) && matches!(entry, Entry::Held(_));
            Some((blocks, if held { Mark::Held } else { Mark::Barred }))
        };
        self.entries.overlapping(region).filter_map(mark).collect()
    }

    fn marks_of_ranges(&self, place: usize, region: IpNet) -> Vec<(RangeInclusive<u32>, Mark)> {
        let pool = &self.pools[place];
        let foreign = self.foreign.overlapping(region);
        let foreign = foreign.filter_map(|(cidr, ())| pool.obstructed_by(cidr));
        let barred = self.barred.overlapping(region);
        let barred = barred.filter_map(|(cidr, ())| pool.overlap(cidr));
        let reserved = self.reserved.iter();
        let reserved = reserved.filter_map(|cidr| pool.overlap(*cidr));
        let barred = foreign.chain(barred).map(|blocks| (blocks, Mark::Barred));
        barred
            .chain(reserved.map(|blocks| (blocks, Mark::Reserved)))
            .collect()
    }

    /// Counts anew which entries are blocks of which pool.
    pub(super) fn count_entries(&mut self) {
        for pool in &mut self.pools {
            pool.entries = 0;
        }
        self.outside.clear();
        let cidrs: Vec<IpNet> = self.entries.iter().map(|(cidr, _)| cidr).collect();
        for cidr in cidrs {
            match self.home(cidr) {
                Some(home) => {
                    let pool = &mut self.pools[home];
                    pool.entries += 1;
                    if let (Some(Entry::Held(claimants)), Some(index)) =
                        (self.entries.get(cidr), pool.index_of(cidr))
                    {
                        for claimant in claimants {
                            pool.learn(claimant.created, index);
                        }
                    }
                }
                None => {
                    self.outside.insert(cidr);
                }
            }
        }
    }
}
