//! Nodes that pods are added to, each with one plugin, and how that is called: as a container runtime does.

use std::fs;
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use signpost_netlink::{Netns, Socket};

use super::FOLDER;

const INTERFACE: &str = "eth0";
const MTU: u32 = 1400;

/// Makes `folder` empty and gone with this process, which has a mount namespace of its own.
pub(super) fn keep_files_in(folder: &Path) -> Result<()> {
    let status = Command::new("mount")
        .args(["-t", "tmpfs", "signpost-bench"])
        .arg(folder)
        .status()
        .context("cannot run mount. Remedy: apt-get install mount")?;
    ensure!(
        status.success(),
        "mounting on {}: {status}",
        folder.display()
    );
    Ok(())
}

/// A network namespace that forwards packets, and the plugin that wires its pods.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) netns: Netns,
    program: PathBuf,
    /// Where it finds others.
    path: PathBuf,
    /// `None`: the floor, which takes arguments instead.
    config: Option<Value>,
}

/// A network namespace that becomes a pod.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) netns: Netns,
    number: u32,
}

impl Pod {
    pub(super) fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            netns: Netns::create()?,
            number,
        })
    }

    fn path(&self) -> String {
        let (process, file) = (std::process::id(), self.netns.as_fd().as_raw_fd());
        format!("/proc/{process}/fd/{file}")
    }
}

impl Node {
    pub(super) fn ours(program: &Path, mode: &str, subnets: &[&str]) -> Result<Self> {
        let run = Path::new(FOLDER).join(format!("ours-{mode}-{}", subnets.len()));
        fs::create_dir_all(&run)?;
        let config = json!({
            "cniVersion": "1.0.0",
            "name": "signpost",
            "type": "signpost-cni",
            "mode": mode,
            "subnets": subnets,
            "mtu": MTU,
            "runDir": run,
        });
        Self::new(program, Path::new(FOLDER), Some(config))
    }

    pub(super) fn reference(folder: &Path, kind: &str, subnet: &str) -> Result<Self> {
        let config = json!({
            "cniVersion": "1.0.0",
            "name": kind,
            "type": kind,
            "bridge": "bench0",
            "isGateway": true,
            "mtu": MTU,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": subnet}]],
                "routes": [{"dst": "0.0.0.0/0"}],
                "dataDir": Path::new(FOLDER).join("reference"),
            },
        });
        Self::new(&folder.join(kind), folder, Some(config))
    }

    pub(super) fn floor(program: &Path) -> Result<Self> {
        Self::new(program, Path::new(FOLDER), None)
    }

    fn new(program: &Path, path: &Path, config: Option<Value>) -> Result<Self> {
        let netns = Netns::create()?;
        netns.run(|| -> Result<()> {
            let mut socket = Socket::open()?;
            let loopback = socket.link_by_name("lo")?.context("no loopback")?;
            socket.set_link_up(loopback.index)?;
            for setting in ["ipv4/ip_forward", "ipv6/conf/all/forwarding"] {
                let file = Path::new("/proc/sys/net").join(setting);
                fs::write(&file, "1").with_context(|| format!("writing {}", file.display()))?;
            }
            Ok(())
        })??;
        let (program, path) = (program.to_owned(), path.to_owned());
        Ok(Self {
            netns,
            program,
            path,
            config,
        })
    }

    /// Adds a pod; how long that took.
    pub(super) fn add(&self, pod: &Pod) -> Result<Duration> {
        self.call(self.command("ADD", pod), pod)
            .map(|(took, _)| took)
    }

    /// Adds a pod; its IPv4 address.
    pub(super) fn add_telling(&self, pod: &Pod) -> Result<String> {
        let (_, output) = self.call(self.command("ADD", pod), pod)?;
        let result: Value = serde_json::from_slice(&output.stdout)?;
        let net = result["ips"][0]["address"]
            .as_str()
            .context("no address in the result")?;
        Ok(net.split('/').next().unwrap_or(net).to_owned())
    }

    /// Deletes a pod; how long that took. That of the floor is deleted by its interface and not measured.
    pub(super) fn del(&self, pod: &Pod) -> Result<Duration> {
        if self.config.is_none() {
            let deleted = pod.netns.run(|| Socket::open()?.delete_link(INTERFACE))??;
            ensure!(deleted, "the floor's pod has no interface");
            return Ok(Duration::ZERO);
        }
        self.call(self.command("DEL", pod), pod)
            .map(|(took, _)| took)
    }

    /// Adds a pod and deletes it; the peak memory of adding in MB (2²⁰ bytes). `program` tells it.
    pub(super) fn peak_of_add(&self, program: &Path) -> Result<f64> {
        let (pod, file) = (Pod::new()?, Path::new(FOLDER).join("peak"));
        let mut command = Command::new(program);
        command.arg(&file).arg(&self.program);
        self.prepare(&mut command, "ADD", &pod);
        self.call(command, &pod)?;
        self.del(&pod)?;
        let kib = fs::read_to_string(&file)?;
        Ok(kib.trim().parse::<f64>()? / 1024.0)
    }

    fn command(&self, verb: &str, pod: &Pod) -> Command {
        let mut command = Command::new(&self.program);
        self.prepare(&mut command, verb, pod);
        command
    }

    fn prepare(&self, command: &mut Command, verb: &str, pod: &Pod) {
        command.env_clear();
        if self.config.is_some() {
            command
                .env("CNI_COMMAND", verb)
                .env("CNI_CONTAINERID", format!("pod-{}", pod.number))
                .env("CNI_NETNS", pod.path())
                .env("CNI_IFNAME", INTERFACE)
                .env("CNI_PATH", &self.path);
        } else {
            // Both ends' numbers are the caller's choice.
            let index = 10_000 + 2 * pod.number;
            command.args([
                &pod.path(),
                &format!("floor{}", pod.number),
                &index.to_string(),
                "10.244.1.2",
            ]);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }

    /// Runs a prepared command until it has ended and its output is read.
    fn call(&self, mut command: Command, pod: &Pod) -> Result<(Duration, Output)> {
        let config = self
            .config
            .as_ref()
            .map(Value::to_string)
            .unwrap_or_default();
        let (begun, child) = self.netns.run(|| (Instant::now(), command.spawn()))?;
        let mut child = child.with_context(|| format!("starting {command:?}"))?;
        let input = child.stdin.take().context("its standard input")?;
        // The floor reads none, and may have ended.
        let fed = { input }.write_all(config.as_bytes());
        let output = child.wait_with_output()?;
        let took = begun.elapsed();
        let said = String::from_utf8_lossy(if output.stdout.is_empty() {
            &output.stderr
        } else {
            &output.stdout
        });
        ensure!(
            output.status.success(),
            "{command:?} for pod {}: {}",
            pod.number,
            said.trim()
        );
        fed.with_context(|| format!("telling {command:?} the configuration"))?;
        Ok((took, output))
    }
}
