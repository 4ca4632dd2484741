//! The finalizer comes before the first route: no route is made that the object's deletion would leave
//! behind.

use std::time::Duration;

use signpost_core::{Time, event::ApiErrorKind};
use tokio::sync::mpsc;

use crate::{
    api::KubeApi,
    clock::now,
    errors::ApiFailure,
    execute::{Executor, put_finalizer},
    network::Object,
    watching::Trouble,
};

/// How soon it is tried again, at first.
const FIRST: Duration = Duration::from_secs(2);
/// And at most.
const LONGEST: Duration = Duration::from_secs(60);

/// Puts the finalizer on, until the watch shows it.
pub(super) struct Keeper {
    api: KubeApi,
    results: mpsc::Sender<Result<(), ApiFailure>>,
    ended: mpsc::Receiver<Result<(), ApiFailure>>,
    under_way: bool,
    failures: u32,
    /// When it is tried again, if the object still needs it.
    again: Option<Time>,
    /// What keeps it off, for people.
    problem: Option<String>,
    trouble: Trouble,
}

impl Keeper {
    pub(super) fn new(api: KubeApi) -> Self {
        let (results, ended) = mpsc::channel(1);
        Self {
            api,
            results,
            ended,
            under_way: false,
            failures: 0,
            again: None,
            problem: None,
            trouble: Trouble::default(),
        }
    }

    /// Puts it on `object`, which lacks it, unless that was just tried. The watch shows when it is
    /// there.
    pub(super) fn keep(&mut self, object: &Object, executor: &Executor) {
        if self.under_way || self.again.is_some_and(|again| now() < again) {
            return;
        }
        self.under_way = true;
        self.again = None;
        let (api, results) = (self.api.clone(), self.results.clone());
        let (finalizers, version) = (object.finalizers.clone(), object.version.clone());
        executor.spawn(async move {
            let result = put_finalizer(&api, &finalizers, &version).await;
            // Nobody waits for it after the end of the leadership.
            let _ = results.send(result).await;
        });
    }

    /// The object has it, or needs none.
    pub(super) fn kept(&mut self) {
        self.failures = 0;
        self.again = None;
        self.problem = None;
        self.trouble
            .over("the finalizer can be put on the PodNetwork");
    }

    /// Waits for the end of an attempt.
    pub(super) async fn ended(&mut self) -> Result<(), ApiFailure> {
        match self.ended.recv().await {
            Some(result) => result,
            // We have a sender ourselves.
            None => std::future::pending().await,
        }
    }

    /// Takes note of how an attempt ended.
    pub(super) fn note(&mut self, result: Result<(), ApiFailure>) {
        self.under_way = false;
        if let Err(failure) = result
            && failure.kind != ApiErrorKind::Conflict
        {
            self.trouble.tell(&failure.message);
            self.problem = Some(failure.message);
            self.failures += 1;
        }
        // Also after success the watch may have to be waited for; after a conflict it brings what
        // somebody else wrote.
        let wait = FIRST * 2_u32.pow(self.failures.saturating_sub(1).min(5));
        self.again = Some(now().after(wait.min(LONGEST)));
    }

    /// When it is to be tried again.
    pub(super) fn again(&self) -> Option<Time> {
        self.again
    }

    /// What keeps it off, for people.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper")
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
