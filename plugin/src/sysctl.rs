//! Kernel settings of one interface, in the network namespace of the calling thread.

use std::fs;
use std::io::ErrorKind;

use signpost_netlink::Family;

use crate::error::{Error, ErrorCode, Result};

/// A setting below `net.FAMILY.conf.INTERFACE`, or with its section before it, and its value.
pub(crate) type Setting = (Family, &'static str, &'static str);

/// What the node's end of every pair has, whatever families the network has and whatever an interface
/// inherits: nothing that a pod sends changes the node, and a pod sends from its own addresses only.
///
/// The node answers at once for the gateway, which a pod asks for after its hardware address was changed: the
/// kernel drops permanent neighbour entries then. It answers wherever it has a route that leads elsewhere, as a
/// default route does for the gateway. All that tells is the hardware address of the node's end, to which the
/// pod sends everything anyway; for the pod's own address, which it may probe for duplicates, it never answers.
/// (`Documentation/networking/ip-sysctl.rst` of the kernel)
const IPV4: [Setting; 8] = [
    (Family::V4, "rp_filter", "1"),
    (Family::V4, "accept_redirects", "0"),
    (Family::V4, "accept_source_route", "0"),
    (Family::V4, "accept_local", "0"),
    (Family::V4, "send_redirects", "0"),
    (Family::V4, "forwarding", "1"),
    (Family::V4, "proxy_arp", "1"),
    (Family::V4, "neigh/proxy_delay", "0"),
];
/// Before anything else of IPv6: once the interface has a carrier, a router advertisement may come.
const IPV6_DEAF: [Setting; 3] = [
    (Family::V6, "accept_ra", "0"),
    (Family::V6, "accept_redirects", "0"),
    (Family::V6, "accept_source_route", "-1"),
];
/// Where the network has IPv6. The kernel makes no address on this link, and there is none to be probed for
/// duplicates.
const IPV6_ON: [Setting; 4] = [
    (Family::V6, "accept_dad", "0"),
    (Family::V6, "addr_gen_mode", "1"),
    (Family::V6, "disable_ipv6", "0"),
    (Family::V6, "forwarding", "1"),
];
/// Where it has none: a link-local address would open the node's services to the pod.
const IPV6_OFF: [Setting; 1] = [(Family::V6, "disable_ipv6", "1")];

/// What the pod's end has: when its hardware address is changed, it says so.
const POD_IPV4: [Setting; 1] = [(Family::V4, "arp_notify", "1")];
/// Some runtimes disable IPv6 in pods. Nobody else can have the pod's address, so it need not wait a second and
/// more for duplicate address detection.
const POD_IPV6: [Setting; 4] = [
    (Family::V6, "disable_ipv6", "0"),
    (Family::V6, "accept_dad", "0"),
    (Family::V6, "accept_ra", "0"),
    (Family::V6, "ndisc_notify", "1"),
];

/// The settings of the pod's end, with or without IPv6, before it is set up.
pub(crate) fn of_pod_end(ipv6: bool) -> impl Iterator<Item = Setting> {
    let six: &[Setting] = if ipv6 { &POD_IPV6 } else { &[] };
    POD_IPV4.iter().chain(six).copied()
}

/// The settings of the node's end for a network with or without IPv6, in the order in which they are made.
/// A kernel that runs without IPv6 has none of that family.
pub(crate) fn of_host_end(ipv6: bool) -> impl Iterator<Item = Setting> {
    let last: &[Setting] = if ipv6 { &IPV6_ON } else { &IPV6_OFF };
    let deaf = IPV6_DEAF.iter().chain(last);
    let needed = ipv6 || fs::exists("/proc/sys/net/ipv6/conf").unwrap_or(true);
    let settings = IPV4.iter().chain(deaf.filter(move |_| needed));
    settings.copied()
}

/// Makes a setting. One that is made already costs no lock that all interfaces share.
pub(crate) fn set(interface: &str, (family, key, value): Setting) -> Result<()> {
    let path = path(interface, family, key);
    if fs::read_to_string(&path).is_ok_and(|text| text.trim() == value) {
        return Ok(());
    }
    fs::write(&path, value).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::NotFound if family == Family::V6 => {
                "the kernel runs without IPv6; enable it or give the network no IPv6 subnet"
            }
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                "the plugin must run as root on the node itself, with /proc/sys writable"
            }
            _ => "",
        };
        Error::new(ErrorCode::Io, format!("set {path} to {value}: {error}")).with_details(remedy)
    })
}

/// What is wrong with a setting, in words.
pub(crate) fn fault(interface: &str, (family, key, value): Setting) -> Option<String> {
    let path = path(interface, family, key);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim() == value => None,
        Ok(text) => Some(format!("{path} is {} and not {value}", text.trim())),
        Err(error) => Some(format!("{path} cannot be read: {error}")),
    }
}

fn path(interface: &str, family: Family, key: &str) -> String {
    let folder = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let (section, key) = key.split_once('/').unwrap_or(("conf", key));
    format!("/proc/sys/net/{folder}/{section}/{interface}/{key}")
}
