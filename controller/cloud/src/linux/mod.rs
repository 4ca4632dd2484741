//! The central router: routes in the kernel of the machine that runs the controller.
//!
//! A route is ours by its protocol number. A kernel's table is consistent, quick and has no quota, so
//! this provider has no rate limits; what others change is told by the kernel itself.

mod connected;
mod instances;
mod router;
mod table;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::mpsc as blocking;
use std::thread;

use async_trait::async_trait;
use ipnet::IpNet;
use signpost_core::{
    Limits,
    cloud::{
        CloudError, CloudErrorKind, InstanceQuery, InstanceState, Range, RouteChange, TableListing,
    },
    node::NodeKey,
};
use signpost_netlink::Netns;
use tokio::sync::{mpsc, oneshot};

use crate::{Change, Cloud, Progress};
use router::Router;

/// Where routes are put and how they are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinuxConfig {
    /// Protocol number of our routes. No other program on the machine may use it.
    pub route_protocol: u8,
    /// Number of the route table; 254 is the main one.
    pub table: u32,
}

/// Work for the thread that owns the netlink socket.
enum Request {
    List(Vec<IpNet>, oneshot::Sender<Vec<TableListing>>),
    Write(RouteChange, oneshot::Sender<Result<(), CloudError>>),
}

/// The router that this program runs on.
///
/// One thread does all netlink work, which is short but blocks; it ends with this value.
#[derive(Debug)]
pub struct LinuxRouter {
    requests: blocking::Sender<Request>,
    netns: Netns,
    config: LinuxConfig,
    port: u32,
}

impl LinuxRouter {
    /// Programs the routes of the network namespace of the calling thread.
    ///
    /// # Errors
    ///
    /// If netlink cannot be used, which takes a Linux kernel and no privilege.
    pub fn open(config: LinuxConfig) -> Result<Self, CloudError> {
        let netns = Netns::current().map_err(|error| table::error(&error))?;
        let router = Router::open(&netns, config)?;
        let port = router.port();
        router.warn_if_not_forwarding(&netns);
        let (requests, inbox) = blocking::channel();
        thread::Builder::new()
            .name("linux-routes".into())
            .spawn(move || serve(router, &inbox))
            .map_err(|error| CloudError::new(CloudErrorKind::Transient, error.to_string()))?;
        Ok(Self {
            requests,
            netns,
            config,
            port,
        })
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<T>) -> Request,
    ) -> Result<T, CloudError> {
        let gone = || CloudError::new(CloudErrorKind::Unknown, "the netlink thread has ended");
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

/// Serves requests until nobody can make any more. Writes that have queued up share one look into
/// the table.
fn serve(mut router: Router, inbox: &blocking::Receiver<Request>) {
    while let Ok(first) = inbox.recv() {
        let mut writes = Vec::new();
        let mut listings = Vec::new();
        for request in std::iter::once(first).chain(inbox.try_iter()) {
            match request {
                Request::Write(change, reply) => writes.push((change, reply)),
                Request::List(ranges, reply) => listings.push((ranges, reply)),
            }
        }
        let (changes, replies): (Vec<_>, Vec<_>) = writes.into_iter().unzip();
        for (outcome, reply) in router.write(&changes).into_iter().zip(replies) {
            // Whoever asked may have given up.
            let _ = reply.send(outcome);
        }
        for (ranges, reply) in listings {
            let _ = reply.send(router.list(&ranges));
        }
    }
}

#[async_trait]
impl Cloud for LinuxRouter {
    fn provider(&self) -> &'static str {
        "linux"
    }

    fn limits(&self) -> Limits {
        Limits::LOCAL
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        instances::states(queries)
    }

    async fn begin(&self, change: Change<'_>) -> Result<Progress, CloudError> {
        if let Change::Route(change) = change {
            self.ask(|reply| Request::Write(change.clone(), reply))
                .await??;
        }
        Ok(Progress::Done)
    }

    async fn list_routes(&self, ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        let ranges = ranges.iter().map(|range| range.cidr).collect();
        self.ask(|reply| Request::List(ranges, reply)).await
    }

    async fn missing_permissions(&self, _ranges: &[Range]) -> Vec<CloudError> {
        Vec::new()
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        match watch::start(&self.netns, self.port, self.config.table) {
            Ok(receiver) => Some(receiver),
            Err(error) => {
                tracing::warn!(%error, "changes of routes are noticed by listings only");
                None
            }
        }
    }
}
