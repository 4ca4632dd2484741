//! Kernel settings of one interface, in the network namespace of the calling thread.

use std::fs;
use std::io::ErrorKind;

use signpost_netlink::Family;

use crate::error::{Error, ErrorCode, Result};

/// Sets `net.ipv4.conf.INTERFACE.KEY` or the same of IPv6.
pub(crate) fn set(family: Family, interface: &str, key: &str, value: &str) -> Result<()> {
    let folder = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let path = format!("/proc/sys/net/{folder}/conf/{interface}/{key}");
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
