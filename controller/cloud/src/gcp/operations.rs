//! What Google carries out, whoever asked for it and whatever becomes of them.
//!
//! One listing a second tells how all of our changes get on, however many they are. What is unfinished when
//! the routes are listed is pending: it is looked up before them, so that what ends in between shows as both.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::{BoxFuture, join_all};
use google_cloud_compute_v1::model::{Operation, operation::Status};
use ipnet::IpNet;
use jiff::Timestamp;
use signpost_core::cloud::{CloudError, CloudErrorKind};
use tokio::time::{Instant, sleep};

use super::{
    action::Action,
    api::{Api, PAGE},
    errors, links, lock,
    names::Names,
};
use crate::{
    Progress,
    batch::{Batch, Pace},
};

/// How often it is looked how our changes get on.
const EVERY: Duration = Duration::from_secs(1);
/// After so long of that it is looked at every third second: so many changes wait for the quota.
const PATIENCE: Duration = Duration::from_secs(20);
/// What such a look has shown to be under way is believed for so long, rather than to look again.
const RECENT: Duration = Duration::from_secs(2);
/// How long a listing of routes is preceded by one of operations after a change was asked for, or after this
/// provider was made: longer than a request takes to arrive that an earlier leader had sent, or that was not
/// answered.
const WATCHFUL: Duration = Duration::from_secs(60);

/// The name of what is carried out, for [`Cloud::finish`](crate::Cloud::finish).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    /// A change of a route.
    Route(Arc<str>),
    /// A change of an instance.
    Instance {
        project: Arc<str>,
        zone: Arc<str>,
        name: Arc<str>,
    },
}

impl Name {
    pub(super) fn to_operation(&self) -> crate::Operation {
        crate::Operation(match self {
            Self::Route(name) => name.as_ref().into(),
            Self::Instance {
                project,
                zone,
                name,
            } => format!("{project}/{zone}/{name}").into(),
        })
    }

    pub(super) fn of(operation: &crate::Operation) -> Self {
        match *operation.0.split('/').collect::<Vec<_>>() {
            [project, zone, name] => Self::Instance {
                project: project.into(),
                zone: zone.into(),
                name: name.into(),
            },
            _ => Self::Route(operation.0.as_ref().into()),
        }
    }
}

/// Follows the operations of one project's routes.
pub(super) struct Operations {
    api: Arc<Api>,
    project: Arc<str>,
    of_routes: Batch<Arc<str>, Arc<Operation>>,
    /// Until when something may be under way of which we know nothing.
    watchful: Mutex<Instant>,
    last: Arc<Mutex<Option<Look>>>,
    /// When something was last asked for of which nobody knows whether it was taken on.
    doubt: Mutex<Instant>,
}

/// A change that is being asked for. Dropped before it is known what was taken on, it leaves doubt: looks
/// before that moment say nothing of it.
#[must_use]
pub(super) struct Asking<'a> {
    doubt: Option<&'a Mutex<Instant>>,
}

impl Asking<'_> {
    /// It was answered with an operation.
    pub(super) fn accepted(mut self) {
        self.doubt = None;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(doubt) = self.doubt {
            *lock(doubt) = Instant::now();
        }
    }
}

/// What a look at the newest operations has shown.
#[derive(Debug, Clone)]
struct Look {
    begun: Instant,
    /// All that were under way.
    unfinished: Vec<Operation>,
}

impl Operations {
    pub(super) fn new(api: &Arc<Api>, project: &Arc<str>) -> Self {
        let (reader, of) = (Arc::clone(api), Arc::clone(project));
        let last = Arc::default();
        let looks = Arc::clone(&last);
        let read = move |names: Vec<Arc<str>>| -> BoxFuture<'static, _> {
            let (api, project) = (Arc::clone(&reader), Arc::clone(&of));
            let last = Arc::clone(&looks);
            Box::pin(async move { read(&api, &project, names, &last).await })
        };
        let pace = Pace {
            linger: EVERY / 4,
            interval: EVERY,
            patience: PATIENCE,
        };
        Self {
            api: Arc::clone(api),
            project: Arc::clone(project),
            of_routes: Batch::new(usize::MAX, pace, Box::new(read)),
            watchful: Mutex::new(Instant::now() + WATCHFUL),
            last,
            doubt: Mutex::new(Instant::now()),
        }
    }

    /// A change is about to be asked for.
    pub(super) fn ask(&self) -> Asking<'_> {
        self.expect_one();
        Asking {
            doubt: Some(&self.doubt),
        }
    }

    fn expect_one(&self) {
        *lock(&self.watchful) = Instant::now() + WATCHFUL;
    }

    /// The blocks of this cluster for whose routes something is being carried out.
    pub(super) async fn pending(&self, names: &Names) -> Result<Vec<IpNet>, CloudError> {
        if Instant::now() > *lock(&self.watchful) {
            return Ok(Vec::new());
        }
        let last = lock(&self.last).clone();
        let doubt = *lock(&self.doubt);
        let recent = |look: &Look| look.begun >= doubt && look.begun.elapsed() < RECENT;
        let unfinished = match last.filter(recent) {
            Some(look) => look.unfinished,
            None => self.api.unfinished_operations(&self.project).await?,
        };
        let blocks: Vec<IpNet> = unfinished
            .iter()
            .filter(|operation| !is_done(operation))
            .filter_map(|operation| links::route(operation.target_link.as_deref()?))
            .filter_map(|name| names.block(name))
            .collect();
        if !blocks.is_empty() {
            self.expect_one();
        }
        Ok(blocks)
    }

    /// Waits until it has ended.
    pub(super) async fn finish(&self, name: &Name) -> Result<(), CloudError> {
        loop {
            let (action, answer) = match name {
                Name::Route(name) => {
                    let answer = self.of_routes.ask(Arc::clone(name)).await;
                    (Action::InsertRoute, answer)
                }
                Name::Instance {
                    project,
                    zone,
                    name,
                } => {
                    sleep(EVERY).await;
                    let answer = self.api.zone_operation(project, zone, name).await;
                    (Action::UpdateInstance, answer.map(|it| it.map(Arc::new)))
                }
            };
            match answer {
                Ok(Some(operation)) if is_done(&operation) => {
                    let action = match operation.operation_type.as_deref() {
                        Some("delete") => Action::DeleteRoute,
                        _ => action,
                    };
                    return errors::of_operation(action, &operation).map_or(Ok(()), Err);
                }
                Ok(None) => return Err(lost("nothing is known of it any more")),
                Err(error) if error.kind == CloudErrorKind::Denied => {
                    return Err(lost(&error.detail));
                }
                // It goes on, or the next look may tell.
                Ok(Some(_)) | Err(_) => {}
            }
        }
    }
}

fn is_done(operation: &Operation) -> bool {
    operation.status == Some(Status::Done)
}

/// How far a change is that Google has taken on; `name` is of its operation.
pub(super) fn progress(
    action: Action,
    operation: &Operation,
    name: impl FnOnce(Arc<str>) -> Name,
) -> Result<Progress, CloudError> {
    if is_done(operation) {
        return errors::of_operation(action, operation).map_or(Ok(Progress::Done), Err);
    }
    let of = operation.name.as_deref().ok_or_else(|| {
        let problem = format!("{}: the answer names no operation", action.name());
        CloudError::new(CloudErrorKind::Unknown, problem)
    })?;
    Ok(Progress::Accepted(name(of.into()).to_operation()))
}

/// How a change has ended cannot be told; the next listing of routes does.
fn lost(why: &str) -> CloudError {
    let problem = format!("how the operation has ended is not known: {why}");
    CloudError::new(CloudErrorKind::Unknown, problem)
}

/// Looks at operations of routes. The newest come first, so that those that are under way are in the first
/// page as a rule; the others are asked for by name.
async fn read(
    api: &Api,
    project: &str,
    names: Vec<Arc<str>>,
    last: &Mutex<Option<Look>>,
) -> Result<HashMap<Arc<str>, Result<Arc<Operation>, CloudError>>, CloudError> {
    let begun = Instant::now();
    let newest = api.newest_operations(project).await?;
    if go_back_far(&newest) {
        let unfinished = newest.iter().filter(|it| !is_done(it)).cloned().collect();
        *lock(last) = Some(Look { begun, unfinished });
    }
    let mut by_name: HashMap<String, Operation> = newest
        .into_iter()
        .filter_map(|operation| Some((operation.name.clone()?, operation)))
        .collect();
    let mut found = HashMap::new();
    let mut others = Vec::new();
    for name in names {
        match by_name.remove(&*name) {
            Some(operation) => {
                found.insert(name, Ok(Arc::new(operation)));
            }
            None => others.push(name),
        }
    }
    let others = others.into_iter().map(|name| async move {
        let answer = api.global_operation(project, &name).await.transpose();
        Some((name, answer?.map(Arc::new)))
    });
    found.extend(join_all(others).await.into_iter().flatten());
    Ok(found)
}

/// Whether operations before these have ended for certain: there are none, or these are of so long a time.
fn go_back_far(newest: &[Operation]) -> bool {
    let begun = |operation: Option<&Operation>| {
        let text = operation?.insert_time.as_deref()?;
        text.parse::<Timestamp>().ok()
    };
    let span = || {
        begun(newest.first())?
            .duration_since(begun(newest.last())?)
            .try_into()
            .ok()
    };
    newest.len() < PAGE as usize || span().is_some_and(|span: Duration| span >= WATCHFUL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun_at(time: String) -> Operation {
        Operation::new().set_insert_time(time)
    }

    #[test]
    fn a_full_page_shows_all_that_is_under_way_if_it_goes_back_a_minute() {
        // As Google writes times.
        let page = |oldest: &str| {
            let newest = begun_at("2026-11-27T01:00:30.125-08:00".to_owned());
            let mut all = vec![newest; PAGE as usize];
            all.push(begun_at(oldest.to_owned()));
            all.remove(0);
            all
        };
        assert!(go_back_far(&[]));
        assert!(go_back_far(&page("2026-11-27T09:00:00.000-08:00")[1..]));
        assert!(!go_back_far(&page("2026-11-27T00:59:31.000-08:00")));
        assert!(go_back_far(&page("2026-11-27T08:59:30.000+00:00")));
        assert!(!go_back_far(&page("")));
    }

    #[test]
    fn names_go_through_the_trait_unharmed() {
        let names = [
            Name::Route("operation-1-2".into()),
            Name::Instance {
                project: "example.com:p".into(),
                zone: "z-a".into(),
                name: "operation-1".into(),
            },
        ];
        for name in names {
            assert_eq!(Name::of(&name.to_operation()), name);
        }
    }
}
