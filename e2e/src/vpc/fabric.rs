//! Follows the emulator's state and the router's devices, and makes the kernel do what they say.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;

use super::kernel::Kernel;
use super::plan::{Devices, Numbers, Plan};

/// Pause before the kernel is told again what it refused.
const AGAIN: Duration = Duration::from_millis(200);

/// An emulator of a cloud whose network packets follow.
pub(super) trait Emulated: Send + Sync + 'static {
    /// What its state means for packets now, and the state's version.
    fn plan(&self, devices: &Devices, numbers: &mut Numbers) -> (u64, Plan);

    /// Waits until the state's version is beyond `since`.
    async fn changed(&self, since: u64);
}

/// What the fabric has to know of its cluster.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) dual_stack: bool,
    /// `PATH` of `ip` and `nft`.
    pub(super) search_path: String,
}

/// Runs until it cannot. Tells the last version of the emulator's state that the kernel follows.
///
/// Runs in the network namespace that the calling thread is in.
pub(super) async fn run(
    emulator: &impl Emulated,
    setup: &Setup,
    followed: &watch::Sender<u64>,
) -> Result<()> {
    let mut kernel = Kernel::new(setup.dual_stack, &setup.search_path);
    let mut links = Links::watch(&setup.search_path)?;
    let mut numbers = Numbers::default();
    loop {
        let devices = links.up().await?;
        let (version, plan) = emulator.plan(&devices, &mut numbers);
        match kernel.follow(plan, &devices).await {
            Ok(()) => {
                followed.send_replace(version);
                tokio::select! {
                    () = emulator.changed(version) => {}
                    told = links.changed() => told?,
                }
            }
            Err(error) => {
                // As a rule a device has gone between the listing and the command.
                eprintln!("the router's kernel does not follow the network yet: {error:#}");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

/// The devices of the network namespace.
struct Links {
    search_path: String,
    lines: Lines<BufReader<ChildStdout>>,
    _monitor: Child,
}

impl Links {
    fn watch(search_path: &str) -> Result<Self> {
        // Ends with this thread, even when the process is killed.
        let mut monitor = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .args(["ip", "-oneline", "monitor", "link"])
            .env("PATH", search_path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("watching the router's devices")?;
        let output = monitor.stdout.take().context("its output is a pipe")?;
        Ok(Self {
            search_path: search_path.to_owned(),
            lines: BufReader::new(output).lines(),
            _monitor: monitor,
        })
    }

    /// Waits until some device has changed.
    async fn changed(&mut self) -> Result<()> {
        let line = self.lines.next_line().await;
        match line.context("watching the router's devices")? {
            Some(_) => Ok(()),
            None => bail!("ip monitor ended"),
        }
    }

    async fn up(&self) -> Result<Devices> {
        let output = Command::new("ip")
            .args(["-oneline", "link", "show", "up"])
            .env("PATH", &self.search_path)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("listing the router's devices")?;
        ensure!(
            output.status.success(),
            "ip link show: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let listing = String::from_utf8_lossy(&output.stdout);
        Ok(listing.lines().filter_map(device).collect())
    }
}

/// Name and index out of a line such as `7: node1@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu …`.
fn device(line: &str) -> Option<(String, u32)> {
    let mut words = line.split(": ");
    let index = words.next()?.trim().parse().ok()?;
    let name = words.next()?.split('@').next()?;
    Some((name.to_owned(), index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ip_names_a_device() {
        let line = r"7: node1@if2: <BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state UP \    link/ether";
        assert_eq!(device(line), Some(("node1".into(), 7)));
        assert_eq!(device("1: lo: <LOOPBACK,UP>"), Some(("lo".into(), 1)));
    }
}
