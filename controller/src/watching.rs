//! Watches that last: after an error they wait a little, say so once, and go on.

use std::{fmt::Debug, sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures::{Stream, StreamExt};
use kube::runtime::watcher::{Config, Error, Event};
use signpost_core::event::ApiErrorKind;

use crate::{
    errors::{ApiFailure, Category},
    metrics::Metrics,
};

/// Delays between attempts: from a quarter of a second to five, with jitter, for ever.
pub fn backoff() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(250))
        .with_max_delay(Duration::from_secs(5))
        .with_jitter()
        .without_max_times()
        .build()
}

/// Says a thing once, until it is over or something else is to be said.
#[derive(Debug, Default)]
pub struct Trouble(Option<String>);

impl Trouble {
    /// Warns, unless this was the last thing said.
    pub fn tell(&mut self, message: &str) {
        if self.0.as_deref() != Some(message) {
            tracing::warn!("{message}");
            self.0 = Some(message.to_owned());
        }
    }

    /// It works again.
    pub fn over(&mut self, what: &str) {
        if self.0.take().is_some() {
            tracing::info!("{what} again");
        }
    }
}

/// How a watch is kept up: it ends and is resumed every minute, so that a connection that somebody
/// on the way forgot is noticed that soon.
pub fn config() -> Config {
    const SECONDS: u32 = 60;
    Config::default().timeout(SECONDS)
}

/// What is watched and what to do if there is no such thing.
#[derive(Debug, Clone, Copy)]
pub struct Watched {
    /// As in RBAC, such as `nodes`.
    pub resource: &'static str,
    /// What to do if the API server does not know the resource.
    pub if_unknown: &'static str,
}

/// Passes on what the watch says, and deals with its errors.
///
/// When the connection broke or the API server could not be reached, `begin` makes another watch, which
/// begins with a list. The API server may have been set back meanwhile (etcd restored from a snapshot),
/// and a watch that goes on from a version that is still to come is told nothing and sees no error.
pub fn lasting<K, S>(
    begin: impl Fn() -> S + Send + Sync + 'static,
    what: Watched,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = Event<K>> + Send
where
    K: Debug + Send + 'static,
    S: Stream<Item = Result<Event<K>, Error>> + Send + 'static,
{
    let state = (begin().boxed(), Trouble::default(), backoff());
    let begin = Arc::new(begin);
    futures::stream::unfold(state, move |(mut stream, mut trouble, mut delays)| {
        let (metrics, begin) = (Arc::clone(&metrics), Arc::clone(&begin));
        async move {
            loop {
                match stream.next().await? {
                    Ok(event) => {
                        // `Init` only says that a listing is about to be tried.
                        if !matches!(event, Event::Init) {
                            trouble.over(&format!("{} can be watched", what.resource));
                            delays = backoff();
                        }
                        return Some((event, (stream, trouble, delays)));
                    }
                    Err(error) => {
                        if let Some(failure) = judge(&error, what) {
                            metrics.error(Category::Api(failure.kind));
                            trouble.tell(&failure.message);
                            if was_cut(&error, &failure) {
                                stream = begin().boxed();
                            }
                        }
                        tokio::time::sleep(delays.next().unwrap_or_default()).await;
                    }
                }
            }
        }
    })
}

/// Whether a watch broke, other than by its own time limit, or could not be resumed for want of an API
/// server that works. A break alone is enough: the next attempt may come when all is over.
fn was_cut(error: &Error, failure: &ApiFailure) -> bool {
    match error {
        Error::WatchFailed(_) => true,
        Error::WatchStartFailed(_) => {
            matches!(
                failure.kind,
                ApiErrorKind::Transient | ApiErrorKind::Unknown
            )
        }
        _ => false,
    }
}

/// `None` for what belongs to the ordinary life of a watch.
fn judge(error: &Error, what: Watched) -> Option<ApiFailure> {
    let (verb, error) = match error {
        Error::InitialListFailed(error) => ("list", error),
        Error::WatchStartFailed(error) | Error::WatchFailed(error) => ("watch", error),
        // The version that we know is too old, so the list is read anew.
        Error::WatchError(status) if status.code == 410 => return None,
        Error::WatchError(status) => {
            let error = kube::Error::Api(status.clone());
            return Some(ApiFailure::new(&error, "watch", what.resource));
        }
        Error::NoResourceVersion => return None,
    };
    let mut failure = ApiFailure::new(error, verb, what.resource);
    if matches!(error, kube::Error::Api(status) if status.code == 404) {
        failure.message = format!("{}: {}", failure.message, what.if_unknown);
    }
    Some(failure)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::stream;

    use super::*;

    /// How often `lasting` begins a watch that ends with this error before it is told something.
    async fn begins_after(error: impl Fn() -> Error + Send + Sync + 'static) -> usize {
        let beginnings = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&beginnings);
        let begin = move || {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            let failing = first.then(|| Err(error()));
            let event = Ok(Event::<()>::InitDone);
            stream::iter(failing.into_iter().chain([event]))
        };
        let what = Watched {
            resource: "nodes",
            if_unknown: "",
        };
        let metrics = Arc::new(Metrics::new().unwrap());
        let mut events = std::pin::pin!(lasting(begin, what, metrics));
        assert!(matches!(events.next().await, Some(Event::InitDone)));
        beginnings.load(Ordering::SeqCst)
    }

    fn broken() -> kube::Error {
        kube::Error::ReadEvents(std::io::ErrorKind::ConnectionReset.into())
    }

    #[tokio::test]
    async fn a_watch_that_was_cut_begins_with_a_list() {
        assert_eq!(begins_after(|| Error::WatchFailed(broken())).await, 2);
        assert_eq!(begins_after(|| Error::WatchStartFailed(broken())).await, 2);
    }

    #[tokio::test]
    async fn a_watch_that_has_a_list_to_read_goes_on_by_itself() {
        assert_eq!(begins_after(|| Error::NoResourceVersion).await, 1);
    }
}
