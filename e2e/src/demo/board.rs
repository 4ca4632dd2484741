//! The live table: each node, its pod CIDR, the routes to it, its state.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, stdout};
use std::pin::pin;
use std::time::Duration;

use anyhow::Result;

use super::shown;
use super::watched::{Seen, Watched};
use crate::Cluster;

/// How often the table is drawn anew while something happens.
const REFRESH: Duration = Duration::from_millis(200);

/// A table of nodes that is redrawn in place on a terminal, and printed once per stage elsewhere.
pub(super) struct Board<'a> {
    cluster: &'a Cluster,
    watched: Watched,
    live: bool,
}

impl<'a> Board<'a> {
    pub(super) async fn new(cluster: &'a Cluster) -> Result<Self> {
        let watched = Watched::start(cluster.client()).await?;
        Ok(Self {
            cluster,
            watched,
            live: stdout().is_terminal(),
        })
    }

    /// Shows the table while `work` is done, and as it is afterwards.
    pub(super) async fn follow<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let mut work = pin!(work);
        let mut drawn = 0;
        loop {
            let done = tokio::select! {
                result = &mut work => Some(result),
                () = tokio::time::sleep(REFRESH) => None,
            };
            if self.live || done.is_some() {
                let table = self.table().await?;
                if drawn > 0 {
                    // Up over what was drawn before, and clear it.
                    print!("\x1b[{drawn}A\x1b[J");
                }
                println!("{table}");
                drawn = table.lines().count() + 1;
            }
            if let Some(result) = done {
                return result;
            }
        }
    }

    async fn table(&self) -> Result<String> {
        let nodes = self.watched.nodes();
        let routes = shown::cells(self.cluster).await?;
        let times = routed(self.cluster);
        let headings = shown::headings(self.cluster);
        let none = vec!["-".to_owned(); headings.len()];
        let mut table = format!(
            "    {:<8} {}{:<16} {} {:<26} ROUTED IN\n",
            "NODE",
            self.zone("ZONE"),
            "POD CIDR",
            columns(headings),
            "STATE"
        );
        for (name, node) in &nodes {
            let cidr = node.pod_cidrs.first().map_or("-", String::as_str);
            let route = columns(routes.get(cidr).unwrap_or(&none));
            let took = times
                .get(name)
                .map_or("…".into(), |took| super::duration(*took));
            let state = state(node);
            let zone = self.zone(&self.zone_of(name));
            writeln!(
                table,
                "    {name:<8} {zone}{cidr:<16} {route} {state:<26} {took}"
            )?;
        }
        Ok(table)
    }

    /// A column that there is in a cloud only.
    fn zone(&self, text: &str) -> String {
        if self.cluster.is_in_a_cloud() {
            format!("{text:<5}")
        } else {
            String::new()
        }
    }

    fn zone_of(&self, name: &str) -> String {
        let node = self.cluster.node(name);
        node.map_or("-".into(), |node| format!("{:?}", node.link().zone()))
    }
}

fn columns<S: AsRef<str>>(cells: &[S]) -> String {
    // Room for a route by a next hop, or for an interface's id in each of two tables.
    let width = if cells.len() == 1 { 34 } else { 24 };
    let cells = cells
        .iter()
        .map(|cell| format!("{:<width$}", cell.as_ref()));
    cells.collect::<Vec<_>>().join(" ")
}

fn state(node: &Seen) -> String {
    let ready = if node.ready { "Ready" } else { "NotReady" };
    if node.reason.is_empty() {
        ready.into()
    } else {
        format!("{ready}, {}", node.reason)
    }
}

/// How long each node took from the controller's first sight of it until its route was read back, as
/// the controller logged it.
pub(super) fn routed(cluster: &Cluster) -> BTreeMap<String, Duration> {
    let log = cluster.controller().map(|controller| controller.log());
    let log = log.unwrap_or_default();
    let lines = log.lines().filter(|line| line.contains(" routed "));
    lines
        .filter_map(|line| {
            let field = |name| {
                line.split_whitespace()
                    .find_map(|word| word.strip_prefix(name))
            };
            let seconds: f64 = field("seconds=")?.parse().ok()?;
            Some((
                field("node=")?.to_owned(),
                Duration::try_from_secs_f64(seconds).ok()?,
            ))
        })
        .collect()
}
