//! The clouds whose route tables are programmed.
//!
//! A provider carries out single calls and says in types how they ended; it decides nothing and
//! remembers nothing about nodes. Rate limits and credentials are its own business, retries are the
//! engine's.

use async_trait::async_trait;
use signpost_core::{
    Limits,
    cloud::{CloudError, InstanceQuery, InstanceState, Range, RouteChange, TableListing},
    node::NodeKey,
};
use tokio::sync::mpsc;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "aws")]
mod batch;
#[cfg(feature = "aws")]
mod buckets;
#[cfg(feature = "linux")]
pub mod linux;
mod meter;
mod none;

#[cfg(feature = "aws")]
pub use buckets::Rate;
pub use meter::Meter;
pub use none::NoCloud;

/// A change that a rate limit may delay.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// [`Cloud::write_route`].
    Route(&'a RouteChange),
    /// [`Cloud::enable_forwarding`].
    Forwarding(&'a InstanceQuery),
}

/// A cloud, or anything else that has route tables.
#[async_trait]
pub trait Cloud: Send + Sync + 'static {
    /// Name of the provider, as in `spec.cloud.provider`.
    fn provider(&self) -> &'static str;

    /// What it can do and promises.
    fn limits(&self) -> Limits;

    /// Looks up the instances of nodes, in as few calls as the provider allows. One answer for each
    /// query; a failed call is the answer of each node that it was for.
    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)>;

    /// Waits until the provider's rate limits let the change begin, and reads what must be known
    /// just before it. To be called before each change, without a limit in time and before it is
    /// decided whether this process may still write; what fails here was not begun.
    async fn admit(&self, change: Change<'_>) -> Result<(), CloudError> {
        let _ = change;
        Ok(())
    }

    /// Makes the instance forward packets that are not addressed to itself.
    async fn enable_forwarding(&self, query: &InstanceQuery) -> Result<(), CloudError>;

    /// Lists every table: every route whose destination lies in one of the ranges, whoever's it is.
    /// What lies outside is nobody's: whose a route there is cannot be told.
    async fn list_routes(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError>;

    /// Changes one route.
    ///
    /// A creation never overwrites: it fails with `AlreadyExists` if the destination has a route,
    /// unless that is exactly the wanted one and ours. A replacement and a deletion touch only the
    /// route that is named, and only if it is still ours; otherwise they fail with `NotFound`.
    async fn write_route(&self, change: &RouteChange) -> Result<(), CloudError>;

    /// Asks the cloud, where it can be asked without anything being done, whether changes of routes in
    /// these ranges are permitted. One error for each permission that is known to be missing.
    async fn missing_permissions(&self, ranges: &[Range]) -> Vec<CloudError>;

    /// A channel that gets a message when somebody may have changed a route, where the cloud says
    /// so. Messages may be merged; `None` where the cloud is silent and only listings tell.
    fn changes(&self) -> Option<mpsc::Receiver<()>>;
}
