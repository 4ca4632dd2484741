//! One route table.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::{merge::differences, room::Room};
use crate::{cloud::TableId, ids::Stamp, ipam::Family};

/// What is known of one table besides our routes.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) id: TableId,
    /// It was read at least once.
    known: bool,
    /// When the first complete listing was begun that lacks it.
    absent: Option<Stamp>,
    /// Destinations of others' routes, with whether a route of ours would win against it.
    foreign: BTreeMap<IpNet, bool>,
    /// Ranges in which no route of ours may lie.
    pub(super) barred: BTreeSet<IpNet>,
    /// That of both families if they have one quota.
    v4: Room,
    v6: Room,
    /// Both families have one quota.
    common: bool,
}

impl Table {
    pub(super) fn new(id: TableId) -> Self {
        Self {
            id,
            known: false,
            absent: None,
            foreign: BTreeMap::new(),
            barred: BTreeSet::new(),
            v4: Room::default(),
            v6: Room::default(),
            common: false,
        }
    }

    /// Whether both families have one quota.
    pub(super) fn set_common(&mut self, common: bool) {
        self.common = common;
    }

    /// Routes of both families count against one quota, as those of one family do in any case.
    pub(super) fn shares(&self, one: Family, other: Family) -> bool {
        self.common || one == other
    }

    /// The families whose routes are counted, each with those that count with it.
    pub(super) fn counted(&self) -> &'static [Family] {
        if self.common {
            &[Family::V4]
        } else {
            &[Family::V4, Family::V6]
        }
    }

    /// It was read. Says whether for the first time.
    pub(super) fn read(&mut self) -> bool {
        !std::mem::replace(&mut self.known, true)
    }

    /// It is named, and was never read: what lies in it nobody knows.
    pub(super) fn is_unread(&self) -> bool {
        !self.known
    }

    /// Something may be written to it: it was read, and is there.
    pub(super) fn is_writable(&self) -> bool {
        self.known && self.absent.is_none()
    }

    /// It is among those that a listing named. Says whether the last one lacked it.
    pub(super) fn present(&mut self) -> bool {
        self.absent.take().is_some()
    }

    /// The last listings lacked it.
    pub(super) fn is_absent(&self) -> bool {
        self.absent.is_some()
    }

    /// A complete listing lacks it. Since when listings have.
    pub(super) fn missed(&mut self, begun: Stamp) -> Stamp {
        *self.absent.get_or_insert(begun)
    }

    /// Takes over others' destinations. Returns what came, went or changed its rank.
    pub(super) fn set_foreign(&mut self, foreign: BTreeMap<IpNet, bool>) -> BTreeSet<IpNet> {
        let changed = differences(&self.foreign, &foreign);
        self.foreign = foreign;
        changed
    }

    /// Destinations of others' routes.
    pub(super) fn foreign(&self) -> impl Iterator<Item = IpNet> {
        self.foreign.keys().copied()
    }

    pub(super) fn foreign_count(&self) -> usize {
        self.foreign.len()
    }

    /// Somebody else has a route for just that destination, and one of ours would not win against it.
    /// What was seen of a table that listings lack is out of date.
    pub(super) fn conflicts(&self, cidr: IpNet) -> bool {
        !self.is_absent() && self.foreign.get(&cidr) == Some(&false)
    }

    /// A range in which no route of ours may lie and that has addresses in common with `cidr`.
    pub(super) fn barred_at(&self, cidr: IpNet) -> Option<IpNet> {
        let mut ranges = self.barred.iter();
        let range = ranges.find(|range| range.contains(&cidr) || cidr.contains(*range));
        range.copied()
    }

    /// What counts against the quota of a family, for people.
    pub(super) fn which(&self, family: Family) -> &'static str {
        match family {
            _ if self.common => "routes",
            Family::V4 => "IPv4 routes",
            Family::V6 => "IPv6 routes",
        }
    }

    pub(super) fn room(&self, family: Family) -> &Room {
        match family {
            Family::V6 if !self.common => &self.v6,
            Family::V4 | Family::V6 => &self.v4,
        }
    }

    pub(super) fn room_mut(&mut self, family: Family) -> &mut Room {
        match family {
            Family::V6 if !self.common => &mut self.v6,
            Family::V4 | Family::V6 => &mut self.v4,
        }
    }
}
