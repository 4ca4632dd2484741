//! The connection to the API server: a client, and objects that are followed.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt as _;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt as _, watcher::Error as WatchError};
use kube::{Api, Client, Config, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tracing::{info, warn};

/// How long a connection may take to be made. On a node that boots, kube-proxy may not have been there
/// yet: the kernel then remembers of this connection that its address is not translated, and only a new
/// one finds the API server (`agent_connects_anew_when_the_service_was_not_there_yet`).
const LONGEST_CONNECT: Duration = Duration::from_secs(5);

/// A client by kubeconfig file, or by what is found around (service account, `$KUBECONFIG`).
pub async fn client(kubeconfig: Option<&Path>) -> anyhow::Result<Client> {
    let mut config = match kubeconfig {
        Some(path) => {
            let file = Kubeconfig::read_from(path)
                .with_context(|| format!("kubeconfig {}", path.display()))?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
                .await
                .with_context(|| format!("kubeconfig {}", path.display()))?
        }
        None => Config::infer().await.context(
            "no API server is configured: run as a pod with a service account, or give --kubeconfig",
        )?,
    };
    config.connect_timeout = Some(LONGEST_CONNECT);
    info!(server = %config.cluster_url, "the API server");
    Client::try_from(config).context("the API server's configuration")
}

/// The objects that are followed, by name; `None` until they have been listed.
pub type Seen<V> = Option<BTreeMap<String, V>>;

/// Follows the objects of `api` for ever, and publishes what `extract` takes of each of them. Nothing
/// else of an object is kept. Failures are logged and tried again, with growing pauses.
///
/// When the API server could not be reached, everything is listed anew. It may have been set back
/// meanwhile (etcd restored from a snapshot), and a watch that goes on from a version that is still to
/// come is told nothing and sees no error.
pub async fn follow<K, V>(
    api: Api<K>,
    selection: watcher::Config,
    extract: impl Fn(&K) -> V,
    seen: watch::Sender<Seen<V>>,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
    V: PartialEq,
{
    let kind = K::kind(&()).into_owned();
    let plural = K::plural(&()).into_owned();
    // Whatever the API server has in its cache is recent enough, and costs it least.
    let selection = selection.any_semantic();
    let begin = || watcher(api.clone(), selection.clone()).default_backoff();
    let mut events = pin!(begin());
    let mut listing = BTreeMap::new();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Init) => listing.clear(),
            Ok(Event::InitApply(object)) => {
                listing.insert(object.name_any(), extract(&object));
            }
            Ok(Event::InitDone) => publish(&seen, std::mem::take(&mut listing)),
            Ok(Event::Apply(object)) => {
                let (name, value) = (object.name_any(), extract(&object));
                seen.send_if_modified(|seen| {
                    let objects = seen.get_or_insert_default();
                    let changed = objects.get(&name) != Some(&value);
                    objects.insert(name, value);
                    changed
                });
            }
            Ok(Event::Delete(object)) => {
                seen.send_if_modified(|seen| {
                    seen.get_or_insert_default()
                        .remove(&object.name_any())
                        .is_some()
                });
            }
            Err(error) => {
                warn!(kind, "{}", explain(&plural, &error));
                if unreachable(&error) {
                    events.set(begin());
                }
            }
        }
    }
}

/// Whether a watch could not be resumed for want of an API server that works.
fn unreachable(error: &WatchError) -> bool {
    match error {
        WatchError::WatchStartFailed(kube::Error::Api(status)) => status.code >= 500,
        WatchError::WatchStartFailed(_) => true,
        _ => false,
    }
}

fn publish<V: PartialEq>(seen: &watch::Sender<Seen<V>>, listing: BTreeMap<String, V>) {
    seen.send_if_modified(|seen| {
        let changed = seen.as_ref() != Some(&listing);
        *seen = Some(listing);
        changed
    });
}

/// What is wrong with a watch, and what to do about it.
fn explain(plural: &str, error: &WatchError) -> String {
    let status = match error {
        WatchError::InitialListFailed(kube::Error::Api(status))
        | WatchError::WatchStartFailed(kube::Error::Api(status))
        | WatchError::WatchFailed(kube::Error::Api(status))
        | WatchError::WatchError(status) => status,
        other => {
            let cause = root_cause(other);
            return format!(
                "the API server cannot be asked for {plural}: {cause}; trying again. \
                 Nothing changes on this node meanwhile"
            );
        }
    };
    let remedy = match status.code {
        401 => "the credentials are not accepted: see the service account or the kubeconfig",
        403 => {
            "apply manifests/base, which allows the service account to list and watch what it needs"
        }
        _ => "trying again",
    };
    format!(
        "the API server refuses {plural}: {}; {remedy}",
        status.message
    )
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn refusals_come_with_a_remedy() {
        let refused = |code| {
            let status = Status {
                code,
                message: "no".into(),
                ..Status::default()
            };
            explain("nodes", &WatchError::WatchError(Box::new(status)))
        };
        assert!(refused(403).contains("manifests/base"));
        assert!(refused(401).contains("credentials"));
        assert!(refused(500).contains("refuses nodes: no"));
    }

    #[test]
    fn listings_are_published_only_when_they_differ() {
        let (sender, mut receiver) = watch::channel(None);
        let listing = || BTreeMap::from([("a".to_owned(), 1)]);
        publish(&sender, listing());
        assert!(receiver.has_changed().unwrap());
        assert_eq!(*receiver.borrow_and_update(), Some(listing()));
        publish(&sender, listing());
        assert!(!receiver.has_changed().unwrap());
    }
}
