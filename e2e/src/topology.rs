//! The wire: devices, addresses and routes of the router, the external host and the nodes.

use anyhow::Result;

use crate::addresses::{
    API_V4, BARE_NODES_V4, EXTERNAL_V4, EXTERNAL_V6, Link, NODES_V4, NODES_V6, ROUTER_EXTERNAL_V4,
    ROUTER_EXTERNAL_V6,
};
use crate::machine::Machine;

/// The node's network device on its link to the router.
pub const NODE_DEVICE: &str = "eth0";
/// The router's device on its link to the external host.
pub(crate) const EXTERNAL_DEVICE: &str = "external";
/// The router's device behind which bare nodes pretend to be.
const BARE_DEVICE: &str = "bare";

/// Kernel settings of the router: it forwards, and for IPv4 it drops what comes from where its
/// table does not lead. In a VPC it is not its one table that decides.
pub(crate) fn router_sysctls(in_cloud: bool) -> Vec<(String, String)> {
    let mut settings = quiet_sysctls();
    let reverse_path = if in_cloud { "0" } else { "1" };
    settings.extend(settings_of(&[
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv6/conf/all/forwarding", "1"),
        ("net/ipv4/conf/all/rp_filter", reverse_path),
        ("net/ipv4/conf/default/rp_filter", reverse_path),
    ]));
    settings
}

/// Kernel settings of hosts that start as Linux does: without forwarding.
pub(crate) fn host_sysctls() -> Vec<(String, String)> {
    let mut settings = quiet_sysctls();
    // Left to whoever installs a pod network.
    settings.extend(settings_of(&[
        ("net/ipv4/ip_forward", "0"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/conf/default/rp_filter", "0"),
    ]));
    settings
}

/// No waiting for duplicate address detection on links whose other end is known.
fn quiet_sysctls() -> Vec<(String, String)> {
    settings_of(&[
        ("net/ipv6/conf/default/accept_dad", "0"),
        ("net/ipv6/conf/default/accept_ra", "0"),
        ("net/ipv6/conf/default/router_solicitations", "0"),
    ])
}

fn settings_of(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings
        .iter()
        .map(|(path, value)| ((*path).to_owned(), (*value).to_owned()))
        .collect()
}

/// What the kernel's reverse path filter is for IPv4: it has none for IPv6.
const REVERSE_PATH_V6: &str = "
table ip6 wire {
  chain prerouting {
    type filter hook prerouting priority raw
    ip6 saddr { ::, fe80::/10 } accept
    fib saddr . iif oif missing counter drop
  }
}";

/// The router's own addresses, and unless it is a VPC's the reverse path filter for IPv6.
pub(crate) async fn set_up_router(
    router: &Machine,
    dual_stack: bool,
    in_cloud: bool,
) -> Result<()> {
    let bare = BARE_NODES_V4.replace(".0.0/", ".0.1/");
    let commands = format!(
        "address add {API_V4}/32 dev lo
         link add {BARE_DEVICE} type veth peer name {BARE_DEVICE}-end
         link set {BARE_DEVICE}-end up
         address add {bare} dev {BARE_DEVICE}
         link set {BARE_DEVICE} up"
    );
    ip(router, &[&commands]).await?;
    if dual_stack && !in_cloud {
        router
            .run_with_input(&["nft", "-f", "-"], REVERSE_PATH_V6)
            .await?;
    }
    Ok(())
}

/// Links the external host to the router. It knows the way to nodes, and no way to pods.
pub(crate) async fn set_up_external(
    router: &Machine,
    external: &Machine,
    dual_stack: bool,
) -> Result<()> {
    link(router, EXTERNAL_DEVICE, external, NODE_DEVICE).await?;
    let ours = format!("address add {ROUTER_EXTERNAL_V4}/30 dev {EXTERNAL_DEVICE}");
    let theirs = format!(
        "address add {EXTERNAL_V4}/30 dev {NODE_DEVICE}
         link set {NODE_DEVICE} up
         route add {NODES_V4} via {ROUTER_EXTERNAL_V4}"
    );
    let ours_v6 = format!("address add {ROUTER_EXTERNAL_V6}/64 dev {EXTERNAL_DEVICE} nodad");
    let theirs_v6 = format!(
        "address add {EXTERNAL_V6}/64 dev {NODE_DEVICE} nodad
         route add {NODES_V6} via {ROUTER_EXTERNAL_V6}"
    );
    ip(router, &[&ours, &format!("link set {EXTERNAL_DEVICE} up")]).await?;
    ip(external, &[&theirs]).await?;
    if dual_stack {
        ip(router, &[&ours_v6]).await?;
        ip(external, &[&theirs_v6]).await?;
    }
    Ok(())
}

/// As a node the router has a default route: for cluster IPs the kernel looks for a way before kube-proxy's
/// rules lead elsewhere, and pods have the MTU of its device.
pub(crate) async fn give_default_route(router: &Machine) -> Result<()> {
    ip(router, &[&format!("route add default via {EXTERNAL_V4}")]).await
}

/// Gives a node its first link, its addresses and its default route.
pub(crate) async fn set_up_node(
    router: &Machine,
    node: &Machine,
    wire: Link,
    dual_stack: bool,
) -> Result<()> {
    set_up_link(router, node, wire, NODE_DEVICE, dual_stack).await?;
    let default = format!("route add default via {}", wire.router_v4());
    let default_v6 = format!("route add default via {}", wire.router_v6());
    ip(node, &[&default]).await?;
    if dual_stack {
        ip(node, &[&default_v6]).await?;
    }
    Ok(())
}

/// Gives a node a link and its addresses on it, by a device of that name.
pub(crate) async fn set_up_link(
    router: &Machine,
    node: &Machine,
    wire: Link,
    name: &str,
    dual_stack: bool,
) -> Result<()> {
    let device = wire.router_device();
    link(router, &device, node, name).await?;
    let ours = format!("address add {}/30 dev {device}", wire.router_v4());
    let theirs = format!(
        "address add {}/30 dev {name}
         link set {name} up",
        wire.node_v4(),
    );
    let ours_v6 = format!("address add {}/112 dev {device} nodad", wire.router_v6());
    let theirs_v6 = format!("address add {}/112 dev {name} nodad", wire.node_v6());
    ip(router, &[&ours, &format!("link set {device} up")]).await?;
    ip(node, &[&theirs]).await?;
    if dual_stack {
        ip(router, &[&ours_v6]).await?;
        ip(node, &[&theirs_v6]).await?;
    }
    Ok(())
}

/// A veth pair between the router and another machine, with a name for each end.
async fn link(router: &Machine, device: &str, other: &Machine, name: &str) -> Result<()> {
    // The other's end is named by its process as the router sees processes: so the pair is made
    // from the host's process namespace, in the router's network.
    let pid = other.pid().to_string();
    let peer = ["type", "veth", "peer", "name", name, "netns", &pid];
    let argv: Vec<&str> = ["ip", "link", "add", device]
        .into_iter()
        .chain(peer)
        .collect();
    router.run_from_host(&argv).await
}

/// Runs several `ip` commands, one a line.
async fn ip(machine: &Machine, commands: &[&str]) -> Result<()> {
    let lines: Vec<&str> = commands
        .iter()
        .flat_map(|text| text.lines())
        .map(str::trim)
        .collect();
    machine
        .run_with_input(&["ip", "-batch", "-"], &lines.join("\n"))
        .await
        .map(drop)
}
