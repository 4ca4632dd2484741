//! Whose a route is. EC2's routes carry no mark, so it takes proof.
//!
//! A route is ours if somebody made it with `CreateRoute`, it is for exactly one block of a pool,
//! and leads to a network interface (or an instance) that cannot be reached any more, or that
//! belongs to an instance of this cluster: one that carries the cluster's tag, or one that a node
//! named. Everything else in a pool is somebody else's.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use signpost_core::cloud::{Blackhole, NextHop, ObservedRoute, Ownership, Range};
use tokio::time::Instant;

use super::tables::{RawRoute, RawTarget};

/// How long an answer about an interface holds that nothing has confirmed since.
const HOLDS: Duration = Duration::from_secs(600);

/// How long it holds that an interface is none of ours: a tag can be added.
const FOREIGN_HOLDS: Duration = Duration::from_secs(300);

/// What is known of network interfaces and instances.
#[derive(Debug, Default)]
pub(super) struct Owners {
    interfaces: HashMap<Arc<str>, Seen>,
    /// Instances that a node's `providerID` named.
    named: HashSet<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    ours: bool,
    at: Instant,
}

impl Seen {
    fn holds(self, now: Instant) -> bool {
        let span = if self.ours { HOLDS } else { FOREIGN_HOLDS };
        now.saturating_duration_since(self.at) < span
    }
}

impl Owners {
    /// A node says that this instance is its own.
    pub(super) fn name(&mut self, instance: &Arc<str>) {
        if !self.named.contains(instance) {
            self.named.insert(Arc::clone(instance));
        }
    }

    /// An interface belongs to an instance. True if that makes it ours and it counted as foreign.
    pub(super) fn learn(
        &mut self,
        interface: &Arc<str>,
        instance: &str,
        tagged: bool,
        now: Instant,
    ) -> bool {
        let ours = tagged || self.named.contains(instance);
        self.record(interface, ours, now)
    }

    /// An interface belongs to no instance that can be seen.
    pub(super) fn unattached(&mut self, interface: &Arc<str>, now: Instant) {
        self.record(interface, false, now);
    }

    fn record(&mut self, interface: &Arc<str>, ours: bool, at: Instant) -> bool {
        let seen = Seen { ours, at };
        let before = self.interfaces.insert(Arc::clone(interface), seen);
        ours && before.is_some_and(|before| !before.ours)
    }

    /// The interface to look up before it can be said whose this route is.
    pub(super) fn unknown(
        &self,
        route: &RawRoute,
        pools: &[Range],
        now: Instant,
    ) -> Option<Arc<str>> {
        let RawTarget::Interface(interface) = &route.target else {
            return None;
        };
        let known = self
            .interfaces
            .get(interface)
            .is_some_and(|seen| seen.holds(now));
        let matters = route.created && !route.blackhole && is_block(route, pools);
        (matters && !known).then(|| Arc::clone(interface))
    }

    /// What the engine is shown of a route; `None` where it has nothing to do with the pools.
    pub(super) fn observe(&self, route: &RawRoute, pools: &[Range]) -> Option<ObservedRoute> {
        let destination = route.destination;
        if !pools.iter().any(|pool| pool.cidr.contains(&destination)) {
            return None;
        }
        let (next_hop, of_cluster) = match &route.target {
            RawTarget::Interface(interface) => {
                let seen = self.interfaces.get(interface);
                (Some(interface), seen.is_some_and(|seen| seen.ours))
            }
            RawTarget::Instance(instance) => (Some(instance), self.named.contains(instance)),
            RawTarget::Other => (None, false),
        };
        let proven = next_hop.is_some() && (route.blackhole || of_cluster);
        let ours = route.created && is_block(route, pools) && proven;
        Some(ObservedRoute {
            destination,
            next_hop: next_hop.map(|target| NextHop::Target(Arc::clone(target))),
            ownership: if ours {
                Ownership::Ours
            } else {
                Ownership::Foreign
            },
            blackhole: route.blackhole.then_some(Blackhole::TargetGone),
            handle: None,
        })
    }

    /// Forgets what was not confirmed for long.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.interfaces.retain(|_, seen| seen.holds(now));
    }
}

fn is_block(route: &RawRoute, pools: &[Range]) -> bool {
    pools.iter().any(|pool| pool.has(&route.destination))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pools() -> [Range; 1] {
        [Range {
            cidr: "10.244.0.0/16".parse().unwrap(),
            prefix_len: 24,
        }]
    }

    fn route(destination: &str) -> RawRoute {
        RawRoute {
            destination: destination.parse().unwrap(),
            target: RawTarget::Interface("eni-1".into()),
            created: true,
            blackhole: false,
        }
    }

    fn ownership(owners: &Owners, route: &RawRoute) -> Option<Ownership> {
        owners.observe(route, &pools()).map(|it| it.ownership)
    }

    #[test]
    fn a_live_route_is_ours_only_with_proof_of_its_instance() {
        let now = Instant::now();
        let route = route("10.244.1.0/24");
        let mut owners = Owners::default();
        assert_eq!(ownership(&owners, &route), Some(Ownership::Foreign));
        assert_eq!(
            owners.unknown(&route, &pools(), now).as_deref(),
            Some("eni-1")
        );
        // Another cluster's instance, in the same table and a pool of the same range.
        assert!(!owners.learn(&"eni-1".into(), "i-1", false, now));
        assert_eq!(ownership(&owners, &route), Some(Ownership::Foreign));
        assert_eq!(owners.unknown(&route, &pools(), now), None);
        // A node names it.
        owners.name(&"i-1".into());
        assert!(owners.learn(&"eni-1".into(), "i-1", false, now));
        assert_eq!(ownership(&owners, &route), Some(Ownership::Ours));
        // Or the tag does.
        let mut tagged = Owners::default();
        tagged.learn(&"eni-1".into(), "i-1", true, now);
        assert_eq!(ownership(&tagged, &route), Some(Ownership::Ours));
    }

    #[test]
    fn a_blackhole_is_ours_without_proof() {
        let owners = Owners::default();
        let mut route = route("10.244.1.0/24");
        route.blackhole = true;
        assert_eq!(ownership(&owners, &route), Some(Ownership::Ours));
        assert_eq!(owners.unknown(&route, &pools(), Instant::now()), None);
        route.target = RawTarget::Instance("i-1".into());
        assert_eq!(ownership(&owners, &route), Some(Ownership::Ours));
        route.target = RawTarget::Other;
        assert_eq!(ownership(&owners, &route), Some(Ownership::Foreign));
    }

    #[test]
    fn only_exact_blocks_that_somebody_created_are_ours() {
        let now = Instant::now();
        let mut owners = Owners::default();
        owners.learn(&"eni-1".into(), "i-1", true, now);
        for (destination, expected) in [
            ("10.244.1.0/24", Some(Ownership::Ours)),
            ("10.244.1.0/25", Some(Ownership::Foreign)),
            ("10.244.0.0/23", Some(Ownership::Foreign)),
            ("10.0.0.0/8", None),
            ("10.245.0.0/24", None),
            ("fd00::/24", None),
        ] {
            assert_eq!(
                ownership(&owners, &route(destination)),
                expected,
                "{destination}"
            );
        }
        let mut propagated = route("10.244.1.0/24");
        propagated.created = false;
        assert_eq!(ownership(&owners, &propagated), Some(Ownership::Foreign));
        assert_eq!(owners.unknown(&propagated, &pools(), now), None);
    }

    #[test]
    fn answers_are_asked_for_again_after_a_while() {
        let now = Instant::now();
        let mut owners = Owners::default();
        owners.learn(&"eni-1".into(), "i-1", false, now);
        let later = now + FOREIGN_HOLDS;
        let route = route("10.244.1.0/24");
        assert!(owners.unknown(&route, &pools(), later).is_some());
        owners.learn(&"eni-1".into(), "i-1", true, now);
        assert!(owners.unknown(&route, &pools(), later).is_none());
        owners.tidy(now + HOLDS);
        assert!(owners.unknown(&route, &pools(), now).is_some());
    }
}
