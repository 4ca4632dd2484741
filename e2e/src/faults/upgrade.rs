//! Signpost is upgraded from the version before, and set back to it: by the images' tags, as users do it.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use kube::api::Api;

use super::{Arena, Fault, fault, invariants};
use crate::identity::{AGENT, CONTROLLER, NAMESPACE};
use crate::wait::{self, LIMIT};
use crate::{PodSpec, objects};

pub(super) const FAULTS: &[Fault] = &[
    fault!(
        controllers_upgraded,
        "One replica after the other runs the version before, and then this one again"
    ),
    fault!(
        agents_upgraded,
        "All agents run the version before, and then this one again, while pods come and go"
    ),
];

/// What packs the version before.
const SCRIPT: &str = "scripts/images/previous.sh";
const VERSIONS: [&str; 2] = ["previous", env!("CARGO_PKG_VERSION")];

async fn controllers_upgraded(arena: &mut Arena) -> Result<()> {
    let node = arena.cluster().control_plane_node()?;
    node.import(&previous(CONTROLLER).await?).await?;
    let deployments: Api<Deployment> = Api::namespaced(arena.cluster().client(), NAMESPACE);
    for version in VERSIONS {
        for replica in arena.replicas().to_vec() {
            let joined = arena.join_bare(2).await?;
            let object = format!("deployment/{}", replica.service());
            set_image(arena, &object, "controller", CONTROLLER, version).await?;
            let what = format!("{} to be {version}", replica.service());
            wait::until(&what, LIMIT, async || {
                let deployment = deployments.get(replica.service()).await?;
                let status = deployment.status.context("it has a status")?;
                ensure!(
                    status.observed_generation == deployment.metadata.generation
                        && status.updated_replicas == Some(1)
                        && status.available_replicas == Some(1)
                        && status.terminating_replicas.unwrap_or_default() == 0,
                    "{status:?}"
                );
                Ok(())
            })
            .await?;
            arena.leave_bare(&joined[..1]).await?;
        }
        invariants::routed(arena.cluster()).await?;
        // Whichever version wrote it, it is read.
        let routed = objects::status_number(arena.cluster(), "/nodes/routed").await?;
        arena.did(format!("all {version}, {routed} nodes routed"));
    }
    Ok(())
}

async fn agents_upgraded(arena: &mut Arena) -> Result<()> {
    let archive = previous(AGENT).await?;
    for node in arena.cluster().nodes() {
        node.import(&archive).await?;
    }
    let daemons: Api<DaemonSet> = Api::namespaced(arena.cluster().client(), NAMESPACE);
    grant_what_previous_agents_need(arena).await?;
    for version in VERSIONS {
        set_image(
            arena,
            &format!("daemonset/{AGENT}"),
            "agent",
            AGENT,
            version,
        )
        .await?;
        let name = arena.choose_node()?;
        let spec = PodSpec::new("upgraded").on(&name);
        arena.cluster().run_pod(spec).await?;
        let what = format!("all agents to be {version}");
        wait::until(&what, LIMIT * 2, async || {
            let daemon = daemons.get(AGENT).await?;
            let status = daemon.status.context("it has a status")?;
            let all = Some(status.desired_number_scheduled);
            ensure!(
                status.observed_generation == daemon.metadata.generation
                    && status.updated_number_scheduled == all
                    && status.number_available == all,
                "{status:?}"
            );
            Ok(())
        })
        .await?;
        let pod = arena.cluster().pod("upgraded").await?;
        for node in arena.cluster().nodes() {
            let other = arena.mesh().pod(node.name())?;
            other.ping(pod.address()?).await?;
        }
        arena.cluster().delete_pod("upgraded").await?;
        let pause = arena.moment(Duration::from_secs(1)).await;
        arena.did(format!("all {version}, and {pause:?} later"));
    }
    Ok(())
}

/// The version before follows the `PodNetwork` itself, which its own manifests allow.
async fn grant_what_previous_agents_need(arena: &Arena) -> Result<()> {
    let name = format!("{AGENT}-previous");
    let account = format!("--serviceaccount={NAMESPACE}:{AGENT}");
    let role = [
        "create",
        "clusterrole",
        &name,
        "--verb=list,watch",
        "--resource=podnetworks.signpost.dev",
    ];
    let bound = format!("--clusterrole={name}");
    let binding = ["create", "clusterrolebinding", &name, &bound, &account];
    for object in [role, binding] {
        // A round before this one may have made it.
        let get = ["get", object[1], object[2], "--ignore-not-found", "-o=name"];
        if arena.cluster().kubectl(&get).await?.is_empty() {
            arena.cluster().kubectl(&object).await?;
        }
    }
    Ok(())
}

/// The archive of a program's image of the version before.
async fn previous(program: &str) -> Result<PathBuf> {
    let packed = tokio::task::spawn_blocking(|| {
        let script = signpost_testing::repository()?.join(SCRIPT);
        Ok::<_, anyhow::Error>(Command::new(script).output()?)
    });
    let packed = packed.await?.with_context(|| format!("running {SCRIPT}"))?;
    let said = String::from_utf8_lossy(&packed.stderr);
    ensure!(packed.status.success(), "{SCRIPT} failed: {said}");
    let folder = String::from_utf8(packed.stdout)?;
    Ok(PathBuf::from(folder.trim()).join(format!("{program}.tar")))
}

async fn set_image(
    arena: &Arena,
    object: &str,
    container: &str,
    image: &str,
    version: &str,
) -> Result<()> {
    let image = format!("{container}=localhost/{image}:{version}");
    let set = ["-n", NAMESPACE, "set", "image", object, &image];
    arena.cluster().kubectl(&set).await.map(drop)
}
