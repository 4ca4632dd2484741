//! Programs of a node that are killed, and nodes that are cut off or rebooted.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;

use super::{Arena, Fault, fault, mesh};
use crate::identity::PLUGIN;
use crate::wait::{self, LIMIT};
use crate::{Cluster, Pod, PodSpec, routes};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        kubelet_killed,
        "SIGKILL for a node's kubelet while pods come and go there"
    ),
    fault!(
        containerd_killed,
        "SIGKILL for a node's containerd while pods come and go there"
    ),
    fault!(
        plugin_killed,
        "SIGKILL for the CNI plugin, again and again, while pods come and go on a node"
    ),
    fault!(
        agent_killed,
        "SIGKILL for a node's agent, again and again, while pods come and go there"
    ),
    fault!(
        node_cut_off,
        "a node's link goes down, and up again after a moment"
    ),
    fault!(
        node_rebooted,
        "a node's namespaces end with all that runs in them, and it boots again"
    ),
];

/// Pods that come and go on a node while something happens to it.
struct Churn {
    names: Vec<String>,
}

impl Churn {
    /// Some pods that run, and some more that have just been created.
    async fn begin(arena: &mut Arena, node: &str) -> Result<Self> {
        let count = arena.choose(1..=3);
        let names = |kind: &str| -> Vec<String> {
            (0..count)
                .map(|number| format!("{kind}-{number}"))
                .collect()
        };
        let (here, coming) = (names("here"), names("coming"));
        let cluster = arena.cluster();
        let running = here
            .iter()
            .map(|name| cluster.run_pod(PodSpec::new(name).on(node)));
        try_join_all(running).await?;
        for name in &coming {
            cluster.create_pod(&PodSpec::new(name).on(node)).await?;
        }
        // Half of those that run go while the others come.
        let (leaving, staying) = here.split_at(count.div_ceil(2));
        for name in leaving {
            cluster.request_deletion(name).await?;
        }
        arena.did(format!(
            "{count} pods come to {node} as {} go",
            leaving.len()
        ));
        Ok(Self {
            names: staying.iter().chain(&coming).cloned().collect(),
        })
    }

    /// Whoever stayed or came is reachable from another node; then they go too.
    async fn end(self, arena: &Arena, node: &str) -> Result<()> {
        let cluster = arena.cluster();
        let pods = self.names.iter().map(|name| cluster.pod(name));
        let pods = try_join_all(pods).await?;
        let others = cluster.nodes();
        let others = others.iter().filter(|other| other.name() != node);
        let from: Vec<&Pod> = others
            .map(|other| arena.mesh().pod(other.name()))
            .collect::<Result<_>>()?;
        for pod in &pods {
            for other in &from {
                other.ping(pod.address()?).await?;
            }
        }
        let deletions = self.names.iter().map(|name| cluster.delete_pod(name));
        try_join_all(deletions).await.map(drop)
    }
}

/// Kills a service of a node while pods come and go.
async fn kill(arena: &mut Arena, service: &str) -> Result<()> {
    let name = arena.choose_node()?;
    let churn = Churn::begin(arena, &name).await?;
    let pause = arena.moment(Duration::from_millis(900)).await;
    let cluster = arena.cluster();
    let before = restarts(cluster, &name, service).await?;
    cluster.node(&name)?.machine().kill(service).await?;
    arena.did(format!("killed after {pause:?}"));
    wait::until(&format!("{service} to run again"), LIMIT, async || {
        let restarts = restarts(arena.cluster(), &name, service).await?;
        ensure!(restarts > before, "it was started again {restarts} times");
        Ok(())
    })
    .await?;
    churn.end(arena, &name).await
}

async fn restarts(cluster: &Cluster, node: &str, service: &str) -> Result<u32> {
    let services = cluster.node(node)?.machine().services().await?;
    let service = services.get(service).context("there is such a service")?;
    Ok(service.restarts)
}

async fn kubelet_killed(arena: &mut Arena) -> Result<()> {
    kill(arena, "kubelet").await
}

async fn containerd_killed(arena: &mut Arena) -> Result<()> {
    kill(arena, "containerd").await
}

async fn agent_killed(arena: &mut Arena) -> Result<()> {
    let name = arena.choose_node()?;
    let churn = Churn::begin(arena, &name).await?;
    for time in 1..=3 {
        let pause = arena.moment(Duration::from_millis(900)).await;
        arena.cluster().agent(&name)?.restart().await?;
        arena.did(format!("killed after {pause:?} ({time})"));
    }
    churn.end(arena, &name).await
}

async fn plugin_killed(arena: &mut Arena) -> Result<()> {
    let name = arena.choose_node()?;
    let node = arena.cluster().node(&name)?;
    let (plugin, moved) = (format!("/opt/cni/bin/{PLUGIN}"), format!("/run/{PLUGIN}"));
    // Each of these calls gets that many microseconds to live; a call takes some thousand.
    let lives: Vec<String> = (0..arena.choose(1..=4))
        .map(|_| format!("0.{:06}", arena.choose(300..=6000)))
        .collect();
    // In the place of the plugin stands a program that cuts its first calls short.
    let script = format!(
        "#!/bin/sh
         for life in {}; do
           mkdir /run/cut-$life 2> /dev/null && exec timeout --signal KILL $life {moved}
         done
         exec {moved}",
        lives.join(" ")
    );
    let replace = format!(
        "cp {plugin} {moved} && cat > {plugin}.cut && chmod +x {plugin}.cut && mv {plugin}.cut {plugin}"
    );
    let machine = node.machine();
    machine
        .run_with_input(&["sh", "-c", &replace], &script)
        .await?;
    let churn = Churn::begin(arena, &name).await;
    let ended = match churn {
        Ok(churn) => churn.end(arena, &name).await,
        Err(error) => Err(error),
    };
    let cut = machine
        .run(&[
            "sh",
            "-c",
            "ls -d /run/cut-* 2> /dev/null | wc -l; rm -rf /run/cut-*",
        ])
        .await?;
    arena.did(format!("{} calls cut, of {lives:?} seconds", cut.trim()));
    machine.run(&["mv", &moved, &plugin]).await?;
    ended
}

async fn node_cut_off(arena: &mut Arena) -> Result<()> {
    let name = arena.choose_node()?;
    let node = arena.cluster().node(&name)?;
    let before = routes::ours(arena.cluster()).await?;
    arena.excuse(&name).await?;
    let router = arena.cluster().router();
    let device = node.link().router_device();
    router.run(&["ip", "link", "set", &device, "down"]).await?;
    let pause = arena.moment(Duration::from_secs(4)).await;
    let router = arena.cluster().router();
    router.run(&["ip", "link", "set", &device, "up"]).await?;
    let begin = std::time::Instant::now();
    wait::until("the node's route to be there again", LIMIT, async || {
        let ours = routes::ours(arena.cluster()).await?;
        ensure!(ours == before, "routes were {before:?}, they are {ours:?}");
        Ok(())
    })
    .await?;
    arena.did(format!(
        "{name} down for {pause:?}, its route back after {} ms",
        begin.elapsed().as_millis()
    ));
    arena.back(&name).await
}

async fn node_rebooted(arena: &mut Arena) -> Result<()> {
    let name = arena.choose_node()?;
    let pod = mesh::pod_name(&name);
    // One pod more, which ends with the node.
    let cluster = arena.cluster();
    cluster.run_pod(PodSpec::new("reboots").on(&name)).await?;
    arena.excuse(&name).await?;
    let cluster = arena.cluster();
    let begin = std::time::Instant::now();
    cluster.reboot(&name).await?;
    let booted = begin.elapsed();
    // The API server has them as they were before, until the kubelet says otherwise: containers that
    // are not there.
    wait::until("the node's pods to run again", LIMIT * 2, async || {
        for name in [&pod, "reboots"] {
            cluster.pod_now(name).await?.exec(&["true"]).await?;
        }
        Ok(())
    })
    .await?;
    let again = begin.elapsed();
    cluster.delete_pod("reboots").await?;
    cluster.wait_ready(&[&name], LIMIT).await?;
    arena.did(format!(
        "{name} booted after {:.1} s, its pods ran after {:.1} s",
        booted.as_secs_f32(),
        again.as_secs_f32()
    ));
    arena.back(&name).await
}
