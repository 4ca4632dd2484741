//! Changes to routes.
//!
//! Only a route's name is unique, and it says which cluster and block it is for: an insertion that is
//! repeated, by whomever, is refused instead of making a second route. A deletion names the route, which is
//! looked at just before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use signpost_core::cloud::{CloudError, CloudErrorKind, ObservedRoute, Route, RouteChange};
use tokio::time::Instant;
use uuid::Uuid;

use super::{GcpNetwork, action::Action, lock, operations};
use crate::Progress;

/// Ids of requests. One identifies an attempt: Google answers the same id with the same operation, so it is
/// used again only where the answer to that attempt was lost (`requestId` in the API reference).
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<RouteChange, (Uuid, Instant)>>);

/// Google knows an id for at least so long ("after 60 minutes since the first request").
const ID_HOLDS: Duration = Duration::from_secs(3600);

impl Attempts {
    /// The id of an attempt at a change, or of the one before, of which nobody knows what became.
    fn id(&self, change: &RouteChange) -> Uuid {
        let now = Instant::now();
        let mut all = self.lock();
        all.retain(|_, (_, since)| now.duration_since(*since) < ID_HOLDS);
        let attempt = all.entry(change.clone());
        attempt.or_insert_with(|| (Uuid::new_v4(), now)).0
    }

    /// The attempt has been answered.
    fn answered(&self, change: &RouteChange) {
        self.lock().remove(change);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RouteChange, (Uuid, Instant)>> {
        lock(&self.0)
    }
}

impl GcpNetwork {
    /// Waits until a change may begin, and looks at what it would remove.
    pub(super) async fn admit_route(&self, change: &RouteChange) -> Result<(), CloudError> {
        if matches!(change, RouteChange::Replace { .. }) {
            // It is refused.
            return Ok(());
        }
        self.pauses.pass().await;
        let project = &self.place.project;
        self.api.calls.pass(project, action(change)).await;
        match change {
            RouteChange::Delete { route, .. } => self.verify(route).await,
            RouteChange::Create { .. } | RouteChange::Replace { .. } => Ok(()),
        }
    }

    /// Looks whether a route is still the one that was meant and still ours.
    async fn verify(&self, meant: &ObservedRoute) -> Result<(), CloudError> {
        let name = self.name_of(meant);
        let now = self.api.route(&self.place.project, &name).await?;
        let problem = match &now {
            None => "is gone",
            Some(now) if !self.form.is_ours(now) => "is somebody else's now",
            Some(now) if self.form.next_hop(now) != meant.next_hop => "leads elsewhere now",
            Some(_) => return Ok(()),
        };
        Err(CloudError::new(
            CloudErrorKind::NotFound,
            format!("not begun: the route {name} {problem}"),
        ))
    }

    /// The name of a route of ours, which follows from its block where no listing has shown it yet.
    fn name_of(&self, route: &ObservedRoute) -> Arc<str> {
        let of_block = || self.form.names.of(route.destination).into();
        route.handle.clone().unwrap_or_else(of_block)
    }

    /// Asks for a change that was admitted.
    pub(super) async fn begin_route(&self, change: &RouteChange) -> Result<Progress, CloudError> {
        let asking = self.operations.ask();
        let project = &self.place.project;
        let id = self.attempts.id(change).to_string();
        let answer = match change {
            RouteChange::Create { route, .. } => {
                let new = self.form.of(route, &self.place);
                self.api.insert_route(project, new, &id).await
            }
            RouteChange::Delete { route, .. } => {
                let name = self.name_of(route);
                self.api.delete_route(project, &name, &id).await
            }
            RouteChange::Replace { .. } => Err(CloudError::new(
                CloudErrorKind::Invalid,
                "a route of GCP cannot be led elsewhere: it is removed and made anew",
            )),
        };
        let doubt = matches!(&answer, Err(error) if error.kind == CloudErrorKind::Unknown);
        if !doubt {
            self.attempts.answered(change);
        }
        match (answer, change) {
            (Ok(operation), _) => {
                asking.accepted();
                operations::progress(action(change), &operation, operations::Name::Route)
                    .map_err(|error| self.take_note(error))
            }
            (Err(error), RouteChange::Create { route, .. })
                if error.kind == CloudErrorKind::AlreadyExists =>
            {
                self.compare(route, error).await
            }
            (Err(error), _) => Err(self.take_note(error)),
        }
    }

    /// The name of a route is taken: perhaps by the very route that is wanted, made by an attempt whose
    /// answer was lost.
    async fn compare(&self, wanted: &Route, refused: CloudError) -> Result<Progress, CloudError> {
        let name = self.form.names.of(wanted.destination);
        match self.api.route(&self.place.project, &name).await {
            Ok(Some(there)) if !self.form.is_ours(&there) => Err(CloudError::new(
                CloudErrorKind::AlreadyExists,
                format!("the name {name} is taken by a route of somebody else: remove that route"),
            )),
            Ok(Some(there)) if self.form.next_hop(&there).as_ref() == Some(&wanted.next_hop) => {
                Ok(Progress::Done)
            }
            Ok(None) => Err(CloudError::new(
                CloudErrorKind::Transient,
                format!("a route of the name {name} is being made or removed"),
            )),
            // Ours and otherwise: the next listing says so, too, and it is removed and made anew.
            Ok(Some(_)) | Err(_) => Err(refused),
        }
    }

    /// Learns how full the network is from an error, and hands it on.
    pub(super) fn take_note(&self, error: CloudError) -> CloudError {
        if error.kind == CloudErrorKind::QuotaExceeded {
            lock(&self.quota).refused(&error.detail);
        }
        error
    }
}

fn action(change: &RouteChange) -> Action {
    match change {
        RouteChange::Create { .. } | RouteChange::Replace { .. } => Action::InsertRoute,
        RouteChange::Delete { .. } => Action::DeleteRoute,
    }
}

#[cfg(test)]
mod tests {
    use signpost_core::{
        cloud::{NextHop, TableId},
        node::NodeKey,
    };

    use super::*;

    fn create(target: &str) -> RouteChange {
        RouteChange::Create {
            table: TableId("projects/p/global/networks/n".into()),
            route: Route {
                destination: "10.244.1.0/24".parse().unwrap(),
                next_hop: NextHop::Target(target.into()),
                node: NodeKey::new("n", "u"),
            },
        }
    }

    #[test]
    fn an_id_is_used_again_only_while_its_attempt_is_unanswered() {
        let attempts = Attempts::default();
        let first = attempts.id(&create("a"));
        assert_eq!(attempts.id(&create("a")), first);
        assert_ne!(attempts.id(&create("b")), first, "another change");
        attempts.answered(&create("a"));
        assert_ne!(attempts.id(&create("a")), first);
    }

    #[tokio::test(start_paused = true)]
    async fn an_id_that_google_may_have_forgotten_is_forgotten_too() {
        let attempts = Attempts::default();
        let first = attempts.id(&create("a"));
        tokio::time::advance(ID_HOLDS).await;
        attempts.id(&create("b"));
        assert_eq!(attempts.lock().len(), 1);
        assert_ne!(attempts.id(&create("a")), first);
    }
}
