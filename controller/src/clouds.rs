//! From the cloud section of a `PodNetwork` to a provider whose calls are counted.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use signpost_api::Provider;
use signpost_cloud::{Blocks, Change, Cloud, NoCloud};
use signpost_core::{
    Limits,
    cloud::{CloudError, CloudErrorKind, InstanceQuery, InstanceState, RouteChange, TableListing},
    node::NodeKey,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{errors::Category, metrics::Metrics};

/// How long a call that only reads may take, all its pages together.
const LONGEST_READ: Duration = Duration::from_secs(120);

/// Makes the provider that `section` asks for. `longest_write` bounds its writes.
///
/// # Errors
/// The text says why there is none and what to do.
pub fn build(
    section: &signpost_api::Cloud,
    metrics: &Arc<Metrics>,
    longest_write: Duration,
) -> Result<Arc<dyn Cloud>, String> {
    let inner: Arc<dyn Cloud> = match section.provider {
        Provider::None => Arc::new(NoCloud),
        Provider::Linux => linux(section)?,
        Provider::Aws => return Err(not_built("aws")),
        Provider::Gcp => return Err(not_built("gcp")),
    };
    Ok(Arc::new(Counted {
        inner,
        metrics: Arc::clone(metrics),
        longest_write,
    }))
}

#[cfg(feature = "linux")]
fn linux(section: &signpost_api::Cloud) -> Result<Arc<dyn Cloud>, String> {
    let settings = section.linux.clone().unwrap_or_default();
    let config = signpost_cloud::linux::LinuxConfig {
        route_protocol: settings.route_protocol,
        table: settings.table,
    };
    let router = signpost_cloud::linux::LinuxRouter::open(config)
        .map_err(|error| format!("the kernel's routes cannot be reached: {}", error.detail))?;
    Ok(Arc::new(router))
}

#[cfg(not(feature = "linux"))]
fn linux(_section: &signpost_api::Cloud) -> Result<Arc<dyn Cloud>, String> {
    Err(not_built("linux"))
}

fn not_built(provider: &str) -> String {
    format!(
        "this program was built without provider {provider}: use one built with \
         `cargo build -p signpost-controller --features {provider}`, or change spec.cloud.provider"
    )
}

/// Counts every call by action and outcome, and bounds its time.
struct Counted {
    inner: Arc<dyn Cloud>,
    metrics: Arc<Metrics>,
    longest_write: Duration,
}

impl Counted {
    async fn call<T>(
        &self,
        action: &'static str,
        limit: Duration,
        call: impl Future<Output = Result<T, CloudError>> + Send,
    ) -> Result<T, CloudError> {
        let begun = Instant::now();
        let result = timeout(limit, call).await.unwrap_or_else(|_| {
            Err(CloudError::new(
                CloudErrorKind::Unknown,
                "no answer in time",
            ))
        });
        self.count(action, begun, result.as_ref().err());
        result
    }

    fn count(&self, action: &'static str, begun: Instant, error: Option<&CloudError>) {
        let outcome = error.map_or("ok", |error| error.kind.category());
        let seconds = begun.elapsed().as_secs_f64();
        self.metrics.cloud_request(action, outcome, seconds);
        let Some(error) = error else { return };
        self.metrics.error(Category::Cloud(error.kind));
        if let Some(wait) = error.retry_after {
            self.metrics
                .throttle_wait
                .with_label_values(&[action])
                .inc_by(wait.as_secs_f64());
        }
    }
}

#[async_trait]
impl Cloud for Counted {
    fn provider(&self) -> &'static str {
        self.inner.provider()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        let begun = Instant::now();
        // Nodes without an answer are asked for again later.
        let answers = timeout(LONGEST_READ, self.inner.read_instances(queries))
            .await
            .unwrap_or_default();
        let error = answers.iter().find_map(|(_, answer)| answer.as_ref().err());
        self.count("read_instances", begun, error);
        answers
    }

    async fn admit(&self, change: Change<'_>) -> Result<(), CloudError> {
        self.inner.admit(change).await
    }

    async fn enable_forwarding(&self, query: &InstanceQuery) -> Result<(), CloudError> {
        let call = self.inner.enable_forwarding(query);
        self.call("enable_forwarding", self.longest_write, call)
            .await
    }

    async fn list_routes(&self, pools: &[Blocks]) -> Result<Vec<TableListing>, CloudError> {
        let call = self.inner.list_routes(pools);
        self.call("list_routes", LONGEST_READ, call).await
    }

    async fn write_route(&self, change: &RouteChange) -> Result<(), CloudError> {
        let action = match change {
            RouteChange::Create { .. } => "create_route",
            RouteChange::Replace { .. } => "replace_route",
            RouteChange::Delete { .. } => "delete_route",
        };
        let call = self.inner.write_route(change);
        self.call(action, self.longest_write, call).await
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        self.inner.changes()
    }
}

#[cfg(test)]
mod tests {
    use signpost_core::cloud::{NextHop, Route, TableId};

    use super::*;

    fn section(provider: &str) -> signpost_api::Cloud {
        serde_json::from_value(serde_json::json!({"provider": provider})).unwrap()
    }

    #[test]
    fn a_provider_not_built_in_is_named_with_the_feature() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let Err(problem) = build(&section("gcp"), &metrics, Duration::from_secs(5)) else {
            panic!("there is no such provider yet");
        };
        assert!(problem.contains("--features gcp"), "{problem}");
    }

    #[tokio::test]
    async fn calls_are_counted_by_action_and_outcome() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let cloud = build(&section("none"), &metrics, Duration::from_secs(5)).unwrap();
        cloud.list_routes(&[]).await.unwrap();
        let change = RouteChange::Create {
            table: TableId("t".into()),
            route: Route {
                destination: "10.0.0.0/24".parse().unwrap(),
                next_hop: NextHop::Target("i".into()),
                node: "n".into(),
            },
        };
        cloud.write_route(&change).await.unwrap_err();
        let text = metrics.text().unwrap();
        for line in [
            r#"signpost_cloud_requests_total{action="list_routes",outcome="ok"} 1"#,
            r#"signpost_cloud_requests_total{action="create_route",outcome="invalid"} 1"#,
            r#"signpost_errors_total{category="cloud_invalid"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
