//! Forwarding of what comes in from the network, which the kernel asks for each interface of IPv4.
//!
//! Turning forwarding on sets every interface that is there, so one of a default route is off only if
//! somebody turned it off for itself, such as systemd-networkd with `IPv4Forwarding=no` for that link.
//! Then nothing reaches pods from outside the node, although forwarding is on. It is turned on again, as
//! pods need it, and said; other interfaces are others' business. IPv6 is asked for all at once.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use signpost_netlink::{Family, Socket};
use tracing::warn;

/// Sees to it that the interfaces of the IPv4 default routes forward; `sysctl` is the folder of the
/// kernel's settings for the network.
pub fn forward_ipv4(sysctl: &Path) -> anyhow::Result<()> {
    for way in Socket::open()?.ways_out_of(Family::V4)? {
        forward(sysctl, &way.interface)?;
    }
    Ok(())
}

fn forward(sysctl: &Path, interface: &str) -> anyhow::Result<()> {
    let setting = sysctl.join(format!("ipv4/conf/{interface}/forwarding"));
    let value =
        fs::read_to_string(&setting).with_context(|| format!("read {}", setting.display()))?;
    if value.trim() == "0" {
        fs::write(&setting, "1").with_context(|| {
            format!(
                "net.ipv4.conf.{interface}.forwarding is 0, so packets from {interface} do not reach \
                 pods: set it to 1"
            )
        })?;
        warn!(
            "net.ipv4.conf.{interface}.forwarding was 0 and is 1 now: whoever turns it off again, such \
             as systemd-networkd without IPv4Forwarding=yes, cuts pods off until the next check"
        );
    }
    Ok(())
}
