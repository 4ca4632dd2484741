//! A large cluster whose nodes all have their pod CIDR and route: what joins it, and what it costs
//! while nothing happens. The controller is the router, in the kernel of the network namespace.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::json;

use crate::program::Program;
use crate::report::Report;
use crate::world::{MANAGER, Manager, OURS, World, say};
use crate::{Options, Subject, agents, idle, join, nodes};

/// How long it may take until a program has nothing left to do.
const SETTLED: Duration = Duration::from_secs(180);
/// Without a write for so long it has nothing left to do.
const SILENCE: Duration = Duration::from_secs(2);
/// How often the audit log is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Number of the node by which is seen that a program works; its address is still on the link.
const PROBE: u32 = 60_000;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let world = World::start(json!({"provider": "linux"})).await?;
    let size = options.many();
    say(&format!("{size} nodes get their routes"));
    nodes::create(&world.client, size).await?;
    start_ours(&world).await?.stop()?;
    nodes::check(&world.client, size).await?;
    if options.wants(Subject::Join) {
        join::measure(options, &world, report).await?;
    }
    if options.wants(Subject::Idle) {
        let ours = start_ours(&world).await?;
        // Ours serves the probe; the incumbent has nothing to do.
        let manager = world.start_manager(Manager::AsShipped)?;
        world.rest().await;
        idle::measure(options, &world, [&ours, &manager], report).await?;
        manager.stop()?;
        ours.stop()?;
    }
    if options.wants(Subject::Agents) {
        agents::measure(options, &world, report).await?;
    }
    Ok(())
}

/// Starts the controller and waits until it has nothing left to do.
pub(crate) async fn start_ours(world: &World) -> Result<Program> {
    settled(world, world.start_ours()?, OURS).await
}

/// Starts the incumbent and waits until it has nothing left to do.
pub(crate) async fn start_manager(world: &World) -> Result<Program> {
    settled(world, world.start_manager(Manager::LimitsLifted)?, MANAGER).await
}

/// Creates one node more, waits until it is served and nothing is written any more, and deletes it.
async fn settled(world: &World, mut program: Program, user: &str) -> Result<Program> {
    let probe = nodes::name(PROBE);
    let mut audit = world.audit()?;
    nodes::create_one(&world.client, PROBE).await?;
    let begun = Instant::now();
    let mut last_write = begun;
    let mut served = false;
    while !served || last_write.elapsed() < SILENCE {
        tokio::time::sleep(LOOK).await;
        program.check_alive()?;
        for request in audit.next()? {
            if request.user == user && request.verb == "patch" {
                last_write = Instant::now();
                served |= request.sets_pod_cidr() && request.name == probe;
            }
        }
        if begun.elapsed() > SETTLED {
            let log = program.log_tail();
            bail!("{user} did not settle in {SETTLED:?}\n{log}");
        }
    }
    nodes::delete_one(&world.client, PROBE).await?;
    world.rest().await;
    Ok(program)
}
