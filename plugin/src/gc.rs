//! GC: removes what is left of pods that the runtime does not know any more.
//!
//! An interface is this network's if its name follows from the network's name and the container that its alias
//! names. All that are stale go in one deletion, since each one costs the kernel some 20 ms.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::Value;
use signpost_netlink::{Link, LinkChange, PodLabel, Socket};

use crate::attachment::Attachment;
use crate::config::network_name;
use crate::error::{Error, Result};
use crate::input::Input;
use crate::log::Log;
use crate::removal;

/// The keys that list the attachments that live: that of the specification, and the one that libcni 1.2.0 sent
/// for it (<https://github.com/containernetworking/cni/pull/1103>).
const KEYS: [&str; 2] = ["cni.dev/valid-attachments", "cni.dev/attachments"];
/// The first number tried for the group of what is to be deleted; the kernel knows 0 as "default".
const GROUP: u32 = 0x5160_0000;

/// A container's interface that lives.
#[derive(Deserialize)]
struct Living {
    #[serde(rename = "containerID")]
    container_id: String,
    #[serde(rename = "ifname")]
    interface: String,
}

/// Serves GC. Without a list of what lives, which is not the same as an empty one, nothing is removed.
pub(crate) fn gc(input: &Input, log: &Log) -> Result<()> {
    let network = network_name(input)?;
    let Some(living) = living(input)? else {
        return Ok(());
    };
    let living: HashSet<String> = living
        .iter()
        .map(|it| Attachment::of(&network, &it.container_id, &it.interface).host_interface)
        .collect();
    let mut node = Socket::open()?;
    let links = node.links()?;
    let stale: Vec<&Link> = links
        .iter()
        .filter(|link| is_of(link, &network) && !living.contains(&link.name))
        .collect();
    if stale.is_empty() {
        return Ok(());
    }
    let taken: HashSet<u32> = links.iter().map(|link| link.group).collect();
    let group = (GROUP..=u32::MAX).find(|group| !taken.contains(group));
    let group = group.unwrap_or(GROUP);
    for link in &stale {
        let marked = LinkChange {
            group: Some(group),
            ..LinkChange::default()
        };
        match node.change_link(link.index, &marked) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
    }
    for link in &stale {
        // What is left of it harms nobody, and the agent removes it.
        let _ = removal::forget(&mut node, link);
    }
    node.delete_links(group)?;
    let names: Vec<&str> = stale.iter().map(|link| link.name.as_str()).collect();
    log.warn(&format!(
        "removed what was left of pods: {}",
        names.join(", ")
    ));
    Ok(())
}

fn living(input: &Input) -> Result<Option<Vec<Living>>> {
    let listed = KEYS.iter().find_map(|key| Some((*key, input.get(*key)?)));
    let Some((key, value)) = listed else {
        return Ok(None);
    };
    let entries: Vec<Living> = Deserialize::deserialize(value).map_err(|error| {
        let remedy = "list the attachments that live, such as [{\"containerID\": \"a\", \"ifname\": \"eth0\"}]";
        Error::config(key, &format!("{} is invalid: {error}", short(value)), remedy)
    })?;
    Ok(Some(entries))
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(100).collect()
}

/// Whether the interface was made for a container on this network.
fn is_of(link: &Link, network: &str) -> bool {
    PodLabel::of(link).is_some_and(|label| {
        link.veth
            && Attachment::of(network, &label.container_id, &label.interface).host_interface
                == link.name
    })
}
