//! All destinations, with the counts that the deletion guard asks for.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::destination::Destination;

/// Destinations that have a route of ours in some table, or may get one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All of them.
    pub(super) left: usize,
    /// Those that may carry packets: nobody has to know that others go.
    pub(super) live: usize,
    /// Those of them that no node has.
    pub(super) orphans: usize,
}

impl Tally {
    fn of(destination: &Destination) -> Self {
        let ours = destination.has_ours();
        Self {
            left: usize::from(ours || destination.in_doubt()),
            live: usize::from(ours && !destination.is_dead_orphan()),
            orphans: usize::from(destination.is_orphan()),
        }
    }

    fn replace(&mut self, before: Self, after: Self) {
        self.left = self.left - before.left + after.left;
        self.live = self.live - before.live + after.live;
        self.orphans = self.orphans - before.orphans + after.orphans;
    }
}

/// What is known of each destination.
#[derive(Debug, Clone, Default)]
pub(super) struct Destinations {
    /// Boxed, so that a search reads little memory and half-empty tree nodes cost little.
    pub(super) all: BTreeMap<IpNet, Box<Destination>>,
    pub(super) tally: Tally,
}

impl Destinations {
    pub(super) fn tally(&self) -> Tally {
        self.tally
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, cidr: IpNet) -> Option<&Destination> {
        self.all.get(&cidr).map(Box::as_ref)
    }

    /// In ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IpNet, &Destination)> {
        self.all.iter().map(|(cidr, it)| (*cidr, it.as_ref()))
    }

    /// Changes what is known of a destination, and the counts with it.
    pub(super) fn update<T>(
        &mut self,
        cidr: IpNet,
        change: impl FnOnce(&mut Destination) -> T,
    ) -> T {
        let new = || Box::new(Destination::new());
        let entry = self.all.entry(cidr).or_insert_with(new);
        counted(&mut self.tally, entry, change)
    }

    /// [`update`](Self::update)s every destination.
    pub(super) fn update_all(&mut self, mut change: impl FnMut(IpNet, &mut Destination)) {
        for (cidr, destination) in &mut self.all {
            counted(&mut self.tally, destination, |it| change(*cidr, it));
        }
    }

    /// Lets go of a destination of which nothing is left.
    pub(super) fn remove(&mut self, cidr: IpNet) {
        if let Some(gone) = self.all.remove(&cidr) {
            self.tally.replace(Tally::of(&gone), Tally::default());
        }
    }
}

/// Changes a destination, and the counts with it.
pub(super) fn counted<T>(
    tally: &mut Tally,
    destination: &mut Destination,
    change: impl FnOnce(&mut Destination) -> T,
) -> T {
    let before = Tally::of(destination);
    let result = change(destination);
    tally.replace(before, Tally::of(destination));
    result
}
