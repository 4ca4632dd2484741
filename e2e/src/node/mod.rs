//! A node: a machine with containerd, kubelet and kube-proxy at their usual paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::OnceCell;

use crate::addresses::Link;
use crate::cgroups;
use crate::cluster::Parts;
use crate::keeper::{machine_argv, machine_in_network_argv};
use crate::machine::{Bind, Machine, MachineSpec, Service};
use crate::topology;
use crate::vpc::Instance;
use crate::wait;

mod config;
mod services;

/// Folders in which a machine's programs make others: they get an overlay, so that nothing is made
/// on the host.
const OVERLAYS: [&str; 3] = ["etc", "opt", "var/lib"];
/// Folders of a node's own. All but `run` outlive a reboot.
const FOLDERS: [&str; 7] = [
    "etc/cni",
    "opt/cni",
    "run",
    "var/lib/cni",
    "var/lib/containerd",
    "var/lib/kubelet",
    "var/log",
];

/// Below the machine's logs: where those of its pods are.
const POD_LOGS: &str = "pods";

/// A node of the cluster: its machine, and its folders as seen from outside.
pub struct Node {
    name: String,
    link: Link,
    dir: PathBuf,
    machine: Machine,
    /// What the machine is in a VPC, once it was launched.
    instance: OnceCell<Instance>,
    parts: Arc<Parts>,
}

impl Node {
    pub(crate) fn new(parts: Arc<Parts>, name: &str, link: Link) -> Result<Self> {
        let dir = parts.dir.join("nodes").join(name);
        let logs = parts.dir.join("logs").join(name);
        for folder in FOLDERS {
            fs::create_dir_all(dir.join(folder))?;
        }
        fs::create_dir_all(logs.join(POD_LOGS))?;
        let machine = Machine::new(
            name,
            dir.join("machine.sock"),
            logs,
            &parts.binaries.search_path(),
        );
        Ok(Self {
            name: name.to_owned(),
            link,
            dir,
            machine,
            instance: OnceCell::new(),
            parts,
        })
    }

    /// The node whose network is the router's own. Unless that joins as others do, its pods are all on
    /// that network, and Signpost leaves it alone.
    pub(crate) fn of_router(parts: Arc<Parts>) -> Result<Self> {
        let node = Self::new(parts, "control-plane", Link::ROUTER)?;
        if !node.parts.router_joins {
            let folder = node.path("/etc/cni/net.d");
            fs::create_dir_all(&folder)?;
            fs::write(folder.join("99-none.conflist"), config::HOST_NETWORK_ONLY)?;
        }
        Ok(node)
    }

    /// The node's name in Kubernetes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node's link to the router, which has its addresses.
    pub fn link(&self) -> Link {
        self.link
    }

    /// The node's namespaces: run commands there, kill and stop services.
    ///
    /// Services are `containerd`, `kubelet` and `kube-proxy`.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// A file of the node as it is found from outside, such as `/etc/cni/net.d/10-x.conflist`.
    ///
    /// Only the node's own folders are there: `/etc/cni`, `/opt/cni`, `/run`, `/var/lib/cni`,
    /// `/var/lib/containerd`, `/var/lib/kubelet` and `/var/log`.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.join(path.trim_start_matches('/'))
    }

    /// The instance that the node is in a cloud; none elsewhere, or before it was first booted.
    pub fn instance(&self) -> Option<&Instance> {
        self.instance.get()
    }

    /// Gives the node a second device, `eth1`, on a link of its own. It goes when the node is powered
    /// off.
    pub(crate) async fn attach(&self, link: Link) -> Result<()> {
        let dual_stack = self.parts.dual_stack;
        topology::set_up_link(&self.parts.router, &self.machine, link, "eth1", dual_stack).await
    }

    /// Boots the node: namespaces, wire and container runtime, but no kubelet yet.
    pub(crate) async fn boot(&self) -> Result<()> {
        // As at any boot, what was in `/run` is gone.
        drop(fs::remove_dir_all(self.path("run")));
        fs::create_dir_all(self.path("run"))?;
        drop(fs::remove_file(self.dir.join("machine.sock")));
        cgroups::create(&self.parts.id, &self.name)?;
        if let Some(cloud) = self.parts.cloud.as_ref().filter(|_| !self.is_of_router()) {
            self.instance
                .get_or_try_init(|| cloud.launch(self.link, &self.name))
                .await?;
        }
        let spec = self.dir.join("machine.json");
        fs::write(&spec, serde_json::to_vec(&self.spec()?)?)?;

        let router = &self.parts.router;
        let argv = if self.is_of_router() {
            machine_in_network_argv(&spec)?
        } else {
            machine_argv(&spec)?
        };
        let mut process = Service::new(&self.process(), argv);
        process.restart = false;
        router.start(process).await?;
        self.machine
            .attach()
            .await
            .map_err(|error| router.with_log(&error, &self.process()))?;
        if !self.is_of_router() {
            topology::set_up_node(router, &self.machine, self.link, self.parts.dual_stack).await?;
        }
        self.start_runtime().await
    }

    /// Pulls the plug: every process of the node ends, its namespaces and its link vanish.
    pub(crate) async fn power_off(&self) -> Result<()> {
        let router = &self.parts.router;
        router.kill(&self.process()).await?;
        let what = format!("the cgroups of {} to be empty", self.name);
        wait::until(&what, Duration::from_secs(20), async || {
            cgroups::remove_node(&self.parts.id, &self.name)
        })
        .await?;
        // Normally gone with the node's end of the pair; the kernel takes its time.
        let device = self.link.router_device();
        let what = format!("the link of {} to vanish", self.name);
        wait::until(&what, Duration::from_secs(20), async || {
            let present = router
                .run(&["ip", "-brief", "link", "show", "type", "veth"])
                .await?;
            let gone = !present
                .lines()
                .any(|line| line.starts_with(&format!("{device}@")));
            gone.then_some(()).context("it is still there")
        })
        .await
    }

    /// Removes the node's folders, after it was powered off.
    pub(crate) fn remove_folders(&self) -> Result<()> {
        fs::remove_dir_all(&self.dir).with_context(|| format!("removing {}", self.dir.display()))
    }

    /// Whether its network is the router's.
    fn is_of_router(&self) -> bool {
        self.link == Link::ROUTER
    }

    /// The folder of the logs of the node's pods, as the kubelet lays them out.
    pub(crate) fn pod_logs(&self) -> PathBuf {
        self.machine.logs().join(POD_LOGS)
    }

    fn spec(&self) -> Result<MachineSpec> {
        let boot_id = self.dir.join("boot-id");
        fs::write(&boot_id, fs::read("/proc/sys/kernel/random/uuid")?)?;
        let root = Path::new("/");
        let bind = |folder: &&str| Bind {
            from: self.dir.join(folder),
            to: root.join(folder),
        };
        let mut binds: Vec<Bind> = FOLDERS.iter().map(bind).collect();
        // The kernel's boot id is the host's; a node that rebooted has another one.
        binds.push(Bind {
            from: boot_id,
            to: "/proc/sys/kernel/random/boot_id".into(),
        });
        // Among those logs that are kept after a failed test.
        binds.push(Bind {
            from: self.pod_logs(),
            to: "/var/log/pods".into(),
        });
        let overlay = |folder: &str| Bind {
            from: self.dir.join("overlay").join(folder),
            to: root.join(folder),
        };
        Ok(MachineSpec {
            hostname: self.name.clone(),
            socket: self.dir.join("machine.sock"),
            // The router's network is as the router has it.
            sysctls: if self.is_of_router() {
                Vec::new()
            } else {
                topology::host_sysctls()
            },
            overlays: OVERLAYS.into_iter().map(overlay).collect(),
            binds,
            forward_to: None,
        })
    }

    /// The name of the node's process 1 among the router machine's services, and of its files.
    fn process(&self) -> String {
        format!("node-{}", self.name)
    }
}
