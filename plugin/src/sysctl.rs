//! Kernel settings of one interface, in the network namespace of the calling thread.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use signpost_netlink::Family;
use signpost_netlink::settings::{self, FOLDER, Setting};

use crate::error::{Error, ErrorCode, Result};

/// What the pod's end has: when its hardware address is changed, it says so.
const POD_IPV4: [Setting; 1] = [(Family::V4, "arp_notify", "1")];
/// Some runtimes disable IPv6 in pods. Nobody else can have the pod's address, so it need not wait a second and
/// more for duplicate address detection.
const POD_IPV6: [Setting; 5] = [
    (Family::V6, "disable_ipv6", "0"),
    (Family::V6, "accept_dad", "0"),
    (Family::V6, "accept_ra", "0"),
    // The node tells where it sends a packet out by the interface that it came in by; there is no other way.
    (Family::V6, "accept_redirects", "0"),
    (Family::V6, "ndisc_notify", "1"),
];

/// The settings of the pod's end, with or without IPv6, before it is set up.
pub(crate) fn of_pod_end(ipv6: bool) -> impl Iterator<Item = Setting> {
    let six: &[Setting] = if ipv6 { &POD_IPV6 } else { &[] };
    POD_IPV4.iter().chain(six).copied()
}

/// Those of the node's end for a network with or without IPv6, in the order in which they are made.
pub(crate) fn of_host_end(ipv6: bool) -> impl Iterator<Item = Setting> {
    settings::of_host_end(Path::new(FOLDER), ipv6)
}

/// Makes a setting.
pub(crate) fn set(interface: &str, setting: Setting) -> Result<()> {
    settings::make(Path::new(FOLDER), interface, setting)
        .map_err(|error| refused(interface, setting, &error))
}

/// Why a setting could not be made, and what to do about it.
pub(crate) fn refused(interface: &str, setting: Setting, error: &io::Error) -> Error {
    let (family, _, value) = setting;
    if error.kind() == ErrorKind::NotFound && family == Family::V4 {
        // There is no kernel without IPv4 that this runs on.
        return Error::vanished(interface);
    }
    let remedy = match error.kind() {
        ErrorKind::NotFound if family == Family::V6 => {
            "the kernel runs without IPv6; enable it or give the network no IPv6 subnet"
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            "the plugin must run as root on the node itself, with /proc/sys writable"
        }
        _ => "",
    };
    let path = settings::file(Path::new(FOLDER), interface, setting);
    let message = format!("set {} to {value}: {error}", path.display());
    Error::new(ErrorCode::Io, message).with_details(remedy)
}

/// What is wrong with a setting, in words.
pub(crate) fn fault(interface: &str, setting: Setting) -> Option<String> {
    let path = settings::file(Path::new(FOLDER), interface, setting);
    let (path, value) = (path.display(), setting.2);
    match fs::read_to_string(path.to_string()) {
        Ok(text) if text.trim() == value => None,
        Ok(text) => Some(format!("{path} is {} and not {value}", text.trim())),
        Err(error) => Some(format!("{path} cannot be read: {error}")),
    }
}
