//! Forwarding of what comes in from the network, which the kernel asks for each interface of IPv4.
//!
//! Turning forwarding on sets every interface that is there, so one of a default route is off only if
//! somebody turned it off for itself, such as systemd-networkd with `IPv4Forwarding=no` for that link.
//! Then nothing reaches pods from outside the node, although forwarding is on. It is turned on again, as
//! pods need it, and said; other interfaces are others' business. IPv6 is asked for all at once.

use anyhow::Context as _;
use signpost_netlink::{Family, Socket};
use tracing::warn;

use crate::hand::Hand;
use crate::sysctl::{FORWARDING, Settings};

/// Sees to it that the interfaces of the IPv4 default routes forward.
pub fn forward_ipv4(settings: &Settings, hand: &mut Hand) -> anyhow::Result<()> {
    // On trial: turning it on turns on the interfaces too.
    if settings.read(FORWARDING[0])? == "0" {
        return Ok(());
    }
    for way in Socket::open()?.ways_out_of(Family::V4)? {
        forward(settings, &way.interface, hand)?;
    }
    Ok(())
}

fn forward(settings: &Settings, interface: &str, hand: &mut Hand) -> anyhow::Result<()> {
    let setting = format!("ipv4/conf/{interface}/forwarding");
    if settings.read(&setting)? == "0" {
        let set = settings.set(&setting, "1", Vec::new(), hand);
        set.with_context(|| {
            format!(
                "net.ipv4.conf.{interface}.forwarding is 0, so packets from {interface} do not reach \
                 pods: set it to 1"
            )
        })?;
        warn!(
            "net.ipv4.conf.{interface}.forwarding was 0: whoever turns it off again, such as \
             systemd-networkd without IPv4Forwarding=yes, cuts pods off until the next check"
        );
    }
    Ok(())
}
