//! etcd is killed, down, frozen, or set back to an earlier time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ObjectMeta, PostParams};
use rustix::process::Signal;
use tokio::process::Command;

use super::replicas::LEASE;
use super::{Arena, Fault, Mode, fault, invariants, mesh};
use crate::wait::{self, LIMIT};
use crate::{Node, control_plane, objects};

pub(super) const FAULTS: &[Fault] = &[
    fault!(etcd_killed, "SIGKILL for etcd while nodes join and leave"),
    fault!(etcd_down, "etcd is down for longer than the lease"),
    fault!(
        etcd_frozen,
        "SIGSTOP for etcd for some seconds: writes hang and are done later"
    ),
    fault!(
        etcd_restored,
        "etcd is set back to a snapshot from before nodes joined and left"
    ),
    fault!(
        node_forgotten,
        "etcd is set back to a snapshot from before a node with a machine joined"
    ),
];

const ETCD: &str = "etcd";
const API_SERVER: &str = "kube-apiserver";

async fn ready(arena: &Arena) -> Result<()> {
    let cluster = arena.cluster();
    control_plane::ready(&cluster.client(), cluster.router()).await
}

async fn etcd_killed(arena: &mut Arena) -> Result<()> {
    let joined = arena.join_bare(4).await?;
    let pause = arena.moment(Duration::from_secs(1)).await;
    arena.cluster().router().kill(ETCD).await?;
    arena.did(format!("killed after {pause:?}"));
    ready(arena).await?;
    arena.leave_bare(&joined[..2]).await
}

async fn etcd_down(arena: &mut Arena) -> Result<()> {
    let joined = arena.join_bare(3).await?;
    arena.moment(Duration::from_millis(500)).await;
    arena.cluster().router().halt(ETCD).await?;
    tokio::time::sleep(Duration::from_secs(LEASE)).await;
    let pause = arena.moment(Duration::from_secs(4)).await;
    arena.cluster().router().start_again(ETCD).await?;
    arena.did(format!("down for {LEASE} s and {pause:?}"));
    ready(arena).await?;
    arena.leave_bare(&joined[..1]).await
}

async fn etcd_frozen(arena: &mut Arena) -> Result<()> {
    let joined = arena.join_bare(4).await?;
    arena.moment(Duration::from_millis(300)).await;
    arena.cluster().router().signal(ETCD, Signal::STOP).await?;
    let pause = arena.moment(Duration::from_secs(9)).await;
    arena.cluster().router().signal(ETCD, Signal::CONT).await?;
    arena.did(format!("frozen for {pause:?}"));
    ready(arena).await?;
    arena.leave_bare(&joined[..2]).await
}

async fn etcd_restored(arena: &mut Arena) -> Result<()> {
    let (stay, leave) = (arena.choose(1..=3), arena.choose(1..=3));
    let early = arena.join_bare(stay + leave).await?;
    invariants::routed(arena.cluster()).await?;
    snapshot(arena).await?;

    arena.leave_bare(&early[..leave]).await?;
    let joined = arena.choose(1..=4);
    arena.join_bare(joined).await?;
    let leads = change_leader(arena).await?;
    invariants::routed(arena.cluster()).await?;

    grow_old(arena).await?;
    let begin = Instant::now();
    restore(arena).await?;
    // Those that left are there again, and those that joined since are not.
    arena.set_bare(early);
    arena.did(format!(
        "set back, {:.1} s without API server, to before {leave} nodes left and {joined} joined; {leads}",
        begin.elapsed().as_secs_f32()
    ));
    Ok(())
}

async fn node_forgotten(arena: &mut Arena) -> Result<()> {
    const NODE: &str = "node-forgotten";
    // In the way of the block that the node had, so that it gets another one.
    let early = arena.choose(0..=2);
    let early = arena.join_bare(early).await?;
    snapshot(arena).await?;
    let joined = arena.choose(0..=2);
    arena.join_bare(joined).await?;
    arena.cluster().add_node(NODE).await?;
    arena.back(NODE).await?;
    let before = objects::allocated(arena.cluster(), NODE).await?;
    invariants::routed(arena.cluster()).await?;

    // Its pods are forgotten with it.
    arena.excuse(NODE).await?;
    grow_old(arena).await?;
    restore(arena).await?;
    arena.set_bare(early);
    let cluster = arena.cluster();
    cluster.wait_registered(&[NODE], LIMIT).await?;
    cluster.wait_ready(&[NODE], LIMIT).await?;
    let after = objects::allocated(cluster, NODE).await?;
    configured(&*cluster.node(NODE)?, &after).await?;
    arena.back(NODE).await?;
    arena.did(format!("a node had {before:?} and has {after:?}"));
    arena.excuse(NODE).await?;
    arena.cluster().delete_pod(&mesh::pod_name(NODE)).await?;
    arena.cluster().remove_node(NODE).await
}

/// Waits until the pods of a node get addresses from its pod CIDRs.
async fn configured(node: &Node, cidrs: &[IpNet]) -> Result<()> {
    let what = format!("the network configuration of {}", node.name());
    wait::until(&what, LIMIT, async || {
        let folder = node.path("/etc/cni/net.d");
        let files = std::fs::read_dir(folder)?.flatten();
        let texts: Vec<String> = files
            .filter_map(|file| std::fs::read_to_string(file.path()).ok())
            .collect();
        for cidr in cidrs {
            let cidr = cidr.to_string();
            ensure!(
                texts.iter().any(|text| text.contains(&cidr)),
                "{cidr} is not in {texts:?}"
            );
        }
        Ok(())
    })
    .await
}

/// Lets the store grow older by many versions that have nothing to do with nodes: a snapshot is
/// normally hours old, and a watch from before it is restored waits for what will not come for hours.
async fn grow_old(arena: &Arena) -> Result<()> {
    const VERSIONS: u32 = 1_000;
    const AT_ONCE: usize = 16;
    let maps: Api<ConfigMap> = Api::default_namespaced(arena.cluster().client());
    let create = PostParams::default();
    let versions = stream::iter(0..VERSIONS).map(|number| {
        let map = ConfigMap {
            metadata: ObjectMeta {
                generate_name: Some(format!("version-{number}-")),
                ..ObjectMeta::default()
            },
            ..ConfigMap::default()
        };
        let (maps, create) = (&maps, &create);
        async move { maps.create(create, &map).await.map(drop) }
    });
    let written: Vec<()> = versions.buffer_unordered(AT_ONCE).try_collect().await?;
    ensure!(written.len() == usize::try_from(VERSIONS)?);
    Ok(())
}

/// Lets another process lead, or not, and says so. The one that the snapshot names may live on.
async fn change_leader(arena: &mut Arena) -> Result<&'static str> {
    let leader = arena.leader().await?;
    match arena.choose(0..=2) {
        0 => Ok("the same one led"),
        1 => {
            leader.kill(arena.cluster()).await?;
            arena.successor(&leader).await?;
            Ok("another one led, the one before was killed")
        }
        _ => {
            leader.reach_api(Mode::Refuse).await?;
            arena.successor(&leader).await?;
            leader.reach_api(Mode::Pass { delay: 0 }).await?;
            Ok("another one led, the one before was alive")
        }
    }
}

/// Copies etcd's data, frozen so that the copy is of one moment, as after a power cut.
async fn snapshot(arena: &Arena) -> Result<()> {
    let router = arena.cluster().router();
    let (data, copy) = folders(arena);
    remove(&copy).await?;
    router.signal(ETCD, Signal::STOP).await?;
    let copied = run(&["cp", "-a", &data, &copy]).await;
    router.signal(ETCD, Signal::CONT).await?;
    copied
}

/// Sets etcd back to the copy. Those of Kubernetes' programs that rely on a version that never goes
/// back are started anew, as its manual says; Signpost's are not.
async fn restore(arena: &Arena) -> Result<()> {
    let cluster = arena.cluster();
    let router = cluster.router();
    router.halt(API_SERVER).await?;
    router.halt(ETCD).await?;
    let (data, copy) = folders(arena);
    remove(&data).await?;
    run(&["mv", &copy, &data]).await?;
    router.start_again(ETCD).await?;
    router.start_again(API_SERVER).await?;
    ready(arena).await?;
    for service in ["kube-controller-manager", "kube-scheduler"] {
        router.kill(service).await?;
    }
    for node in cluster.nodes() {
        for service in ["kubelet", "kube-proxy"] {
            node.machine().kill(service).await?;
        }
    }
    let control = cluster.control_plane_node()?;
    control.machine().kill("kubelet").await?;
    Ok(())
}

fn folders(arena: &Arena) -> (String, String) {
    let data = control_plane::etcd_folder(&arena.cluster().parts);
    let copy = data.with_extension("copy");
    (data.display().to_string(), copy.display().to_string())
}

async fn remove(folder: &str) -> Result<()> {
    run(&["rm", "-rf", folder]).await
}

async fn run(argv: &[&str]) -> Result<()> {
    let status = Command::new(argv[0]).args(&argv[1..]).status().await;
    let status = status.with_context(|| argv.join(" "))?;
    ensure!(status.success(), "{} failed: {status}", argv.join(" "));
    Ok(())
}
