//! Changes to routes.
//!
//! `ReplaceRoute` and `DeleteRoute` name only the destination, whoever's route it is. So just
//! before each of them the table is read again, and the write is made only if the route is still
//! the one that was meant and still ours.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use ipnet::IpNet;
use signpost_core::cloud::{
    CloudError, CloudErrorKind, NextHop, ObservedRoute, Ownership, RouteChange, TableId,
};

use super::{action::Action, api::Api, changes::Mode, lock, quota::Quotas};

/// Routes that were just seen to be what a change takes them for.
#[derive(Debug, Default)]
pub(super) struct Verified(Mutex<HashMap<(TableId, IpNet), ObservedRoute>>);

impl Verified {
    /// The route was seen so.
    pub(super) fn put(&self, change: &RouteChange) {
        if let Some(old) = old(change) {
            self.lock().insert(place(change), old.clone());
        }
    }

    /// Whether the change may be made; once.
    fn take(&self, change: &RouteChange) -> bool {
        let seen = self.lock().remove(&place(change));
        seen.as_ref() == old(change)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TableId, IpNet), ObservedRoute>> {
        lock(&self.0)
    }
}

/// The route that a change replaces or removes.
pub(super) fn old(change: &RouteChange) -> Option<&ObservedRoute> {
    match change {
        RouteChange::Create { .. } => None,
        RouteChange::Replace { old, .. } => Some(old),
        RouteChange::Delete { route, .. } => Some(route),
    }
}

fn place(change: &RouteChange) -> (TableId, IpNet) {
    (change.table().clone(), change.destination())
}

/// The API action that makes a change.
pub(super) fn action(change: &RouteChange) -> Action {
    match change {
        RouteChange::Create { .. } => Action::CreateRoute,
        RouteChange::Replace { .. } => Action::ReplaceRoute,
        RouteChange::Delete { .. } => Action::DeleteRoute,
    }
}

/// Compares what a change is about with what the table has now.
pub(super) fn verify(change: &RouteChange, now: &[ObservedRoute]) -> Result<(), CloudError> {
    let Some(old) = old(change) else {
        return Ok(());
    };
    // One that is propagated may stand beside it.
    let mut there = now.iter().filter(|it| it.destination == old.destination);
    let found = there.clone().find(|it| it.ownership == Ownership::Ours);
    let found = found.or_else(|| there.next());
    let problem = match found {
        None => "is gone",
        Some(found) if found.ownership != Ownership::Ours => "is somebody else's now",
        Some(found) if found.next_hop != old.next_hop => "leads elsewhere now",
        Some(_) => return Ok(()),
    };
    Err(CloudError::new(
        CloudErrorKind::NotFound,
        format!("not begun: the route for {} {problem}", old.destination),
    ))
}

/// Whether the route that a creation should make is there, and ours. EC2 refuses to create a route that
/// exists, also exactly the same one: a creation whose answer was lost is refused when it is
/// repeated (`RouteAlreadyExists` in hashicorp/terraform 7038; `CreateRoute` is not among the "actions
/// that are idempotent by default" of the EC2 API reference).
pub(super) fn is_made(change: &RouteChange, now: &[ObservedRoute]) -> bool {
    let RouteChange::Create { route, .. } = change else {
        return false;
    };
    now.iter().any(|it| {
        it.destination == route.destination
            && it.ownership == Ownership::Ours
            && it.next_hop.as_ref() == Some(&route.next_hop)
    })
}

/// Makes a change that was admitted.
pub(super) async fn write(
    api: &Api,
    verified: &Verified,
    quotas: &Mutex<Quotas>,
    change: &RouteChange,
) -> Result<(), CloudError> {
    if !verified.take(change) {
        let problem = "not begun: the route was not looked at just before";
        return Err(CloudError::new(CloudErrorKind::Transient, problem));
    }
    let table = &change.table().0;
    let destination = change.destination();
    match change {
        RouteChange::Create { route, .. } => {
            let result = api
                .create_route(Mode::Real, table, destination, interface(&route.next_hop)?)
                .await;
            if let Err(error) = &result
                && error.kind == CloudErrorKind::QuotaExceeded
            {
                lock(quotas).refused(table, destination);
            }
            result
        }
        RouteChange::Replace { route, .. } => {
            api.replace_route(Mode::Real, table, destination, interface(&route.next_hop)?)
                .await
        }
        RouteChange::Delete { .. } => api.delete_route(Mode::Real, table, destination).await,
    }
}

fn interface(hop: &NextHop) -> Result<&Arc<str>, CloudError> {
    match hop {
        NextHop::Target(interface) => Ok(interface),
        NextHop::Address(address) => Err(CloudError::new(
            CloudErrorKind::Invalid,
            format!("routes of provider aws lead to network interfaces, not to {address}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use signpost_core::{
        cloud::{Blackhole, Route},
        node::NodeKey,
    };

    use super::*;

    fn observed(target: &str, ownership: Ownership) -> ObservedRoute {
        ObservedRoute {
            destination: "10.244.1.0/24".parse().unwrap(),
            next_hop: Some(NextHop::Target(target.into())),
            ownership,
            blackhole: None,
            handle: None,
        }
    }

    fn delete(target: &str) -> RouteChange {
        RouteChange::Delete {
            table: TableId("rtb-1".into()),
            route: observed(target, Ownership::Ours),
        }
    }

    fn create() -> RouteChange {
        RouteChange::Create {
            table: TableId("rtb-1".into()),
            route: Route {
                destination: "10.244.1.0/24".parse().unwrap(),
                next_hop: NextHop::Target("eni-1".into()),
                node: NodeKey::new("n", "u"),
            },
        }
    }

    #[test]
    fn only_the_route_that_was_meant_is_touched() {
        let ours = observed("eni-1", Ownership::Ours);
        assert_eq!(
            verify(&delete("eni-1"), std::slice::from_ref(&ours)),
            Ok(())
        );
        for now in [
            vec![],
            vec![observed("eni-2", Ownership::Ours)],
            vec![observed("eni-1", Ownership::Foreign)],
        ] {
            let refused = verify(&delete("eni-1"), &now).unwrap_err();
            assert_eq!(refused.kind, CloudErrorKind::NotFound, "{now:?}");
        }
        assert_eq!(verify(&create(), &[ours]), Ok(()));
    }

    #[test]
    fn a_creation_is_made_if_its_very_route_is_there_and_ours() {
        assert!(is_made(&create(), &[observed("eni-1", Ownership::Ours)]));
        for now in [
            vec![],
            vec![observed("eni-2", Ownership::Ours)],
            vec![observed("eni-1", Ownership::Foreign)],
        ] {
            assert!(!is_made(&create(), &now), "{now:?}");
        }
    }

    #[test]
    fn a_propagated_route_beside_ours_does_not_hide_it() {
        let both = [
            observed("vgw-1", Ownership::Outranked),
            observed("eni-1", Ownership::Ours),
        ];
        assert_eq!(verify(&delete("eni-1"), &both), Ok(()));
    }

    #[test]
    fn a_route_that_became_a_blackhole_is_still_the_one_that_was_meant() {
        let mut now = observed("eni-1", Ownership::Ours);
        now.blackhole = Some(Blackhole::TargetGone);
        assert_eq!(verify(&delete("eni-1"), &[now]), Ok(()));
    }

    #[test]
    fn one_look_allows_one_write() {
        let verified = Verified::default();
        let change = delete("eni-1");
        assert!(!verified.take(&change), "nobody looked");
        verified.put(&change);
        assert!(!verified.take(&delete("eni-2")), "another route was seen");
        verified.put(&change);
        assert!(verified.take(&change));
        assert!(!verified.take(&change));
        assert!(verified.take(&create()), "a creation takes nothing away");
    }
}
