//! DEL: takes a pod's wiring away, however much of it is left.

use signpost_netlink::{Errno, Netns, Socket};

use crate::attachment::Attachment;
use crate::error::Result;
use crate::removal;

/// Serves DEL. Nothing that is missing is an error: not the interface, not the namespace.
pub(crate) fn del(attachment: &Attachment) -> Result<()> {
    // The node's end is known by name, so the pod's namespace need not exist any more. With the pair
    // go the addresses and routes on both sides, and with the host route the claim to the address.
    let mut node = Socket::open()?;
    let removed = removal::remove(&mut node, &attachment.host_interface)?
        || removal::remove(&mut node, &attachment.formerly().host_interface)?;
    if removed || attachment.netns.is_empty() {
        return Ok(());
    }
    // Somebody may have renamed the node's end. The pod's is known by its hardware address: a path such as
    // /proc/PID/ns/net may lead to another pod by now (https://github.com/cri-o/cri-o/issues/2849).
    let netns = match Netns::open(attachment.netns.as_ref()) {
        Ok(netns) => netns,
        // Gone, or what a namespace's bind mount leaves behind.
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::EINVAL)) => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    if netns.is_same(&Netns::current()?)? {
        return Ok(());
    }
    let mut pod = Socket::open_in(&netns)?;
    if pod
        .link_by_name(&attachment.interface)?
        .is_some_and(|link| link.veth && link.mac == Some(attachment.mac))
    {
        pod.delete_link(&attachment.interface)?;
    }
    Ok(())
}
