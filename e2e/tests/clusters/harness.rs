//! The harness itself: clusters start, change and leave nothing behind, however they end.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::api::{Api, ListParams};
use signpost_e2e::{Cluster, ClusterOptions, keeper, wait};

const LIMIT: Duration = Duration::from_secs(30);

/// Two clusters beside each other; nodes are removed, rebooted and added; then all is gone.
pub(crate) async fn cluster_comes_and_goes() -> Result<()> {
    let options = |name| ClusterOptions::new(name).without_signpost();
    let (cluster, other) = tokio::try_join!(
        Cluster::start(options("comes").nodes(2).dual_stack().without_signpost()),
        Cluster::start(options("beside").nodes(1)),
    )?;
    ensure!(node_names(&cluster).await? == ["node-1", "node-2"]);
    ensure!(node_names(&other).await? == ["node-1"]);

    let first = cluster.node("node-1")?;
    let second = cluster.node("node-2")?;
    for address in second.link().node_addresses(true) {
        first.machine().ping(address).await?;
        cluster.external().ping(address).await?;
    }

    // A killed kubelet is started again.
    first.machine().kill("kubelet").await?;
    wait::until("the kubelet to be started again", LIMIT, async || {
        let services = first.machine().services().await?;
        let kubelet = services.get("kubelet").context("there is no kubelet")?;
        ensure!(
            kubelet.restarts == 1 && kubelet.pid.is_some(),
            "{kubelet:?}"
        );
        Ok(())
    })
    .await?;

    // A reboot gives another boot id and keeps the disk.
    let boot_id = boot_id(&cluster, "node-2").await?;
    fs::write(second.path("/var/lib/cni/kept"), "")?;
    fs::write(second.path("/run/lost"), "")?;
    cluster.reboot("node-2").await?;
    second
        .machine()
        .run(&["test", "-e", "/var/lib/cni/kept"])
        .await?;
    second
        .machine()
        .run(&["test", "!", "-e", "/run/lost"])
        .await?;
    wait::until("the kubelet to report the reboot", LIMIT, async || {
        ensure!(
            self::boot_id(&cluster, "node-2").await? != boot_id,
            "the boot id is the old one"
        );
        Ok(())
    })
    .await?;

    cluster.add_node("node-3").await?;
    cluster.remove_node("node-2").await?;
    let bare = cluster.create_bare_nodes(100).await?;
    ensure!(node_names(&cluster).await?.len() == 102);
    cluster.delete_bare_nodes(&bare).await?;
    ensure!(node_names(&cluster).await? == ["node-1", "node-3"]);
    // The link of the node that went is used again.
    cluster.add_node("node-4").await?;
    ensure!(cluster.node("node-4")?.link().0 == 2);

    let namespaces = namespaces_of(&[cluster.router().pid(), first.machine().pid()])?;
    let id = cluster.id().to_owned();
    cluster.shutdown();
    nothing_left(&id, &namespaces)?;
    ensure!(
        node_names(&other).await? == ["node-1"],
        "the other cluster goes on"
    );
    Ok(())
}

/// SIGKILL gives the harness no chance to clean up; its keeper does.
pub(crate) async fn killed_harness_leaves_nothing() -> Result<()> {
    let (mut harness, id) = up(&["--foreground"])?;
    let namespaces = namespaces_of_cluster(&id)?;
    harness.kill()?;
    harness.wait()?;
    wait::until("the keeper to clean up", LIMIT, async || {
        nothing_left(&id, &namespaces)
    })
    .await
}

/// SIGKILL of the keeper ends the cluster's processes; what else is left goes with the next sweep.
pub(crate) async fn killed_keeper_leaves_nothing_after_a_sweep() -> Result<()> {
    let (mut harness, id) = up(&[])?;
    ensure!(harness.wait()?.success());
    let namespaces = namespaces_of_cluster(&id)?;
    ensure!(
        keeper::running()?.contains(&id),
        "the cluster stays when its harness has left"
    );
    let pid = fs::read_to_string(work_folder(&id).join("keeper.pid"))?;
    ensure!(
        Command::new("kill")
            .args(["-KILL", pid.trim()])
            .status()?
            .success()
    );
    wait::until("the keeper to be gone", LIMIT, async || {
        ensure!(!keeper::running()?.contains(&id), "it is still there");
        Ok(())
    })
    .await?;
    keeper::sweep()?;
    // Killed by the kernel when the keeper ended, processes take a moment to leave.
    wait::until("the cluster to be gone", LIMIT, async || {
        nothing_left(&id, &namespaces)
    })
    .await
}

/// Starts a cluster of one node in another process, and gives its id once it is up.
fn up(arguments: &[&str]) -> Result<(Child, String)> {
    let mut harness = Command::new(env!("CARGO_BIN_EXE_signpost-e2e"))
        .args(["up", "--nodes=1", "--without-signpost"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(harness.stdout.take().context("its output is a pipe")?);
    let mut lines = output.lines();
    for line in &mut lines {
        if let Some(rest) = line?.strip_prefix("cluster ") {
            let id = rest.split(' ').next().unwrap_or_default().to_owned();
            // Read to the end, so that it can print the rest.
            std::thread::spawn(move || lines.count());
            return Ok((harness, id));
        }
    }
    bail!("signpost-e2e up ended: {}", harness.wait()?)
}

async fn node_names(cluster: &Cluster) -> Result<Vec<String>> {
    let nodes: Api<Node> = Api::all(cluster.client());
    let list = nodes.list(&ListParams::default()).await?;
    Ok(list
        .items
        .into_iter()
        .filter_map(|node| node.metadata.name)
        .collect())
}

async fn boot_id(cluster: &Cluster, name: &str) -> Result<String> {
    let node = Api::<Node>::all(cluster.client()).get(name).await?;
    let info = node.status.and_then(|status| status.node_info);
    Ok(info.context("the node has no information")?.boot_id)
}

fn work_folder(id: &str) -> PathBuf {
    Path::new("/tmp/signpost-e2e").join(id)
}

/// Namespaces of a cluster, by their links below `/proc`, and when they were looked at.
///
/// The kernel gives the number of a namespace that is gone to a new one at once: so only processes
/// that were there before count as left over in it.
struct Namespaces {
    links: BTreeSet<PathBuf>,
    /// In ticks since boot.
    seen_at: u64,
}

/// Namespaces that the processes have and this one has not.
fn namespaces_of(pids: &[u32]) -> Result<Namespaces> {
    let mut links = BTreeSet::new();
    for pid in pids {
        for kind in ["net", "mnt", "pid", "uts", "ipc"] {
            let namespace = fs::read_link(format!("/proc/{pid}/ns/{kind}"))?;
            if namespace != fs::read_link(format!("/proc/self/ns/{kind}"))? {
                links.insert(namespace);
            }
        }
    }
    let uptime = fs::read_to_string("/proc/uptime")?;
    let uptime = uptime.split(' ').next().context("/proc/uptime is empty")?;
    let seen_at = uptime.replace('.', "").parse()?;
    Ok(Namespaces { links, seen_at })
}

/// When a process was started, in ticks since boot; none if it is gone.
fn started_at(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; the start is the twentieth field behind it.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// The namespaces of a cluster that another process started, found by its processes 1.
fn namespaces_of_cluster(id: &str) -> Result<Namespaces> {
    let folder = work_folder(id).display().to_string();
    let pids: Vec<u32> = processes()
        .filter(|pid| command_line(*pid).contains(&folder))
        .collect();
    let found = namespaces_of(&pids)?;
    ensure!(
        found.links.len() >= 15,
        "router, external host and node have five each: {:?}",
        found.links
    );
    Ok(found)
}

fn nothing_left(id: &str, namespaces: &Namespaces) -> Result<()> {
    for pid in processes() {
        ensure!(
            !command_line(pid).contains(id),
            "process {pid}: {}",
            command_line(pid)
        );
        if started_at(pid).is_none_or(|started| started > namespaces.seen_at) {
            continue;
        }
        for kind in ["net", "mnt", "pid", "uts", "ipc"] {
            // Processes come and go while this looks.
            if let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/{kind}")) {
                let line = command_line(pid);
                ensure!(
                    !namespaces.links.contains(&namespace),
                    "process {pid} ({line}) is in one"
                );
            }
        }
    }
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    ensure!(!mounts.contains(id), "mounts are left: {mounts}");
    ensure!(!work_folder(id).exists(), "the work folder is left");
    let find = Command::new("find")
        .args(["/sys/fs/cgroup", "-name", &format!("*{id}*")])
        .output()?;
    ensure!(
        find.stdout.is_empty(),
        "cgroups are left: {}",
        String::from_utf8_lossy(&find.stdout)
    );
    Ok(())
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
