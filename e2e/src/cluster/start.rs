//! Starting a cluster, as much at once as can be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::{Cluster, ClusterOptions, Parts};
use crate::addresses::{Link, Zone};
use crate::binaries::{Binaries, own_binary};
use crate::images::Images;
use crate::keeper::{self, Keeper};
use crate::machine::{Machine, MachineSpec, Service};
use crate::node::Node;
use crate::pki::Pki;
use crate::vpc::Cloud;
use crate::{control_plane, identity, topology};

/// Clusters started by this process, to tell their ids apart.
static STARTED: AtomicU32 = AtomicU32::new(0);
/// How long nodes may take to register, and with Signpost to become ready.
const NODES_LIMIT: Duration = Duration::from_secs(90);

impl Cluster {
    /// Starts a cluster and returns when its nodes have registered and, with Signpost, are ready.
    ///
    /// Needs root. Programs that are missing are built first. If anything fails, what was started is
    /// removed and its logs are kept.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        ensure!(
            rustix::process::geteuid().is_root(),
            "a cluster in namespaces needs root. Remedy: run this as root"
        );
        if options.pod_network.is_some() {
            // Before anything is started: a clear word about what was not built.
            for program in [identity::CONTROLLER, identity::AGENT, identity::PLUGIN] {
                own_binary(program)?;
            }
        }
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{}-{number}", options.name, std::process::id());
        let binaries = tokio::task::spawn_blocking(move || {
            keeper::sweep()?;
            Ok::<_, anyhow::Error>((Binaries::ensure()?, Images::ensure()?))
        });
        let programs = binaries.await.context("preparing a cluster")??;

        let (dir, lock) = keeper::work_dir(&id)?;
        let router = dir.join("router");
        let spec = router_spec(&router.join("machine.sock"), options.cloud.is_some());
        fs::write(router.join("machine.json"), serde_json::to_vec(&spec)?)?;
        let keeper = Keeper::start(&dir, lock, &programs.0.search_path())?;
        let started =
            Self::start_with(options, id.clone(), dir, programs, Arc::clone(&keeper)).await;
        started.map_err(|error| {
            keeper.keep_logs();
            keeper.end();
            error.context(format!(
                "starting a cluster; its logs: {}/{id}",
                keeper::LOGS
            ))
        })
    }

    async fn start_with(
        options: ClusterOptions,
        id: String,
        dir: PathBuf,
        (binaries, images): (Binaries, Images),
        keeper: Arc<Keeper>,
    ) -> Result<Self> {
        let begin = Instant::now();
        let mut timings = Vec::new();
        let pki = Pki::create(&dir.join("router/pki"), control_plane::api_names())?;
        let search_path = binaries.search_path();
        let logs = dir.join("logs");
        let socket = dir.join("router/machine.sock");
        let router = Machine::new("router", socket, logs.join("router"), &search_path);
        let socket = dir.join("external/machine.sock");
        let external = Machine::new("external", socket, logs.join("external"), &search_path);

        let groups = ["system:masters"];
        pki.kubeconfig("admin", &control_plane::api_url(), "admin", &groups)?;
        let outside = format!("https://127.0.0.1:{}", keeper.api_port().await?);
        let kubeconfig = pki.kubeconfig("kubectl", &outside, "admin", &groups)?;
        pki.kubeconfig(
            "kube-proxy",
            &control_plane::api_url(),
            "system:kube-proxy",
            &[],
        )?;
        let client = client(&kubeconfig).await?;

        router.attach().await?;
        let (dual_stack, in_cloud) = (options.dual_stack, options.cloud.is_some());
        topology::set_up_router(&router, dual_stack, in_cloud).await?;
        let cloud = match options.cloud {
            Some(options) => Some(Cloud::start(&router, &search_path, dual_stack, options).await?),
            None => None,
        };
        let parts = Arc::new(Parts {
            id,
            dir,
            dual_stack,
            pod_cidrs: options.pod_cidrs,
            proxy_mode: options.proxy_mode,
            binaries,
            images,
            with_signpost: options.pod_network.is_some(),
            router_joins: options.router_joins,
            pki,
            router,
            cloud,
        });
        let control = (parts.with_signpost || parts.router_joins)
            .then(|| Node::of_router(Arc::clone(&parts)).map(Arc::new));
        let mut cluster = Self {
            parts: Arc::clone(&parts),
            external,
            nodes: RwLock::default(),
            client: client.clone(),
            kubeconfig,
            control: control.transpose()?,
            applied: None,
            timings: Vec::new(),
            keeper,
        };
        let mut nodes = Vec::new();
        for number in 1..=options.nodes {
            nodes.push(cluster.new_node(&format!("node-{number}"))?);
        }
        let started = &cluster;
        let control_plane = async {
            control_plane::start(&client, &parts).await?;
            let ready = begin.elapsed();
            let applied = identity::set_up(started, options.pod_network.as_ref()).await?;
            Ok((applied, ready, begin.elapsed()))
        };
        // As nodes of Kubernetes, the router's is one of them.
        let machines: Vec<_> = nodes.iter().chain(&started.control).cloned().collect();
        let machines = async {
            try_join_all(machines.iter().map(|node| node.boot())).await?;
            let up = begin.elapsed();
            control_plane::ready(&client, &parts.router).await?;
            try_join_all(machines.iter().map(|node| node.start_kubernetes())).await?;
            Ok(up)
        };
        let ((applied, ready, installed), up, ()) =
            tokio::try_join!(control_plane, machines, started.start_external())?;
        timings.push(("control plane ready", ready));
        timings.push(("machines up", up));
        if parts.with_signpost {
            timings.push(("Signpost installed", installed));
        }
        cluster.applied = applied;
        let names: Vec<&str> = nodes.iter().map(|node| node.name()).collect();
        cluster.wait_registered(&names, NODES_LIMIT).await?;
        timings.push(("nodes registered", begin.elapsed()));
        if parts.with_signpost {
            cluster.wait_ready(&names, NODES_LIMIT).await?;
            timings.push(("nodes ready", begin.elapsed()));
            cluster.wait_controller().await?;
            timings.push(("controller available", begin.elapsed()));
        }
        identity::wait_for_default_account(&client).await?;
        timings.push(("complete", begin.elapsed()));
        cluster.timings = timings;
        Ok(cluster)
    }

    async fn start_external(&self) -> Result<()> {
        let dir = self.parts.dir.join("external");
        fs::create_dir_all(&dir)?;
        fs::create_dir_all(self.external.logs())?;
        let spec = MachineSpec {
            hostname: "external".into(),
            socket: dir.join("machine.sock"),
            sysctls: topology::host_sysctls(),
            overlays: Vec::new(),
            binds: Vec::new(),
            forward_to: None,
        };
        let file = dir.join("machine.json");
        fs::write(&file, serde_json::to_vec(&spec)?)?;
        let argv = keeper::machine_argv(&file)?;
        let mut process = Service::new("external", argv);
        process.restart = false;
        let router = &self.parts.router;
        router.start(process).await?;
        self.external
            .attach()
            .await
            .map_err(|error| router.with_log(&error, "external"))?;
        topology::set_up_external(router, &self.external, self.parts.dual_stack).await?;
        if self.parts.router_joins {
            topology::give_default_route(router).await?;
        }
        Ok(())
    }

    /// Makes a node that is not running yet, on the first free link.
    pub(super) fn new_node(&self, name: &str) -> Result<Arc<Node>> {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        if nodes.contains_key(name) {
            bail!("there is a node {name} already");
        }
        let link = self.free_link(&nodes)?;
        let node = Arc::new(Node::new(Arc::clone(&self.parts), name, link)?);
        nodes.insert(name.to_owned(), Arc::clone(&node));
        Ok(node)
    }
}

impl Cluster {
    /// The first link that no node has; in a cloud, in the zone that has fewer nodes.
    fn free_link(&self, nodes: &BTreeMap<String, Arc<Node>>) -> Result<Link> {
        let is_free = |link: &Link| nodes.values().all(|node| node.link() != *link);
        let all = || (1..=254).map(Link).filter(is_free);
        let first = if self.parts.cloud.is_some() {
            let in_zone = |zone| {
                let all = nodes.values().filter(|node| node.link().zone() == zone);
                all.count()
            };
            let zone = if in_zone(Zone::B) < in_zone(Zone::A) {
                Zone::B
            } else {
                Zone::A
            };
            // The first addresses of a subnet are the cloud's own.
            all().find(|link| link.zone() == zone && link.0 != 128)
        } else {
            all().next()
        };
        first.context("no link is free: a router has 254")
    }
}

fn router_spec(socket: &Path, in_cloud: bool) -> MachineSpec {
    MachineSpec {
        hostname: "router".into(),
        socket: socket.to_path_buf(),
        sysctls: topology::router_sysctls(in_cloud),
        overlays: Vec::new(),
        binds: Vec::new(),
        forward_to: Some("127.0.0.1:6443".into()),
    }
}

async fn client(kubeconfig: &Path) -> Result<kube::Client> {
    let config = Kubeconfig::read_from(kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config, &options).await?;
    Ok(kube::Client::try_from(config)?)
}
