//! A network of its own, so that neither ports nor routes can meet those of the machine, and mounts of its own,
//! which end with it.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Says which process has been moved; its id survives `exec`.
const MOVED: &str = "SIGNPOST_BENCH_NAMESPACE_OF";

/// The nodes' addresses lie behind this link, so that the kernel takes them as next hops.
const LINK: &str = "nodes";
/// Nobody is there.
const OTHER_END: &str = "nobody";
/// Its own address; see [`nodes::address`](crate::nodes::address).
const LINK_ADDRESS: &str = "172.16.0.1/16";

/// Begins this program anew in a network and a mount namespace of its own, unless that has happened. What
/// needs the machine's network is done `before`.
pub(crate) fn enter(before: impl FnOnce() -> Result<()>) -> Result<()> {
    let pid = std::process::id().to_string();
    if std::env::var(MOVED).is_ok_and(|moved| moved == pid) {
        return set_up();
    }
    before()?;
    ensure!(
        rustix::process::geteuid().is_root(),
        "a network namespace needs root. Remedy: run this as root"
    );
    let error = Command::new("unshare")
        .args(["--net", "--mount"])
        .arg("--")
        .arg(std::env::current_exe().context("finding this program")?)
        .args(std::env::args_os().skip(1))
        .env(MOVED, pid)
        .exec();
    Err(error).context("cannot run unshare. Remedy: apt-get install util-linux")
}

fn set_up() -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    ip(&[
        "link", "add", LINK, "type", "veth", "peer", "name", OTHER_END,
    ])?;
    ip(&["address", "add", LINK_ADDRESS, "dev", LINK])?;
    ip(&["link", "set", OTHER_END, "up"])?;
    ip(&["link", "set", LINK, "up"])
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .context("cannot run ip. Remedy: apt-get install iproute2")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("ip {}: {}", arguments.join(" "), said.trim());
    }
    Ok(())
}
