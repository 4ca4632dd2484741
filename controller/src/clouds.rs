//! From the cloud section of a `PodNetwork` to a provider whose calls are counted.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use signpost_api::Provider;
use signpost_cloud::{Change, Cloud, NoCloud, Operation, Progress};
use signpost_core::{
    Limits,
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, Range, RouteChange, TableListing,
    },
    node::NodeKey,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use crate::{errors::Category, metrics::Metrics};

/// How long a call that only reads may take, all its pages together.
const LONGEST_READ: Duration = Duration::from_secs(120);

/// Makes the provider that `section` asks for, which may mean to ask the machine where it is.
/// `longest_write` bounds its writes.
///
/// # Errors
/// The text says why there is none and what to do.
pub async fn build(
    section: &signpost_api::Cloud,
    metrics: &Arc<Metrics>,
    longest_write: Duration,
) -> Result<Arc<dyn Cloud>, String> {
    let inner: Arc<dyn Cloud> = match section.provider {
        Provider::None => Arc::new(NoCloud),
        Provider::Linux => linux(section)?,
        Provider::Aws => aws(section, metrics, longest_write).await?,
        Provider::Gcp => gcp(section, metrics, longest_write).await?,
    };
    Ok(Arc::new(Counted {
        // Every request of these is counted where it is sent.
        calls_are_requests: !matches!(section.provider, Provider::Aws | Provider::Gcp),
        inner,
        metrics: Arc::clone(metrics),
        longest_write,
    }))
}

#[cfg(feature = "aws")]
async fn aws(
    section: &signpost_api::Cloud,
    metrics: &Arc<Metrics>,
    longest_write: Duration,
) -> Result<Arc<dyn Cloud>, String> {
    use signpost_cloud::aws::{Action, AwsConfig, AwsVpc, TableChoice};

    let Some(settings) = section.aws.clone() else {
        return Err("the section aws is missing: give it at least clusterName".to_owned());
    };
    let rates = &settings.rates;
    let rates = [
        (Action::DescribeRouteTables, rates.describe_route_tables),
        (Action::DescribeInstances, rates.describe_instances),
        (Action::CreateRoute, rates.create_route),
        (Action::ReplaceRoute, rates.replace_route),
        (Action::DeleteRoute, rates.delete_route),
        (
            Action::ModifyNetworkInterfaceAttribute,
            rates.modify_network_interface_attribute,
        ),
    ];
    let rate = |rate: signpost_api::CallRate| signpost_cloud::Rate {
        burst: rate.burst,
        per_second: rate.per_second,
    };
    let config = AwsConfig {
        cluster_name: settings.cluster_name,
        region: settings.region,
        vpc_id: settings.vpc_id,
        tables: if !settings.route_table_ids.is_empty() {
            TableChoice::Ids(settings.route_table_ids)
        } else if settings.route_table_tags.is_empty() {
            TableChoice::ClusterTag
        } else {
            TableChoice::Tags(settings.route_table_tags)
        },
        rates: rates
            .into_iter()
            .filter_map(|(action, wish)| Some((action, rate(wish?))))
            .collect(),
        longest_write,
    };
    let meter = Arc::new(Metered(Arc::clone(metrics)));
    let vpc = AwsVpc::connect(config, meter)
        .await
        .map_err(|error| error.detail.into_string())?;
    Ok(Arc::new(vpc))
}

#[cfg(not(feature = "aws"))]
#[expect(clippy::unused_async, reason = "as where it is built in")]
async fn aws(
    _section: &signpost_api::Cloud,
    _metrics: &Arc<Metrics>,
    _longest_write: Duration,
) -> Result<Arc<dyn Cloud>, String> {
    Err(not_built("aws"))
}

#[cfg(feature = "gcp")]
async fn gcp(
    section: &signpost_api::Cloud,
    metrics: &Arc<Metrics>,
    longest_write: Duration,
) -> Result<Arc<dyn Cloud>, String> {
    use signpost_cloud::gcp::{GcpConfig, GcpNetwork};

    let Some(settings) = section.gcp.clone() else {
        return Err("the section gcp is missing: give it at least clusterName".to_owned());
    };
    let config = GcpConfig {
        cluster_name: settings.cluster_name,
        project: settings.project,
        network: settings.network,
        priority: settings.priority,
        tags: settings.tags,
        enable_ip_forwarding: settings.enable_ip_forwarding,
        endpoint: settings.endpoint,
        requests_per_minute: settings.requests_per_minute,
        longest_write,
    };
    let meter = Arc::new(Metered(Arc::clone(metrics)));
    let network = GcpNetwork::connect(config, meter)
        .await
        .map_err(|error| error.detail.into_string())?;
    Ok(Arc::new(network))
}

#[cfg(not(feature = "gcp"))]
#[expect(clippy::unused_async, reason = "as where it is built in")]
async fn gcp(
    _section: &signpost_api::Cloud,
    _metrics: &Arc<Metrics>,
    _longest_write: Duration,
) -> Result<Arc<dyn Cloud>, String> {
    Err(not_built("gcp"))
}

/// What a provider reports of its requests, as metrics.
#[cfg(any(feature = "aws", feature = "gcp"))]
struct Metered(Arc<Metrics>);

#[cfg(any(feature = "aws", feature = "gcp"))]
impl signpost_cloud::Meter for Metered {
    fn request(&self, action: &'static str, outcome: &'static str, took: Duration) {
        self.0.cloud_request(action, outcome, took.as_secs_f64());
    }

    fn waited(&self, action: &'static str, wait: Duration) {
        self.0
            .throttle_wait
            .with_label_values(&[action])
            .inc_by(wait.as_secs_f64());
    }
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

#[cfg(any(
    not(feature = "linux"),
    not(feature = "aws"),
    not(feature = "gcp"),
    test
))]
fn not_built(provider: &str) -> String {
    format!(
        "this program was built without provider {provider}: use one built with \
         `cargo build -p signpost-controller --features {provider}`, or change spec.cloud.provider"
    )
}

/// Counts every call by action and outcome, and bounds its time.
struct Counted {
    /// One call is one request, and not counted by the provider.
    calls_are_requests: bool,
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
        if self.calls_are_requests {
            self.metrics.cloud_request(action, outcome, seconds);
        }
        if let Some(error) = error {
            self.metrics.error(Category::Cloud(error.kind));
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

    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError> {
        let action = match change {
            Change::Forwarding(_) => "enable_forwarding",
            Change::Route(RouteChange::Create { .. }) => "create_route",
            Change::Route(RouteChange::Replace { .. }) => "replace_route",
            Change::Route(RouteChange::Delete { .. }) => "delete_route",
        };
        let call = self.inner.begin(change);
        self.call(action, self.longest_write, call).await
    }

    async fn finish(&self, operation: Operation) -> Result<(), CloudError> {
        let ended = self.inner.finish(operation).await;
        if let Err(error) = &ended {
            self.metrics.error(Category::Cloud(error.kind));
        }
        ended
    }

    async fn list_routes(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        let call = self.inner.list_routes(ranges);
        self.call("list_routes", LONGEST_READ, call).await
    }

    async fn missing_permissions(&self, ranges: &[Range]) -> Vec<CloudError> {
        let asked = timeout(LONGEST_READ, self.inner.missing_permissions(ranges));
        // What is not known by then is told when it is refused.
        asked.await.unwrap_or_default()
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
        let problem = not_built("gcp");
        assert!(problem.contains("--features gcp"), "{problem}");
    }

    #[tokio::test]
    async fn calls_are_counted_by_action_and_outcome() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let cloud = build(&section("none"), &metrics, Duration::from_secs(5))
            .await
            .unwrap();
        cloud.list_routes(&[]).await.unwrap();
        let change = RouteChange::Create {
            table: TableId("t".into()),
            route: Route {
                destination: "10.0.0.0/24".parse().unwrap(),
                next_hop: NextHop::Target("i".into()),
                node: NodeKey::new("n", "u"),
            },
        };
        cloud.begin(Change::Route(&change)).await.unwrap_err();
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
