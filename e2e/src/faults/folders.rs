//! A node's folder for network configurations, in which none can be written.

use std::fs;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;

use super::machines::{CONFIGURATION, CONFIGURATIONS, files};
use super::{Arena, Fault, fault};
use crate::PodSpec;
use crate::node::Node;
use crate::wait::{self, LIMIT};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        conflist_folder_missing,
        "a node's folder for network configurations is removed"
    ),
    fault!(
        conflist_folder_read_only,
        "a node's folder for network configurations cannot be written"
    ),
    fault!(
        conflist_folder_full,
        "a node's folder for network configurations has no room"
    ),
];

async fn conflist_folder_missing(arena: &mut Arena) -> Result<()> {
    let node = chosen(arena)?;
    fs::remove_dir_all(node.path(CONFIGURATIONS))?;
    configured_again(arena, &node, "the folder removed").await
}

async fn conflist_folder_read_only(arena: &mut Arena) -> Result<()> {
    let script =
        format!("rm {CONFIGURATIONS}/{CONFIGURATION}; mount -t tmpfs -o ro tmpfs {CONFIGURATIONS}");
    covered(arena, &script, "check that its folder is mounted writable").await
}

async fn conflist_folder_full(arena: &mut Arena) -> Result<()> {
    let script = format!(
        "rm {CONFIGURATIONS}/{CONFIGURATION}; mount -t tmpfs -o size=4k tmpfs {CONFIGURATIONS}
         head -c 4096 /dev/zero > {CONFIGURATIONS}/other"
    );
    covered(arena, &script, "make room in the file system of its folder").await
}

/// Removes the configuration and covers the folder with another one, in which none can be written. The
/// agent, which starts then, says so with the remedy, and writes once the cover is gone.
async fn covered(arena: &mut Arena, script: &str, remedy: &str) -> Result<()> {
    let node = chosen(arena)?;
    let agent = arena.cluster().agent(node.name())?;
    let since = Timestamp::now();
    node.machine().run(&["sh", "-c", script]).await?;
    // What a container that is just being made has of the node's mounts is not sure.
    agent.restart().await?;
    let said = wait::until("the agent to say why it cannot write", LIMIT, async || {
        let new = agent.log_since(since);
        ensure!(
            new.contains(CONFIGURATION) && new.contains(remedy),
            "it should say {remedy:?}: {new}"
        );
        Ok(())
    })
    .await;
    node.machine().run(&["umount", CONFIGURATIONS]).await?;
    said?;
    configured_again(arena, &node, remedy).await
}

fn chosen(arena: &mut Arena) -> Result<Arc<Node>> {
    let name = arena.choose_node()?;
    arena.cluster().node(&name)
}

/// Waits until the node has its configuration again, and a pod that comes is wired by it.
async fn configured_again(arena: &mut Arena, node: &Node, what: &str) -> Result<()> {
    let begin = Instant::now();
    wait::until("the agent to write the configuration", LIMIT, async || {
        let files = files(node, CONFIGURATIONS)?;
        ensure!(files == [CONFIGURATION], "there are {files:?}");
        Ok(())
    })
    .await?;
    let took = begin.elapsed();
    arena.did(format!(
        "{}: {what}; written after {:.1} s",
        node.name(),
        took.as_secs_f32()
    ));
    let spec = PodSpec::new("configured").on(node.name());
    let pod = arena.cluster().run_pod(spec).await?;
    let others = arena.cluster().nodes();
    let other = others.iter().find(|other| other.name() != node.name());
    let other = other.context("there is another node")?;
    arena.mesh().pod(other.name())?.ping(pod.address()?).await?;
    arena.cluster().delete_pod("configured").await
}
