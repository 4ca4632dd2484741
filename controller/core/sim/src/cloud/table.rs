//! Route tables, as they truly are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;
use signpost_core::cloud::{NextHop, ObservedRoute};

/// A route as it truly is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) hop: Option<NextHop>,
    pub(crate) ours: bool,
    pub(crate) handle: Option<Arc<str>>,
    /// Another route to the same destination, under another name.
    pub(crate) double: Option<Box<Held>>,
}

impl Held {
    /// Somebody else's route.
    pub(crate) fn foreign() -> Self {
        Self {
            hop: Some(NextHop::Target("not-ours".into())),
            ours: false,
            handle: None,
            double: None,
        }
    }

    /// It and its double.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Self> {
        [Some(self), self.double.as_deref()].into_iter().flatten()
    }
}

pub(crate) type Routes = BTreeMap<IpNet, Held>;

/// One route table.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) routes: Routes,
    /// Room for so many routes of each family, until then.
    pub(crate) tight: (u64, usize),
    /// It cannot be read until then.
    pub(crate) fails: u64,
    /// Listings lack it now and then until then.
    pub(crate) hidden: u64,
    /// It is not programmed until then: all listings lack it.
    pub(crate) untagged: u64,
    /// Routes of others that ours take precedence over.
    pub(crate) propagated: BTreeSet<IpNet>,
    /// Where no route of ours may lie, each until then.
    pub(crate) barred: Vec<(IpNet, u64)>,
    /// Routes of ours along which packets are dropped for another cause, until then.
    pub(crate) dropped: BTreeMap<IpNet, u64>,
    /// Since when a route of somebody else is there.
    pub(crate) foreign_since: BTreeMap<IpNet, u64>,
    /// When the routes of a destination were changed last.
    pub(crate) changed: BTreeMap<IpNet, u64>,
    /// Listings ever lacked it.
    pub(crate) doubtful: bool,
    /// Writes that came from a process which was stopped before it sent them.
    pub(crate) late: BTreeSet<IpNet>,
    /// What it held since when, where reads may be late.
    pub(super) past: Vec<(u64, Routes)>,
}

impl Table {
    /// What a reader is shown who sees the table as it was then.
    pub(crate) fn view(&self, then: u64) -> &Routes {
        // Everything before the first change is the empty table that it began as.
        static EMPTY: Routes = BTreeMap::new();
        if self.past.is_empty() {
            return &self.routes;
        }
        self.past
            .iter()
            .rfind(|(since, _)| *since <= then)
            .map_or(&EMPTY, |(_, routes)| routes)
    }
}

/// Routes that count against the quota of that family; `common`: which is that of both.
pub(crate) fn count(routes: &Routes, family: &IpNet, common: bool) -> usize {
    let v4 = |net: &IpNet| matches!(net, IpNet::V4(_));
    let same = |net: &IpNet| common || v4(net) == v4(family);
    let counted = routes.iter().filter(|(net, _)| same(net));
    counted.map(|(_, held)| held.all().count()).sum()
}

/// Takes away the route that was observed. Returns the other of its destination.
pub(super) fn take(routes: &mut Routes, observed: &ObservedRoute) -> Option<Held> {
    let mut held = routes.remove(&observed.destination)?;
    let double = held.double.take().map(|double| *double);
    let left = if held.handle == observed.handle {
        double
    } else {
        Some(held)
    };
    if let Some(left) = &left {
        routes.insert(observed.destination, left.clone());
    }
    left
}
