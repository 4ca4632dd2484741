//! One node more in a large cluster: from the moment the API server receives its registration until
//! its pod CIDR is written, its route is in the kernel, and its status says so.
//!
//! The API server's audit log and `ip monitor` are the witnesses.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use crate::audit::Request;
use crate::program::Program;
use crate::report::{Against, Report, Row};
use crate::steady::{start_manager, start_ours};
use crate::world::{MANAGER, OURS, World, say};
use crate::{Options, nodes};

/// How often both take turns.
const TURNS: u32 = 2;
/// Nodes that join one after the other in each turn.
const JOINING: u32 = 10;
/// Between two of them, so that one is not the other's load.
const PAUSE: Duration = Duration::from_millis(300);
/// How often the witnesses are asked.
const LOOK: Duration = Duration::from_millis(25);
/// How long one may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Milliseconds of each node.
#[derive(Debug, Default)]
struct Taken {
    pod_cidr: Vec<f64>,
    route: Vec<f64>,
    status: Vec<f64>,
}

pub(crate) async fn measure(options: &Options, world: &World, report: &mut Report) -> Result<()> {
    let size = options.many();
    let (mut ours, mut peer) = (Taken::default(), Taken::default());
    let turns = options.rounds().min(TURNS);
    for turn in 0..turns {
        say(&format!(
            "one node joins {size}, turn {} of {turns}",
            turn + 1
        ));
        let program = start_ours(world).await?;
        joins(world, size, OURS, &mut ours).await?;
        program.stop()?;
        let program = start_manager(world).await?;
        joins(world, size, MANAGER, &mut peer).await?;
        program.stop()?;
    }
    let mut row = |work: &str, ours: &[f64], against| {
        let work = format!("one node joins {size}: {work}");
        report.add(Row::new(work, "ms", ours, against, None));
    };
    row("pod CIDR", &ours.pod_cidr, Against::Peer(&peer.pod_cidr));
    row("pod CIDR and route", &ours.route, Against::Bound(100.0));
    row("status says routed", &ours.status, Against::Nothing);
    Ok(())
}

async fn joins(world: &World, size: u32, user: &str, taken: &mut Taken) -> Result<()> {
    let routes = (user == OURS).then(|| Routes::watch(world)).transpose()?;
    tokio::time::sleep(PAUSE).await;
    for number in size..size + JOINING {
        join(world, number, user, routes.as_ref(), taken)
            .await
            .with_context(|| format!("{} joins, served by {user}", nodes::name(number)))?;
        tokio::time::sleep(PAUSE).await;
    }
    for number in size..size + JOINING {
        nodes::delete_one(&world.client, number).await?;
    }
    world.rest().await;
    Ok(())
}

async fn join(
    world: &World,
    number: u32,
    user: &str,
    routes: Option<&Routes>,
    taken: &mut Taken,
) -> Result<()> {
    let mut audit = world.audit()?;
    let name = nodes::name(number);
    nodes::create_one(&world.client, number).await?;
    let begun = Instant::now();
    let mut seen: Vec<Request> = Vec::new();
    loop {
        let new = audit.next()?;
        seen.extend(new.into_iter().filter(|request| {
            request.verb == "create" || (request.user == user && request.name == name)
        }));
        let route = match routes {
            Some(routes) => routes.added(number)?,
            None => None,
        };
        let first = |wanted: fn(&Request) -> bool| seen.iter().find(|request| wanted(request));
        let pod_cidr = first(Request::sets_pod_cidr);
        let status = first(|request| request.resource == "nodes/status" && request.code == 200);
        let complete = routes.is_none() || (route.is_some() && status.is_some());
        if let Some(pod_cidr) = pod_cidr.filter(|_| complete) {
            let created = first(|request| request.verb == "create" && request.resource == "nodes");
            let start = created
                .context("its creation is not in the audit log")?
                .received;
            let since = |time: SystemTime| -> Result<f64> {
                Ok(time.duration_since(start)?.as_secs_f64() * 1e3)
            };
            taken.pod_cidr.push(since(pod_cidr.answered)?);
            if let (Some(route), Some(status)) = (route, status) {
                taken.route.push(since(route)?);
                taken.status.push(since(status.answered)?);
            }
            return Ok(());
        }
        if begun.elapsed() > LONGEST {
            bail!("not within {LONGEST:?}; seen: {seen:?}, route: {route:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the kernel says about its routes, as `ip monitor` shows it.
struct Routes {
    log: PathBuf,
    _monitor: Program,
}

impl Routes {
    fn watch(world: &World) -> Result<Self> {
        let log = world.file("routes.log");
        let arguments = ["-tshort", "monitor", "route"].map(str::to_owned);
        let utc = [("TZ", "UTC".to_owned())];
        let monitor = Program::start("ip".as_ref(), &arguments, &utc, &log)?;
        Ok(Self {
            log,
            _monitor: monitor,
        })
    }

    /// When a route was added that leads to this node: since `from_now`, only one can.
    fn added(&self, number: u32) -> Result<Option<SystemTime>> {
        let via = format!(" via {} ", nodes::address(number));
        let text = fs::read_to_string(&self.log)?;
        let line = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n') && !line.contains("Deleted"))
            .find(|line| line.contains(&via));
        line.map(time).transpose()
    }
}

/// The time in `[2026-01-01T00:00:00.000000] 10.0.1.0/24 via …`.
fn time(line: &str) -> Result<SystemTime> {
    let time = line.strip_prefix('[').and_then(|line| line.split_once(']'));
    let (time, _) = time.with_context(|| format!("no time in {line:?}"))?;
    let time: MicroTime = serde_json::from_value(format!("{time}Z").into())
        .with_context(|| format!("no time in {line:?}"))?;
    Ok(time.0.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_monitors_time() {
        let line = "[1970-01-01T00:00:01.000250] 10.0.1.0/24 via 172.16.1.0 dev nodes0 proto 77 \n";
        let since = time(line).unwrap().duration_since(SystemTime::UNIX_EPOCH);
        assert_eq!(since.unwrap(), Duration::from_micros(1_000_250));
    }
}
