//! What an action does to the world.

use crate::Action;

/// What carrying out an action amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// It changes something there. It may begin only while the lease is held, and must have ended
    /// before another leadership begins.
    Write(Place),
    /// It only reads: nobody needs its answer once the leadership is over.
    Read,
    /// It is told to this process alone.
    Local,
}

/// Where something is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The Kubernetes API.
    Api,
    /// A route table.
    Routes,
    /// An instance's switch to forward packets.
    Instance,
}

impl Effect {
    /// What `action` does. No action is left out: a new one does not compile before somebody decided
    /// whether it needs the lease.
    pub fn of(action: &Action) -> Self {
        match action {
            // An event of a leader that is one no more would say what is not true; and with the
            // finalizer, which the end of teardown takes off, goes all knowledge of routes.
            Action::SetPodCidrs { .. }
            | Action::SetNetworkStatus { .. }
            | Action::Notify(_)
            | Action::TeardownDone => Self::Write(Place::Api),
            Action::WriteRoute { .. } => Self::Write(Place::Routes),
            Action::EnableForwarding(_) => Self::Write(Place::Instance),
            Action::ReadNode(_) | Action::ReadInstances { .. } | Action::ListRoutes { .. } => {
                Self::Read
            }
            Action::NodeRouted { .. } => Self::Local,
        }
    }

    /// Whether it may begin only while the lease is held.
    pub fn needs_lease(self) -> bool {
        matches!(self, Self::Write(_))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        action::{NetworkStatus, Notice, Reason, Subject},
        cloud::{InstanceQuery, NextHop, Route, RouteChange, TableId},
        node::NodeKey,
    };

    #[test]
    fn whatever_changes_something_needs_the_lease() {
        let node = || NodeKey::new("a", "u");
        let query = || InstanceQuery {
            node: node(),
            provider_id: None,
            internal_ips: Vec::new(),
        };
        let writes = [
            Action::SetPodCidrs {
                node: node(),
                cidrs: Vec::new(),
            },
            Action::SetNetworkStatus {
                node: node(),
                status: NetworkStatus {
                    available: true,
                    reason: Reason::RouteCreated,
                    message: String::new(),
                },
            },
            Action::EnableForwarding(query()),
            Action::WriteRoute {
                write: 1,
                change: RouteChange::Create {
                    table: TableId("t".into()),
                    route: Route {
                        destination: "10.0.0.0/24".parse().unwrap(),
                        next_hop: NextHop::Target("i".into()),
                        node: node(),
                    },
                },
            },
            Action::Notify(Notice {
                subject: Subject::Network,
                reason: Reason::DriftMended,
                message: String::new(),
            }),
            Action::TeardownDone,
        ];
        let others = [
            Action::ReadNode(node()),
            Action::ReadInstances {
                batch: 1,
                queries: vec![query()],
            },
            Action::ListRoutes {
                listing: 1,
                ranges: [].into(),
            },
            Action::NodeRouted {
                node: node(),
                took: Duration::ZERO,
            },
        ];
        for action in writes {
            assert!(Effect::of(&action).needs_lease(), "{action:?}");
        }
        for action in others {
            assert!(!Effect::of(&action).needs_lease(), "{action:?}");
        }
    }
}
