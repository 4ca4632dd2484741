//! The routes to pods, kept as their claims say.
//!
//! A pod's address is its interface's alternative name; the host route, and the neighbour entry
//! behind it, follow from that. Setting the interface down, flushing routes, or a routing program that removes
//! what it does not know takes them away while the pod lives. They are restored when the kernel tells of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;
use signpost_netlink::{
    Errno, Family, HOST_INTERFACE_PREFIX, Link, Mac, PodLabel, ROUTE_PROTOCOL, Route, RouteEvent,
    RouteFilter, RouteMonitor, Socket, pod_route, table,
};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::hand::Hand;

/// How long to wait where the kernel's notifications cannot be read.
const PAUSE: Duration = Duration::from_secs(1);
/// Removals that are remembered until somebody asks who it was.
const REMEMBERED: usize = 1000;

/// What happens to the routes to pods.
#[derive(Clone, Debug)]
pub struct RouteChanges {
    changed: watch::Receiver<()>,
    /// Through which port of netlink a route was removed.
    removed: Arc<Mutex<BTreeMap<IpNet, u32>>>,
}

impl RouteChanges {
    /// Follows them, in the network namespace of the calling thread, as long as somebody listens.
    pub fn follow() -> anyhow::Result<Self> {
        let mut monitor = RouteMonitor::open()?;
        let (sender, changed) = watch::channel(());
        let removed = Arc::<Mutex<BTreeMap<IpNet, u32>>>::default();
        let record = Arc::clone(&removed);
        let watching = move || {
            while !sender.is_closed() {
                match monitor.next(PAUSE) {
                    Ok(Some(RouteEvent::Removed(route))) if route.protocol == ROUTE_PROTOCOL => {
                        // No holder can panic.
                        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                        if record.len() < REMEMBERED {
                            record.insert(route.destination, monitor.made_by());
                        }
                    }
                    // While an interface is down there is nothing to be done.
                    Ok(Some(RouteEvent::LinkUp | RouteEvent::Overrun)) => {}
                    Ok(_) => continue,
                    Err(error) => {
                        warn!(%error, "changes of routes cannot be followed");
                        thread::sleep(PAUSE);
                    }
                }
                sender.send_replace(());
            }
        };
        thread::Builder::new()
            .name("routes".into())
            .spawn(watching)
            .context("follow changes of routes")?;
        Ok(Self { changed, removed })
    }

    /// Ends when something has changed that may concern pods.
    pub async fn changed(&mut self) {
        // The sender lives as long as its thread, which ends only with this receiver.
        if self.changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn forget(&self) -> BTreeMap<IpNet, u32> {
        std::mem::take(&mut *self.removed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Restores what pods lack that claim addresses. `node_addresses` are those from which the node talks to them;
/// `None` leaves that as it is. Pods behind `ports` of the bridge need no routes of their own, and the bridge claims nothing. Returns what people
/// should hear of.
pub fn restore(
    socket: &mut Socket,
    node_addresses: Option<&[IpAddr]>,
    changes: &RouteChanges,
    ports: &BTreeSet<u32>,
    hand: &mut Hand,
) -> signpost_netlink::Result<Vec<String>> {
    let removed = changes.forget();
    let mut routes = pod_routes(socket)?;
    let mut warnings = Vec::new();
    for link in socket.links()? {
        if ports.contains(&link.index) {
            let astray = routes.remove(&link.index).unwrap_or_default();
            // One over a port leads past the bridge, where nobody answers.
            for route in astray.iter().filter(|_| !link.bridge) {
                let what = format!(
                    "remove the route to {} over {}",
                    route.destination, link.name
                );
                hand.make(what, || socket.delete_route(route).map(drop))?;
            }
            continue;
        }
        let routes = routes.remove(&link.index).unwrap_or_default();
        let label = PodLabel::of(&link);
        if label.is_none() && routes.is_empty() {
            continue;
        }
        let claims: Vec<IpAddr> = link.claims().collect();
        for address in &claims {
            let net = IpNet::from(*address);
            let there = routes.iter().find(|route| route.destination == net);
            let source = match node_addresses {
                Some(all) => Family::of(*address).first_of(all),
                None => there.and_then(|route| route.source),
            };
            // One that is down can have no route; the kernel tells when it is up again.
            if link.up && there.is_none_or(|route| route.source != source) {
                let pod = Pod {
                    link: &link,
                    mac: label.as_ref().map(|label| label.mac),
                    address: *address,
                    is_routed: there.is_some(),
                };
                let who = removed.get(&net).copied();
                warnings.extend(pod.restore(socket, source, who, hand)?);
            }
        }
        // A pod of a version that claimed by routes alone, or a name that somebody took away.
        let reached = routes.iter().map(|route| route.destination.addr());
        for address in reached.filter(|address| !claims.contains(address)) {
            let what = format!("name {} {address}, which it claims", link.name);
            let claimed = hand.make(what, || {
                socket.add_alternative_name(link.index, &address.to_string())?;
                info!(interface = link.name, %address, "claimed the address of a pod");
                Ok::<_, signpost_netlink::Error>(())
            });
            if let Err(error) = claimed {
                warnings.push(format!(
                    "{error}: another pod may get the address once its route is gone"
                ));
            }
        }
    }
    Ok(warnings)
}

/// The interfaces to pods that live on this node, with the pods' addresses.
pub fn interfaces(socket: &mut Socket) -> signpost_netlink::Result<Vec<String>> {
    let routes = pod_routes(socket)?;
    let is_pods = |link: &Link| {
        let is_named_so = link.veth && link.name.starts_with(HOST_INTERFACE_PREFIX);
        is_named_so || PodLabel::of(link).is_some() || routes.contains_key(&link.index)
    };
    let links = socket.links()?.into_iter().filter(is_pods);
    let told = links.map(|link| {
        let claims: Vec<_> = link.claims().map(|address| address.to_string()).collect();
        match claims.as_slice() {
            [] => link.name,
            claims => format!("{} ({})", link.name, claims.join(", ")),
        }
    });
    Ok(told.collect())
}

/// The plugin's routes, by the interface that they lead over.
fn pod_routes(socket: &mut Socket) -> signpost_netlink::Result<HashMap<u32, Vec<Route>>> {
    let mut found = HashMap::<u32, Vec<Route>>::new();
    let filter = RouteFilter {
        table: Some(table::MAIN),
        protocol: Some(ROUTE_PROTOCOL),
        ..RouteFilter::default()
    };
    for family in [Family::V4, Family::V6] {
        let routes = socket.routes(family, filter)?.into_iter();
        // The others are those to a bridge.
        for route in routes.filter(|it| it.destination == it.destination.addr().into()) {
            let interface = route.interface.unwrap_or_default();
            found.entry(interface).or_default().push(route);
        }
    }
    Ok(found)
}

/// A pod's address on the node.
struct Pod<'a> {
    link: &'a Link,
    /// Its hardware address, where that is known.
    mac: Option<Mac>,
    address: IpAddr,
    is_routed: bool,
}

impl Pod<'_> {
    /// Makes its route as it should be.
    fn restore(
        &self,
        socket: &mut Socket,
        source: Option<IpAddr>,
        who: Option<u32>,
        hand: &mut Hand,
    ) -> signpost_netlink::Result<Option<String>> {
        let mut warning = None;
        let way = format!(
            "the route to the pod {} by {}",
            self.address, self.link.name
        );
        let what = match source {
            Some(source) => format!("restore {way}, from {source}"),
            None => format!("restore {way}"),
        };
        hand.make(what, || {
            warning = self.write(socket, source, who)?;
            Ok(())
        })
        .map(|()| warning)
    }

    fn write(
        &self,
        socket: &mut Socket,
        source: Option<IpAddr>,
        who: Option<u32>,
    ) -> signpost_netlink::Result<Option<String>> {
        let route = |source| pod_route(self.address, self.link.index, source);
        if self.is_routed {
            return match socket.replace_route(&route(source)) {
                Err(error) if error.errno() == Some(Errno::EINVAL) => Ok(unknown(source)),
                other => other.map(|()| None),
            };
        }
        let warning = match socket.add_pod_route(&route(source)) {
            Err(error) if error.is_exists() => {
                return Ok(Some(format!(
                    "{} is a pod's address behind {}, but somebody else has a route to it: remove that",
                    self.address, self.link.name
                )));
            }
            Ok(true) => None,
            Ok(false) => unknown(source),
            Err(error) => return Err(error),
        };
        // It goes too where the interface is set down.
        if let Some(mac) = self.mac {
            socket.introduce_pod(self.link.index, self.address, mac)?;
        }
        let by = who.map_or_else(
            || "an interface that was set down, or its owner".to_owned(),
            |port| match port {
                0 => "the kernel".to_owned(),
                port => format!("netlink port {port}, mostly the id of the process"),
            },
        );
        info!(address = %self.address, interface = self.link.name, removed_by = by, "restored the route to a pod");
        Ok(warning)
    }
}

fn unknown(source: Option<IpAddr>) -> Option<String> {
    let source = source?;
    Some(format!(
        "the Node object has the address {source}, but this machine has not: the node talks to its pods from \
         whatever address the kernel chooses"
    ))
}
