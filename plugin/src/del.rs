//! DEL: takes a pod's wiring away, however much of it is left.

use signpost_netlink::{Errno, HOST_INTERFACE_PREFIX, Netns, PodLabel, Socket};

use crate::attachment::Attachment;
use crate::error::Result;
use crate::pod;
use crate::removal;

/// Serves DEL. Nothing that is missing is an error: not the interface, not the namespace.
pub(crate) fn del(attachment: &Attachment) -> Result<()> {
    let sandbox = sandbox(attachment);
    // Before the pair: while the kernel removes that, nobody else can change anything. An error is told in the
    // end, since the pair is to go whatever it is.
    let pod = match &sandbox {
        Ok(Some(netns)) => without_rules(netns, attachment).map(Some),
        _ => Ok(None),
    };
    // The node's end is known by name, so the pod's namespace need not exist any more. With the pair
    // go the addresses and routes on both sides, and with the host route the claim to the address.
    let mut node = Socket::open()?;
    let removed = removal::remove(&mut node, &attachment.host_interface)?
        || removal::remove(&mut node, &attachment.formerly().host_interface)?
        || delete_labelled(&mut node, attachment)?;
    let pod = pod?;
    if removed {
        return Ok(());
    }
    let Some(mut pod) = pod else {
        return sandbox.map(drop);
    };
    // Somebody may have taken the label too. The pod's end is known by its hardware address.
    if pod
        .link_by_name(&attachment.interface)?
        .is_some_and(|link| link.veth && link.mac == Some(attachment.mac))
    {
        pod.delete_link(&attachment.interface)?;
    }
    Ok(())
}

/// The pod's namespace, if there is one still.
fn sandbox(attachment: &Attachment) -> Result<Option<Netns>> {
    if attachment.netns.is_empty() {
        return Ok(None);
    }
    let netns = match Netns::open(attachment.netns.as_ref()) {
        Ok(netns) => netns,
        // Gone, or what a namespace's bind mount leaves behind.
        Err(error) if matches!(error.errno(), Some(Errno::ENOENT | Errno::EINVAL)) => {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let is_nodes = netns.is_same(&Netns::current()?)?;
    Ok(Some(netns).filter(|_| !is_nodes))
}

/// Removes the pod's rules. A path such as /proc/PID/ns/net may lead to another pod by now
/// (<https://github.com/cri-o/cri-o/issues/2849>). These are known by their table, which follows from the
/// attachment.
fn without_rules(netns: &Netns, attachment: &Attachment) -> Result<Socket> {
    let mut pod = Socket::open_in(netns)?;
    pod::remove_rules(&mut pod, attachment)?;
    Ok(pod)
}

/// Removes the node's end that somebody has renamed: its label says whose it is, whatever hardware address
/// the pod was given or has got since.
fn delete_labelled(node: &mut Socket, attachment: &Attachment) -> Result<bool> {
    let is_ours = |alias: &str| {
        alias.parse().is_ok_and(|label: PodLabel| {
            let ours = PodLabel {
                mac: label.mac,
                interface: attachment.interface.clone(),
                container_id: attachment.container_id.clone(),
            };
            // As text, since a long one is cut.
            ours.to_string() == alias
        })
    };
    let links = node.links()?;
    // One that has its name was found by it, or is of another network.
    let renamed = links.iter().find(|link| {
        link.veth
            && !link.name.starts_with(HOST_INTERFACE_PREFIX)
            && link.alias.as_deref().is_some_and(is_ours)
    });
    Ok(match renamed {
        Some(link) => removal::remove(node, &link.name)?,
        None => false,
    })
}
