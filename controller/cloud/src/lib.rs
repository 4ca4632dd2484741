//! The clouds whose route tables are programmed.
//!
//! A provider carries out single calls and says in types how they ended; it decides nothing and
//! remembers nothing about nodes. Rate limits and credentials are its own business, retries are the
//! engine's.

use async_trait::async_trait;
use signpost_core::{
    Limits,
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, Range, RouteChange, TableListing,
    },
    node::NodeKey,
};
use tokio::sync::mpsc;

#[cfg(feature = "aws")]
pub mod aws;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod batch;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod buckets;
#[cfg(feature = "gcp")]
pub mod gcp;
#[cfg(feature = "linux")]
pub mod linux;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod locks;
mod meter;
#[cfg(any(feature = "linux", feature = "aws", feature = "gcp"))]
mod nets;
mod none;
#[cfg(any(feature = "aws", feature = "gcp"))]
mod reads;

#[cfg(any(feature = "aws", feature = "gcp"))]
pub use buckets::Rate;
pub use meter::Meter;
pub use none::NoCloud;

/// Something that is changed in the cloud.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// One route.
    ///
    /// A creation never overwrites: it fails with `AlreadyExists` if the destination has a route,
    /// unless that is exactly the wanted one and ours. A replacement and a deletion touch only the
    /// route that is named, and only if it is still ours; otherwise they fail with `NotFound`.
    Route(&'a RouteChange),
    /// The node's instance is made to forward packets that are not addressed to itself.
    Forwarding(&'a InstanceQuery),
}

/// How far a change is that the cloud did not refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// It is made.
    Done,
    /// The cloud carries it out, whatever becomes of us; [`Cloud::finish`] tells how it ends. Until it
    /// has ended listings say that it is [pending](TableListing::pending).
    Accepted(Operation),
}

/// The provider's name of what its cloud carries out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation(pub Box<str>);

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
    /// just before it. To be called before [`begin`](Self::begin), without a limit in time and before it is
    /// decided whether this process may still write; what fails here was not begun.
    async fn admit(&self, change: Change<'_>) -> Result<(), CloudError> {
        let _ = change;
        Ok(())
    }

    /// Begins a change that was admitted. Short: it has ended, with or without an answer, before another
    /// process may be elected.
    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError>;

    /// Waits until what was accepted has ended, however long that takes. Whoever waits may go away.
    ///
    /// Providers whose changes are made at once have no need of it.
    async fn finish(&self, operation: Operation) -> Result<(), CloudError> {
        let detail = format!("nothing is carried out by the name {}", operation.0);
        Err(CloudError::new(CloudErrorKind::Unknown, detail))
    }

    /// Lists every table: every route whose destination lies in one of the ranges, whoever's it is.
    /// What lies outside is nobody's: whose a route there is cannot be told.
    async fn list_routes(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError>;

    /// Asks the cloud, where it can be asked without anything being done, whether changes of routes in
    /// these ranges are permitted. One error for each permission that is known to be missing.
    async fn missing_permissions(&self, ranges: &[Range]) -> Vec<CloudError>;

    /// A channel that gets a message when somebody may have changed a route, where the cloud says
    /// so. Messages may be merged; `None` where the cloud is silent and only listings tell.
    fn changes(&self) -> Option<mpsc::Receiver<()>>;
}
