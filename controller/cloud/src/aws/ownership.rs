//! Whose a route is. EC2's routes carry no mark, so it takes proof.
//!
//! A route is ours if somebody made it with `CreateRoute`, it is for exactly one block of a range,
//! and leads to a network interface that belongs to an instance of this cluster (one that carries the
//! cluster's tag, itself or on the interface, or one that a node named), that did so when it was
//! last seen, or that exists no more. Everything else is somebody else's: also a route whose
//! interface is just being moved from one instance to another, although packets get lost meanwhile.

use std::{collections::HashMap, sync::Arc, time::Duration};

use signpost_core::cloud::{Blackhole, NextHop, ObservedRoute, Ownership, Range};
use tokio::time::Instant;

use super::tables::{Origin, RawRoute, RawTarget};

/// How long an answer about an interface holds that nothing has confirmed since.
const HOLDS: Duration = Duration::from_secs(600);

/// How long it holds that an interface is none of ours: a tag can be added.
const FOREIGN_HOLDS: Duration = Duration::from_secs(300);

/// How long it holds what a blackhole leads to.
const LOST_HOLDS: Duration = Duration::from_secs(20);

/// How long an instance stays ours that a node named, after no route leads to it any more.
const NAMED_HOLDS: Duration = Duration::from_secs(2 * 3600);

/// What is known of network interfaces and instances.
#[derive(Debug, Default)]
pub(super) struct Owners {
    interfaces: HashMap<Arc<str>, Seen>,
    /// Instances that a node's `providerID` named, and when they were last of use.
    named: HashMap<Arc<str>, Instant>,
}

#[derive(Debug, Clone)]
struct Seen {
    ours: bool,
    at: Instant,
    place: Place,
    /// It was looked at by itself, not as part of an instance that may have ended since.
    looked_up: bool,
    /// Otherwise it counts as foreign unless packets to it get lost, and is looked up again each time.
    decided: bool,
}

/// Where an interface is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// Attached to this instance.
    At(Arc<str>),
    /// Attached to nothing.
    Loose,
    /// In another account, which hides it.
    Hidden,
    /// It exists no more.
    Gone,
}

impl Seen {
    fn holds(&self, now: Instant) -> bool {
        let span = if self.ours { HOLDS } else { FOREIGN_HOLDS };
        now.saturating_duration_since(self.at) < span
    }

    /// A table shows that another instance has it now than when it was looked at.
    fn has_moved(&self, route: &RawRoute) -> bool {
        let Some(now) = &route.instance else {
            return false;
        };
        match &self.place {
            Place::At(before) => before != now,
            Place::Loose | Place::Gone => true,
            Place::Hidden => false,
        }
    }

    fn holds_for_a_blackhole(&self, now: Instant) -> bool {
        let recent = now.saturating_duration_since(self.at) < LOST_HOLDS;
        self.place == Place::Gone || (self.looked_up && recent)
    }
}

impl Owners {
    /// Nodes say that these instances are their own. True if that makes an interface ours that counted
    /// as foreign.
    pub(super) fn name<'a>(
        &mut self,
        instances: impl Iterator<Item = &'a Arc<str>>,
        now: Instant,
    ) -> bool {
        let before = self.named.len();
        self.named
            .extend(instances.map(|instance| (Arc::clone(instance), now)));
        if self.named.len() == before {
            return false;
        }
        let mut news = false;
        for seen in self.interfaces.values_mut().filter(|seen| !seen.ours) {
            if let Place::At(instance) = &seen.place
                && self.named.contains_key(instance)
            {
                (seen.ours, seen.decided, seen.at) = (true, true, now);
                news = true;
            }
        }
        news
    }

    /// Whether a node has named it.
    pub(super) fn is_named(&self, instance: &Arc<str>) -> bool {
        self.named.contains_key(instance)
    }

    /// An interface belongs to an instance. True if that makes it ours and it counted as foreign.
    pub(super) fn learn(
        &mut self,
        interface: &Arc<str>,
        instance: &Arc<str>,
        tagged: bool,
        now: Instant,
    ) -> bool {
        let ours = tagged || self.is_named(instance);
        self.record(interface, Place::At(Arc::clone(instance)), ours, now)
    }

    /// What was just learnt of an interface comes from a look at the interface itself.
    pub(super) fn looked_up(&mut self, interface: &Arc<str>) {
        if let Some(seen) = self.interfaces.get_mut(interface) {
            seen.looked_up = true;
        }
    }

    /// An interface belongs to an instance of which nobody can say now whose it is.
    pub(super) fn undecided(&mut self, interface: &Arc<str>, instance: &Arc<str>, now: Instant) {
        let place = Place::At(Arc::clone(instance));
        self.record(interface, place, false, now);
        if let Some(seen) = self.interfaces.get_mut(interface) {
            seen.decided = false;
        }
    }

    /// An interface is attached to no instance.
    pub(super) fn loose(&mut self, interface: &Arc<str>, tagged: bool, now: Instant) {
        let was_ours = self.interfaces.get(interface).is_some_and(|seen| seen.ours);
        self.record(interface, Place::Loose, tagged || was_ours, now);
    }

    /// An interface does not exist. If it was not known to be another's, nobody will miss what leads
    /// there. Where packets arrive all the same it is another account's, which looks the same to the
    /// participant of a shared VPC, or too new to be known everywhere.
    pub(super) fn gone(&mut self, interface: &Arc<str>, now: Instant) {
        let before = self.interfaces.get(interface);
        let was_foreign = before.is_some_and(|seen| !seen.ours);
        let decided = before.is_some_and(|seen| seen.decided);
        self.record(interface, Place::Gone, !was_foreign, now);
        if let Some(seen) = self.interfaces.get_mut(interface) {
            seen.decided = decided;
        }
    }

    /// An interface exists, and is another account's.
    pub(super) fn hidden(&mut self, interface: &Arc<str>, now: Instant) {
        self.record(interface, Place::Hidden, false, now);
    }

    fn record(&mut self, interface: &Arc<str>, place: Place, ours: bool, at: Instant) -> bool {
        let looked_up = !matches!(place, Place::At(_));
        let seen = Seen {
            ours,
            at,
            place,
            looked_up,
            decided: true,
        };
        let before = self.interfaces.insert(Arc::clone(interface), seen);
        ours && before.is_some_and(|before| !before.ours)
    }

    /// The interface to look up before it can be said whose this route is.
    pub(super) fn unknown(
        &self,
        route: &RawRoute,
        ranges: &[Range],
        now: Instant,
    ) -> Option<Arc<str>> {
        let RawTarget::Interface(interface) = &route.target else {
            return None;
        };
        let known = self.interfaces.get(interface).is_some_and(|seen| {
            let holds = if route.blackhole {
                seen.holds_for_a_blackhole(now)
            } else {
                seen.holds(now) && seen.decided
            };
            holds && !seen.has_moved(route)
        });
        let matters = route.origin == Origin::Created && is_block(route, ranges);
        (matters && !known).then(|| Arc::clone(interface))
    }

    /// What the engine is shown of a route; `None` where it lies in none of the ranges.
    pub(super) fn observe(&self, route: &RawRoute, ranges: &[Range]) -> Option<ObservedRoute> {
        let destination = route.destination;
        let around = || {
            let around = ranges.iter();
            around.filter(|range| range.cidr.contains(&destination))
        };
        around().next()?;
        let created = route.origin == Origin::Created;
        let (next_hop, of_cluster) = match &route.target {
            RawTarget::Interface(interface) => {
                let seen = self.interfaces.get(interface);
                let ours = |seen: &Seen| seen.ours && (seen.decided || route.blackhole);
                (Some(interface), seen.is_some_and(ours))
            }
            RawTarget::Instance(instance) => (Some(instance), self.is_named(instance)),
            RawTarget::Other => (None, false),
        };
        // A block's own route is no less specific, and one that is created wins over others.
        let yields = around().all(|range| destination.prefix_len() <= range.prefix_len);
        let ownership = if created && of_cluster && is_block(route, ranges) {
            Ownership::Ours
        } else if route.origin == Origin::Propagated && yields {
            Ownership::Outranked
        } else {
            Ownership::Foreign
        };
        Some(ObservedRoute {
            destination,
            next_hop: next_hop.map(|target| NextHop::Target(Arc::clone(target))),
            ownership,
            blackhole: route.blackhole.then(|| self.cause(&route.target)),
            handle: None,
        })
    }

    /// Why packets get lost. That an interface drops what is not addressed to it shows in no route.
    fn cause(&self, target: &RawTarget) -> Blackhole {
        match target {
            RawTarget::Interface(interface) => match self.interfaces.get(interface) {
                Some(Seen {
                    place: Place::At(_),
                    ..
                }) => Blackhole::TargetStopped,
                _ => Blackhole::TargetGone,
            },
            RawTarget::Instance(_) => Blackhole::TargetGone,
            RawTarget::Other => Blackhole::Other,
        }
    }

    /// A listing shows a route to this interface.
    pub(super) fn used(&mut self, interface: &Arc<str>, now: Instant) {
        if let Some(seen) = self.interfaces.get(interface)
            && let Place::At(instance) = &seen.place
            && let Some(at) = self.named.get_mut(instance)
        {
            *at = now;
        }
    }

    /// Forgets what was not confirmed for long.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.interfaces.retain(|_, seen| seen.holds(now));
        self.named
            .retain(|_, at| now.saturating_duration_since(*at) < NAMED_HOLDS);
    }
}

fn is_block(route: &RawRoute, ranges: &[Range]) -> bool {
    ranges.iter().any(|range| range.has(&route.destination))
}

#[cfg(test)]
mod tests;
