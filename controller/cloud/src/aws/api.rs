//! The requests that read. With those that change something, in `changes`, nothing else in the
//! provider calls the SDK.

use std::{sync::Arc, time::Duration};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_ec2::{
    Client,
    operation::describe_network_interfaces::builders::DescribeNetworkInterfacesFluentBuilder,
    types::{Filter, Reservation},
};
use signpost_core::cloud::CloudError;

use super::{
    action::Action, calls::Calls, config::AwsConfig, instances::RawInstance,
    interfaces::RawInterface, prefix_lists::RawPrefixList, quota::Quotas, tables::RawTable,
};
use crate::Meter;

/// How long one attempt of a read may take.
const LONGEST_READ: Duration = Duration::from_secs(15);
/// How long a connection may take to be made.
const LONGEST_CONNECT: Duration = Duration::from_secs(2);
/// What is left of a write's time limit when its attempt ends.
const MARGIN: Duration = Duration::from_millis(500);
/// Largest page of `DescribeRouteTables`.
const TABLES_A_PAGE: i32 = 100;
/// Most ids that one call takes.
pub(super) const IDS_A_CALL: usize = 1000;
/// Most values that the filters of one call take.
pub(super) const VALUES_A_FILTER: usize = 200;

/// The APIs of one account and region.
pub(super) struct Api {
    reads: Client,
    pub(super) writes: Client,
    quotas: aws_sdk_servicequotas::Client,
    pub(super) calls: Calls,
}

impl Api {
    pub(super) fn new(sdk: &SdkConfig, config: &AwsConfig, meter: Arc<dyn Meter>) -> Self {
        let longest_write = config.longest_write;
        let region = sdk.region().map(ToString::to_string).unwrap_or_default();
        let place = format!("{region} {}", sdk.endpoint_url().unwrap_or_default());
        let client = |longest: Duration| {
            let timeouts = TimeoutConfig::builder()
                .connect_timeout(LONGEST_CONNECT.min(longest))
                .operation_timeout(longest)
                .operation_attempt_timeout(longest)
                .build();
            // Attempts are made here, through the buckets.
            let config = aws_sdk_ec2::config::Builder::from(sdk)
                .retry_config(RetryConfig::disabled())
                .timeout_config(timeouts)
                .build();
            Client::from_conf(config)
        };
        let quotas = aws_sdk_servicequotas::config::Builder::from(sdk)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(LONGEST_CONNECT)
                    .operation_timeout(LONGEST_READ)
                    .build(),
            )
            .build();
        Self {
            reads: client(LONGEST_READ),
            writes: client(longest_write.saturating_sub(MARGIN).max(MARGIN)),
            quotas: aws_sdk_servicequotas::Client::from_conf(quotas),
            calls: Calls::new(&place, &config.rates, config.cluster_tag(), meter),
        }
    }

    /// Waits until a write may be sent.
    pub(super) async fn pass(&self, action: Action) {
        self.calls.pass(action).await;
    }

    /// Every table that matches all filters, with all its routes.
    pub(super) async fn tables(&self, filters: &[Filter]) -> Result<Vec<RawTable>, CloudError> {
        let mut tables = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .calls
                .read(Action::DescribeRouteTables, || {
                    self.reads
                        .describe_route_tables()
                        .set_filters(Some(filters.to_vec()))
                        .max_results(TABLES_A_PAGE)
                        .set_next_token(token.clone())
                        .send()
                })
                .await?;
            tables.extend(page.route_tables().iter().filter_map(RawTable::read));
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(tables);
            }
        }
    }

    /// The instances of these ids, of which there are at most [`IDS_A_CALL`], those too that a service
    /// of AWS manages and hides (nodes of EKS Auto Mode, for one). One call that fails as a whole if
    /// one of them does not exist; those of other accounts are absent.
    pub(super) async fn instances(&self, ids: &[Arc<str>]) -> Result<Vec<RawInstance>, CloudError> {
        let answer = self
            .calls
            .read(Action::DescribeInstances, || {
                self.reads
                    .describe_instances()
                    .set_instance_ids(Some(texts(ids)))
                    .include_managed_resources(true)
                    .send()
            })
            .await?;
        let found = answer
            .reservations()
            .iter()
            .flat_map(Reservation::instances);
        Ok(found.filter_map(RawInstance::read).collect())
    }

    /// The network interfaces of these ids, as [`instances`](Self::instances).
    pub(super) async fn interfaces(
        &self,
        ids: &[Arc<str>],
    ) -> Result<Vec<RawInterface>, CloudError> {
        self.describe_interfaces(|request| {
            request
                .set_network_interface_ids(Some(texts(ids)))
                .include_managed_resources(true)
        })
        .await
    }

    /// The primary network interfaces of these instances, at most [`VALUES_A_FILTER`]. Unlike the
    /// instances, those of other accounts are among them where the VPC is the caller's ("VPC owners can
    /// describe network interfaces owned by participants in a shared VPC subnet", VPC's guide).
    pub(super) async fn interfaces_of(
        &self,
        instances: &[Arc<str>],
    ) -> Result<Vec<RawInterface>, CloudError> {
        let filters = vec![
            filter("attachment.instance-id", texts(instances)),
            filter("attachment.device-index", ["0".to_owned()]),
        ];
        self.describe_interfaces(|request| request.set_filters(Some(filters.clone())))
            .await
    }

    async fn describe_interfaces(
        &self,
        which: impl Fn(DescribeNetworkInterfacesFluentBuilder) -> DescribeNetworkInterfacesFluentBuilder
        + Send
        + Sync,
    ) -> Result<Vec<RawInterface>, CloudError> {
        let answer = self
            .calls
            .read(Action::DescribeNetworkInterfaces, || {
                which(self.reads.describe_network_interfaces()).send()
            })
            .await?;
        let found = answer.network_interfaces().iter();
        Ok(found.filter_map(RawInterface::read).collect())
    }

    /// The prefix lists of these ids, at most [`LISTS_A_CALL`](super::prefix_lists::LISTS_A_CALL).
    pub(super) async fn prefix_lists(
        &self,
        ids: &[Arc<str>],
    ) -> Result<Vec<RawPrefixList>, CloudError> {
        let answer = self
            .calls
            .read(Action::DescribeManagedPrefixLists, || {
                self.reads
                    .describe_managed_prefix_lists()
                    .set_prefix_list_ids(Some(texts(ids)))
                    .send()
            })
            .await?;
        let found = answer.prefix_lists().iter();
        Ok(found.filter_map(RawPrefixList::read).collect())
    }

    /// How many routes of each family a table may have, as Service Quotas knows it.
    pub(super) async fn route_quota(&self) -> Result<Option<u32>, CloudError> {
        let answer = self
            .calls
            .read(Action::GetServiceQuota, || {
                self.quotas
                    .get_service_quota()
                    .service_code(Quotas::SERVICE)
                    .quota_code(Quotas::CODE)
                    .send()
            })
            .await?;
        let value = answer
            .quota()
            .and_then(aws_sdk_servicequotas::types::ServiceQuota::value);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, and a quota is a small whole number"
        )]
        Ok(value.filter(|value| *value >= 1.0).map(|it| it as u32))
    }
}

/// A filter that lets pass what has one of these values.
pub(super) fn filter(name: impl Into<String>, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder()
        .name(name)
        .set_values(Some(values.into_iter().collect()))
        .build()
}

fn texts(ids: &[Arc<str>]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
