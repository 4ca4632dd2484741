//! Removing an interface without waiting for the kernel to be done with it.
//!
//! Some 20 ms long the kernel waits until no processor uses the interface any more (`rcu_barrier`), and only then
//! answers whoever removes it. It tells of the removal before, when nobody finds the interface any more and its
//! names and addresses are free. So another process removes it, a copy of this program that holds none of its
//! pipes, and this one goes on when it hears of that. If it hears nothing it removes the interface itself.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use signpost_netlink::{Link, LinkRemovals, Socket};

use crate::datapath::Datapath;
use crate::error::Result;

/// The option by which the other process is started.
pub(crate) const OPTION: &str = "--remove-interface";
/// How long to wait for the other process.
const PATIENCE: Duration = Duration::from_secs(1);

/// Removes the interface called `name`, for a veth both ends. Tells whether there was one.
pub(crate) fn remove(node: &mut Socket, name: &str) -> Result<bool> {
    let Some(link) = node.link_by_name(name)? else {
        return Ok(false);
    };
    // What is left of it harms nobody, and the agent removes it.
    let _ = forget(node, &link);
    if !left_to_another(link.index) {
        // By its index: the name may be another pod's by now.
        node.delete_link_by_index(link.index)?;
    }
    Ok(true)
}

/// Takes back what does not go with the interface.
pub(crate) fn forget(node: &mut Socket, link: &Link) -> Result<()> {
    Datapath::of(node, link)?.forget(node, link)
}

/// Whether another process has removed it.
fn left_to_another(index: u32) -> bool {
    let Ok(mut removals) = LinkRemovals::open() else {
        return false;
    };
    let started = Command::new("/proc/self/exe")
        .args([OPTION, &index.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Whoever ends this program by its group does not end the removal.
        .process_group(0)
        .spawn();
    started.is_ok() && removals.wait_for(index, PATIENCE).unwrap_or(false)
}

/// What the other process does.
pub(crate) fn serve(index: Option<&str>) -> Result<()> {
    if let Some(index) = index.and_then(|index| index.parse().ok()) {
        Socket::open()?.delete_link_by_index(index)?;
    }
    Ok(())
}
