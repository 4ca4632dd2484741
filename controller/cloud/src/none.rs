//! Provider `none`: routes are somebody else's work.

use async_trait::async_trait;
use signpost_core::{
    Limits,
    cloud::{
        CloudError, CloudErrorKind, Instance, InstanceQuery, InstanceState, Range, TableListing,
    },
    node::NodeKey,
};
use tokio::sync::mpsc;

use crate::{Change, Cloud, Progress};

/// Allocates pod CIDRs only: a node counts as routed as soon as it has its pod CIDRs.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCloud;

#[async_trait]
impl Cloud for NoCloud {
    fn provider(&self) -> &'static str {
        "none"
    }

    fn limits(&self) -> Limits {
        Limits {
            routes: false,
            ..Limits::LOCAL
        }
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        queries
            .iter()
            .map(|query| {
                let instance = Instance {
                    id: query.node.name.clone(),
                    next_hop_v4: None,
                    next_hop_v6: None,
                    forwarding: true,
                };
                (query.node.clone(), Ok(InstanceState::Found(instance)))
            })
            .collect()
    }

    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError> {
        match change {
            Change::Forwarding(_) => Ok(Progress::Done),
            Change::Route(_) => Err(CloudError::new(
                CloudErrorKind::Invalid,
                "provider none writes no routes",
            )),
        }
    }

    async fn list_routes(&self, _ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        Ok(Vec::new())
    }

    async fn missing_permissions(&self, _ranges: &[Range]) -> Vec<CloudError> {
        Vec::new()
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        None
    }
}
