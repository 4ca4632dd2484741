//! A node: a machine with containerd, kubelet and kube-proxy at their usual paths.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::fs::statfs;
use tokio::sync::OnceCell;

use crate::addresses::Link;
use crate::cgroups;
use crate::cluster::Parts;
use crate::keeper::machine_argv;
use crate::machine::{Bind, Machine, MachineSpec, Service};
use crate::topology;
use crate::vpc::Instance;
use crate::wait;

mod config;

/// The file systems' magic number of overlayfs, on which no further overlay can be written.
const OVERLAYFS: i64 = 0x794c_7630;

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
        fs::create_dir_all(&logs)?;
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
    /// Services are `containerd`, `kubelet`, `kube-proxy` and `signpost-node`.
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

    /// The instance that the node is in a VPC; none elsewhere, or before it was first booted.
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
        if let Some(vpc) = &self.parts.vpc {
            self.instance
                .get_or_try_init(|| vpc.launch(self.link))
                .await?;
        }
        let spec = self.dir.join("machine.json");
        fs::write(&spec, serde_json::to_vec(&self.spec()?)?)?;

        let router = &self.parts.router;
        let mut process = Service::new(&self.process(), machine_argv(&spec)?);
        process.restart = false;
        router.start(process).await?;
        self.machine
            .attach()
            .await
            .map_err(|error| router.with_log(&error, &self.process()))?;
        topology::set_up_node(router, &self.machine, self.link, self.parts.dual_stack).await?;
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

    /// Starts kubelet and kube-proxy. The API server has to be there.
    pub(crate) async fn start_kubernetes(&self) -> Result<()> {
        let (binaries, pki) = (&self.parts.binaries, &self.parts.pki);
        let url = crate::control_plane::api_url();
        let user = format!("system:node:{}", self.name);
        let kubeconfig = pki.kubeconfig(&self.process(), &url, &user, &["system:nodes"])?;
        let configuration = self.dir.join("kubelet.json");
        fs::write(
            &configuration,
            config::kubelet(&self.parts, &self.name).to_string(),
        )?;
        let addresses = self.link.node_addresses(self.parts.dual_stack);
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let mut kubelet = vec![
            binaries.path("kubelet")?,
            format!("--config={}", configuration.display()),
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--hostname-override={}", self.name),
            format!("--node-ip={}", addresses.join(",")),
        ];
        let instance = self.instance.get();
        kubelet.extend(instance.map(|of| format!("--provider-id={}", of.provider_id())));
        self.machine.start(Service::new("kubelet", kubelet)).await?;

        let kubeconfig = pki.path("kube-proxy.kubeconfig");
        let configuration = self.dir.join("kube-proxy.json");
        let text = config::kube_proxy(&self.parts, &self.name, &kubeconfig);
        fs::write(&configuration, text.to_string())?;
        let kube_proxy = [
            binaries.path("kube-proxy")?,
            format!("--config={}", configuration.display()),
            format!("--hostname-override={}", self.name),
        ];
        self.machine
            .start(Service::new("kube-proxy", kube_proxy))
            .await
    }

    async fn start_runtime(&self) -> Result<()> {
        let configuration = self.dir.join("containerd.toml");
        fs::write(&configuration, config::containerd(self.snapshotter()?))?;
        let binaries = &self.parts.binaries;
        let argv = [
            binaries.path("containerd")?,
            "--config".into(),
            configuration.display().to_string(),
        ];
        let service = Service::new("containerd", argv).env("PATH", binaries.search_path());
        self.machine.start(service).await?;
        let ctr = binaries.path("ctr")?;
        let ready = wait::until(
            "containerd to answer",
            Duration::from_secs(30),
            async || {
                fs::metadata(self.path("run/containerd/containerd.sock"))?;
                self.machine.run(&[&ctr, "version"]).await
            },
        );
        ready
            .await
            .map_err(|error| self.machine.with_log(&error, "containerd"))?;
        for archive in &self.parts.images {
            self.import(archive).await?;
        }
        Ok(())
    }

    /// Gives the container runtime the images of an archive.
    pub(crate) async fn import(&self, archive: &Path) -> Result<()> {
        let ctr = self.parts.binaries.path("ctr")?;
        let archive = archive.display().to_string();
        let snapshotter = format!("--snapshotter={}", self.snapshotter()?);
        let import = [&*ctr, "--namespace=k8s.io", "images", "import"];
        let argv: Vec<&str> = import
            .into_iter()
            .chain([&*snapshotter, &*archive])
            .collect();
        self.machine.run(&argv).await.map(drop)
    }

    fn snapshotter(&self) -> Result<&'static str> {
        let on_overlay = statfs(&self.dir)
            .context("looking at the file system")?
            .f_type
            == OVERLAYFS;
        Ok(if on_overlay { "native" } else { "overlayfs" })
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
        let overlay = |folder: &str| Bind {
            from: self.dir.join("overlay").join(folder),
            to: root.join(folder),
        };
        Ok(MachineSpec {
            hostname: self.name.clone(),
            socket: self.dir.join("machine.sock"),
            sysctls: topology::host_sysctls(),
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
