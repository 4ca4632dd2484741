//! The story of a run, for people.

use signpost_core::{
    Action, Event, Node,
    cloud::{RouteChange, TableListing},
};

/// Lines that say what happened when; nothing unless somebody wants to read them.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    lines: Option<Vec<String>>,
}

impl Trail {
    pub(crate) fn kept() -> Self {
        Self {
            lines: Some(Vec::new()),
        }
    }

    pub(crate) fn note(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let seconds = now as f64 / 1_000.0;
            lines.push(format!("{seconds:8.3} s  {}", line()));
        }
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

pub(crate) fn change(change: &RouteChange) -> String {
    let (what, hop) = match change {
        RouteChange::Create { route, .. } => ("create", Some(&route.next_hop)),
        RouteChange::Replace { route, .. } => ("replace", Some(&route.next_hop)),
        RouteChange::Delete { route, .. } => ("delete", route.next_hop.as_ref()),
    };
    let hop = hop.map(|hop| format!(" via {hop}")).unwrap_or_default();
    format!("{what} {}{hop} in {}", change.destination(), change.table())
}

fn node(node: &Node) -> String {
    let cidrs: Vec<String> = node.pod_cidrs.iter().map(ToString::to_string).collect();
    let excluded = if node.excluded { " excluded" } else { "" };
    format!("{}({}){excluded}", node.key.uid, cidrs.join(","))
}

fn listing(tables: &[TableListing]) -> String {
    let tables = tables.iter().map(|table| {
        let routes = match &table.routes {
            Err(error) => error.kind.category().to_owned(),
            Ok(routes) => {
                let routes = routes.iter().map(|route| {
                    let hop = route.next_hop.as_ref();
                    let hop = hop.map_or_else(|| "nowhere".into(), ToString::to_string);
                    let hole = if route.blackhole.is_some() {
                        " (hole)"
                    } else {
                        ""
                    };
                    format!(
                        "{} {:?} via {hop}{hole}",
                        route.destination, route.ownership
                    )
                });
                routes.collect::<Vec<_>>().join(", ")
            }
        };
        let pending = match &table.pending[..] {
            [] => String::new(),
            pending => format!(" pending {pending:?}"),
        };
        format!("{}: [{routes}]{pending}", table.table)
    });
    tables.collect::<Vec<_>>().join(" ")
}

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Configured(None) => "Configured nothing".into(),
        Event::Configured(Some(config)) => {
            let pools = config.pools.iter().map(|pool| {
                let (name, cidr, length) = (&pool.name, pool.cidr, pool.node_prefix_length);
                format!("{name}={cidr}→/{length} {:?}", pool.state)
            });
            format!(
                "Configured {} pools [{}] reserved {:?} at most {} % teardown={}",
                config.generation,
                pools.collect::<Vec<_>>().join(", "),
                config.reserved,
                config.max_deletion_percent,
                config.teardown
            )
        }
        Event::NodesListed(nodes) => {
            let nodes: Vec<String> = nodes.iter().map(node).collect();
            format!("NodesListed {}", nodes.join(" "))
        }
        Event::NodeSeen(seen) => format!("NodeSeen {}", node(seen)),
        Event::NodeGone(key) => format!("NodeGone {}", key.uid),
        Event::NodeRead { key, node: found } => {
            let found = found.as_ref().map_or("gone".to_owned(), node);
            format!("NodeRead {}: {found}", key.uid)
        }
        Event::PodCidrsSet { node, result } => format!("PodCidrsSet {} {result:?}", node.uid),
        Event::NetworkStatusSet { node, result } => {
            format!("NetworkStatusSet {} {result:?}", node.uid)
        }
        Event::InstancesRead {
            answers: instances, ..
        } => {
            let instances = instances.iter().map(|(key, state)| match state {
                Ok(state) => format!("{}: {state:?}", key.uid),
                Err(error) => format!("{}: {}", key.uid, error.kind.category()),
            });
            format!("InstancesRead {}", instances.collect::<Vec<_>>().join("; "))
        }
        Event::RoutesListed {
            listing: id,
            result,
        } => match result {
            Ok(tables) => format!("RoutesListed #{id} {}", listing(tables)),
            Err(error) => format!("RoutesListed #{id} {}", error.kind.category()),
        },
        Event::RouteWritten { write, result } => {
            let result = result.as_ref().map_err(|error| error.kind);
            format!("RouteWritten #{write} {result:?}")
        }
        other => format!("{other:?}"),
    }
}

pub(crate) fn action(action: &Action) -> String {
    match action {
        Action::SetPodCidrs { node, cidrs } => format!("SetPodCidrs {} {cidrs:?}", node.uid),
        Action::SetNetworkStatus { node, status } => {
            let (available, reason) = (status.available, status.reason);
            format!("SetNetworkStatus {} {available} {reason:?}", node.uid)
        }
        Action::ReadInstances { queries, .. } => {
            let names: Vec<&str> = queries.iter().map(|query| &*query.node.uid).collect();
            format!("ReadInstances {}", names.join(" "))
        }
        Action::WriteRoute { write, change: c } => format!("WriteRoute #{write} {}", change(c)),
        Action::Notify(notice) => format!("Notify {:?} {:?}", notice.subject, notice.reason),
        other => format!("{other:?}"),
    }
}
