//! The router's kernel: changed from what it was told last to what a plan says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use ipnet::IpNet;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::plan::{Devices, Exit, Plan, Way};

/// The check of sources and destinations, for whatever comes from and goes to an instance. Neighbour
/// discovery is between the two ends of a link.
const RULESET: &str = r#"
table inet vpc
delete table inet vpc
table inet vpc {
  set own4 { type ifname . ipv4_addr; }
  set own6 { type ifname . ipv6_addr; }
  set unchecked { type ifname; }
  chain sources {
    type filter hook prerouting priority raw
    iifname != "node*" accept
    ip6 saddr { ::, fe80::/10 } accept
    iifname @unchecked accept
    iifname . ip saddr @own4 accept
    iifname . ip6 saddr @own6 accept
    counter drop
  }
  chain destinations {
    type filter hook forward priority raw
    oifname != "node*" accept
    oifname @unchecked accept
    oifname . ip daddr @own4 accept
    oifname . ip6 daddr @own6 accept
    counter drop
  }
}
"#;
/// Preference of the rules by which a subnet's table decides.
const LOOKUP: u32 = 100;
/// Preference of the rules by which nothing decides after it.
const NOTHING_ELSE: u32 = 200;

/// The kernel of the network namespace that the calling thread is in.
pub(super) struct Kernel {
    told: Plan,
    dual_stack: bool,
    search_path: String,
    /// What it was told may not be what it did.
    in_doubt: bool,
}

impl Kernel {
    /// Takes charge of a kernel that was told nothing yet.
    pub(super) fn new(dual_stack: bool, search_path: &str) -> Self {
        Self {
            told: Plan::default(),
            dual_stack,
            search_path: search_path.to_owned(),
            in_doubt: true,
        }
    }

    /// Makes the kernel do as `plan` says. After an error the next call tells it everything anew.
    pub(super) async fn follow(&mut self, plan: Plan, devices: &Devices) -> Result<()> {
        if self.in_doubt {
            self.forget().await?;
        }
        self.in_doubt = true;
        let sets = sets(&self.told, &plan);
        if !sets.is_empty() {
            self.run("nft", &["-f", "-"], &sets).await?;
        }
        for v4 in [true, false] {
            let commands = self.commands(&plan, devices, v4);
            if !commands.is_empty() && (v4 || self.dual_stack) {
                let family = if v4 { "-4" } else { "-6" };
                self.run("ip", &[family, "-batch", "-"], &commands).await?;
            }
        }
        self.told = plan;
        self.in_doubt = false;
        Ok(())
    }

    /// Removes everything that it may have been told.
    async fn forget(&mut self) -> Result<()> {
        self.run("nft", &["-f", "-"], RULESET).await?;
        let told = std::mem::take(&mut self.told);
        let tables: BTreeSet<u32> = told.routes.keys().map(|(table, _)| *table).collect();
        let families: &[&str] = if self.dual_stack {
            &["-4", "-6"]
        } else {
            &["-4"]
        };
        for family in families {
            for pref in [LOOKUP, NOTHING_ELSE] {
                let pref = pref.to_string();
                // It says so when there is no other left.
                while self
                    .run("ip", &[family, "rule", "delete", "pref", &pref], "")
                    .await
                    .is_ok()
                {}
            }
            for table in &tables {
                let table = table.to_string();
                // A table without routes does not exist.
                drop(
                    self.run("ip", &[family, "route", "flush", "table", &table], "")
                        .await,
                );
            }
        }
        Ok(())
    }

    /// Lines for `ip -batch`.
    fn commands(&self, plan: &Plan, devices: &Devices, v4: bool) -> String {
        let mut lines = String::new();
        let told = &self.told;
        let same_family = |to: &IpNet| to.addr().is_ipv4() == v4;
        for ((table, to), way) in plan.routes.iter().filter(|((_, to), _)| same_family(to)) {
            if told.routes.get(&(*table, *to)) != Some(way) {
                line(
                    &mut lines,
                    format_args!("route replace table {table} {}", route(*to, way)),
                );
            }
        }
        let is_there = |exit: &Exit| devices.get(&exit.device) == Some(&exit.index);
        let gone = told
            .routes
            .iter()
            .filter(|(key, _)| !plan.routes.contains_key(key));
        for ((table, to), way) in gone.filter(|((_, to), _)| same_family(to)) {
            let kernel_has_it = match way {
                Way::Drop => true,
                // Routes go with their device.
                Way::Out(exit) => is_there(exit),
                Way::Spread(exits) => exits.iter().any(is_there),
            };
            if kernel_has_it {
                line(
                    &mut lines,
                    format_args!("route delete table {table} {}", route(*to, way)),
                );
            }
        }
        for (device, table) in &plan.rules {
            let before = told.rules.get(device);
            if before != Some(table) {
                line(
                    &mut lines,
                    format_args!("rule add pref {LOOKUP} iif {device} lookup {table}"),
                );
            }
            if before.is_none() {
                line(
                    &mut lines,
                    format_args!("rule add pref {NOTHING_ELSE} iif {device} blackhole"),
                );
            }
        }
        for (device, table) in &told.rules {
            let now = plan.rules.get(device);
            if now != Some(table) {
                line(
                    &mut lines,
                    format_args!("rule delete pref {LOOKUP} iif {device} lookup {table}"),
                );
            }
            if now.is_none() {
                line(
                    &mut lines,
                    format_args!("rule delete pref {NOTHING_ELSE} iif {device} blackhole"),
                );
            }
        }
        lines
    }

    async fn run(&self, program: &str, arguments: &[&str], input: &str) -> Result<()> {
        let shown = || format!("{program} {}", arguments.join(" "));
        let mut child = Command::new(program)
            .args(arguments)
            .env("PATH", &self.search_path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(shown)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin
                .write_all(input.as_bytes())
                .await
                .with_context(shown)?;
        }
        let output = child.wait_with_output().await.with_context(shown)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{} failed: {}\nits input:\n{input}",
            shown(),
            said.trim()
        );
        Ok(())
    }
}

fn line(lines: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(lines, "{line}");
}

/// A route as `ip route` takes it, without its table.
fn route(to: IpNet, way: &Way) -> String {
    match way {
        Way::Drop => format!("blackhole {to}"),
        Way::Out(exit) => format!("{to} {}", out(exit)),
        Way::Spread(exits) => {
            let hops: Vec<String> = exits
                .iter()
                .map(|exit| format!("nexthop {}", out(exit)))
                .collect();
            format!("{to} {}", hops.join(" "))
        }
    }
}

fn out(exit: &Exit) -> String {
    match exit.via {
        None => format!("dev {}", exit.device),
        Some(via) => format!("via {via} dev {} onlink", exit.device),
    }
}

/// One transaction for nft that turns the sets of one plan into those of another; empty if they are
/// the same.
fn sets(from: &Plan, to: &Plan) -> String {
    let mut text = String::new();
    let mut change = |verb: &str, a: &Plan, b: &Plan| {
        for (device, address) in a.own.difference(&b.own) {
            let set = match address {
                IpAddr::V4(_) => "own4",
                IpAddr::V6(_) => "own6",
            };
            line(
                &mut text,
                format_args!("{verb} element inet vpc {set} {{ \"{device}\" . {address} }}"),
            );
        }
        for device in a.unchecked.difference(&b.unchecked) {
            line(
                &mut text,
                format_args!("{verb} element inet vpc unchecked {{ \"{device}\" }}"),
            );
        }
    };
    change("delete", from, to);
    change("add", to, from);
    text
}
