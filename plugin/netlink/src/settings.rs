//! Kernel settings of the node's interfaces to its pods, in the network namespace of the calling thread: made by
//! the plugin, and by the agent where it makes an interface anew.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::route::Family;

/// Where the kernel has its settings for the network, unless they are mounted somewhere else.
pub const FOLDER: &str = "/proc/sys/net";

/// No value of a setting here has more bytes.
const LONGEST: usize = 32;

/// A setting below `net.FAMILY.conf.INTERFACE`, or with its section before it, and its value.
pub type Setting = (Family, &'static str, &'static str);

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

/// What the node as a whole has in mode `bridge`: an interface of its own to set this for is not enough, and
/// those that send such messages by their own setting go on.
pub const NO_REDIRECTS: Setting = (Family::V4, "send_redirects", "0");

/// The settings of the node's end for a network with or without IPv6, in the order in which they are made.
/// A kernel that runs without IPv6 has none of that family.
pub fn of_host_end(folder: &Path, ipv6: bool) -> impl Iterator<Item = Setting> {
    let last: &[Setting] = if ipv6 { &IPV6_ON } else { &IPV6_OFF };
    let deaf = IPV6_DEAF.iter().chain(last);
    let needed = ipv6 || fs::exists(folder.join("ipv6/conf")).unwrap_or(true);
    let settings = IPV4.iter().chain(deaf.filter(move |_| needed));
    settings.copied()
}

/// The file of an interface's setting in `folder`.
pub fn file(folder: &Path, interface: &str, (family, key, _): Setting) -> PathBuf {
    let of_family = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let (section, key) = key.split_once('/').unwrap_or(("conf", key));
    [of_family, section, interface, key]
        .iter()
        .fold(folder.to_owned(), |path, part| path.join(part))
}

/// Makes a setting. One that is made already costs no lock that all interfaces share.
///
/// # Errors
///
/// Those of writing the file: it is not there where the kernel runs without that family.
pub fn make(folder: &Path, interface: &str, setting: Setting) -> io::Result<()> {
    let (file, value) = (file(folder, interface, setting), setting.2);
    let made = File::options()
        .read(true)
        .write(true)
        .open(&file)
        .and_then(|open| {
            let mut found = [0; LONGEST];
            let length = open.read_at(&mut found, 0)?;
            if found[..length].trim_ascii() == value.as_bytes() {
                return Ok(());
            }
            open.write_all_at(value.as_bytes(), 0)
        });
    match made {
        // Where nothing can be written, what is made already can be read.
        Err(_) if fs::read_to_string(&file).is_ok_and(|text| text.trim() == value) => Ok(()),
        other => other,
    }
}
