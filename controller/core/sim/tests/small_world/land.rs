//! How requests take effect in the API server and in the route table.

use signpost_core::{
    Event, IpNet, NodeKey,
    cloud::{
        CloudError, CloudErrorKind, ObservedRoute, Ownership, RouteChange, TableId, TableListing,
        TableUsage,
    },
    event::{ApiError, ApiErrorKind},
};

use crate::{
    budget::Lie,
    world::{Entry, What, World, next_hop},
};

impl World {
    /// A request takes effect, or is refused.
    pub(crate) fn land(&mut self, index: usize) {
        let what = self.calls[index].what.clone();
        let answer = match what {
            What::SetPodCidrs(key, cidrs) => {
                let result = self.set_pod_cidrs(&key, &cidrs);
                Event::PodCidrsSet { node: key, result }
            }
            What::List(listing) => Event::RoutesListed {
                listing,
                result: Ok(vec![self.list()]),
            },
            What::Write(write, change) => {
                let result = self.write(change);
                let result = result.map_err(|kind| CloudError::new(kind, "refused"));
                Event::RouteWritten { write, result }
            }
        };
        if self.asks(&self.calls[index]) {
            self.calls[index].answer = Some(answer);
        } else {
            self.calls.remove(index);
        }
    }

    fn set_pod_cidrs(&mut self, key: &NodeKey, cidrs: &[IpNet]) -> Result<(), ApiError> {
        let node = self.nodes[World::place(key)]
            .as_ref()
            .ok_or_else(|| refused(ApiErrorKind::NotFound))?;
        if node.key != *key {
            return Err(refused(ApiErrorKind::Conflict));
        }
        if !node.pod_cidrs.is_empty() {
            let same = node.pod_cidrs == cidrs;
            return if same {
                Ok(())
            } else {
                Err(refused(ApiErrorKind::Conflict))
            };
        }
        for cidr in cidrs {
            let route = self
                .table
                .keys()
                .find(|to| to.contains(cidr) || cidr.contains(*to));
            if let Some(route) = route {
                self.break_promise(format!(
                    "{key} gets {cidr} while there is a route for {route}"
                ));
            }
            self.reused |= self.left.contains(cidr);
        }
        if let Some(node) = &mut self.nodes[World::place(key)] {
            node.pod_cidrs = cidrs.to_vec();
        }
        Ok(())
    }

    fn list(&self) -> TableListing {
        let mut shown = self.table.clone();
        match self.lie {
            Lie::HiddenRoutes => shown.retain(|_, entry| !entry.ours),
            Lie::StolenRoute => shown.values_mut().for_each(|entry| entry.ours = true),
            Lie::InventedRoutes => {
                for node in self.nodes.iter().flatten() {
                    let entry = Entry {
                        next_hop: next_hop(World::place(&node.key)),
                        ours: true,
                    };
                    shown.extend(node.pod_cidrs.iter().map(|cidr| (*cidr, entry.clone())));
                }
            }
            Lie::None | Lie::HastyElection => {}
        }
        let routes = shown.into_iter().map(|(destination, entry)| ObservedRoute {
            destination,
            next_hop: Some(entry.next_hop),
            ownership: if entry.ours {
                Ownership::Ours
            } else {
                Ownership::Foreign
            },
            blackhole: None,
            handle: None,
        });
        TableListing {
            table: TableId("main".into()),
            routes: Ok(routes.collect()),
            usage: TableUsage::default(),
            barred: Vec::new(),
            pending: Vec::new(),
        }
    }

    fn write(&mut self, change: RouteChange) -> Result<(), CloudErrorKind> {
        let destination = change.destination();
        let before = self.table.get(&destination);
        match change {
            RouteChange::Create { .. } if before.is_some() => {
                return Err(CloudErrorKind::AlreadyExists);
            }
            RouteChange::Replace { .. } if before.is_none() => {
                return Err(CloudErrorKind::NotFound);
            }
            RouteChange::Create { route, .. } | RouteChange::Replace { route, .. } => {
                let entry = Entry {
                    next_hop: route.next_hop,
                    ours: true,
                };
                self.table.insert(destination, entry);
            }
            RouteChange::Delete { .. } => {
                self.table
                    .remove(&destination)
                    .ok_or(CloudErrorKind::NotFound)?;
            }
        }
        Ok(())
    }
}

pub(crate) fn refused(kind: ApiErrorKind) -> ApiError {
    ApiError::new(kind, "refused")
}

/// The answer that says that nobody knows.
pub(crate) fn unknown(what: What) -> Event {
    let lost = CloudError {
        kind: CloudErrorKind::Unknown,
        detail: "no answer".into(),
        retry_after: None,
    };
    match what {
        What::SetPodCidrs(node, _) => Event::PodCidrsSet {
            node,
            result: Err(refused(ApiErrorKind::Unknown)),
        },
        What::List(listing) => Event::RoutesListed {
            listing,
            result: Err(lost),
        },
        What::Write(write, _) => Event::RouteWritten {
            write,
            result: Err(lost),
        },
    }
}
