//! FORWARD chains of the legacy `iptables`, which the kernel keeps apart from nftables.
//!
//! There is no netlink interface to them, so the `iptables` program is called, and only if such a
//! table exists and its FORWARD policy is DROP.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use signpost_netlink::Family;
use tracing::info;

/// Comment of the rules that this agent has added.
const MARK: &str = "signpost";

/// Lets packets from and to `pods` pass the legacy FORWARD chains that drop by policy.
pub fn ensure(pods: &[IpNet]) -> anyhow::Result<()> {
    for (family, names, programs) in [
        (
            Family::V4,
            "ip_tables_names",
            ["iptables-legacy", "iptables"],
        ),
        (
            Family::V6,
            "ip6_tables_names",
            ["ip6tables-legacy", "ip6tables"],
        ),
    ] {
        // The file does not exist where the kernel lacks the legacy variant.
        let tables = fs::read_to_string(format!("/proc/thread-self/net/{names}"));
        if tables.is_ok_and(|tables| tables.lines().any(|table| table == "filter")) {
            let pods: Vec<_> = pods
                .iter()
                .filter(|pods| Family::of(pods.addr()) == family)
                .collect();
            accept(legacy_program(programs)?, &pods)?;
        }
    }
    Ok(())
}

/// The first of the programs that is there and works on the legacy tables.
fn legacy_program(programs: [&'static str; 2]) -> anyhow::Result<&'static str> {
    for program in programs {
        match Command::new(program).arg("--version").output() {
            Ok(output) if String::from_utf8_lossy(&output.stdout).contains("legacy") => {
                return Ok(program);
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("run {program}")),
        }
    }
    bail!(
        "the node has legacy iptables tables, but no {} to look into them: install it, or see to it \
         that their FORWARD policy is ACCEPT",
        programs[0]
    )
}

fn accept(program: &str, pods: &[&IpNet]) -> anyhow::Result<()> {
    let listing = run(program, "-S FORWARD")?;
    if !listing.lines().any(|line| line == "-P FORWARD DROP") {
        return Ok(());
    }
    let (stale, missing) = difference(&listing, pods);
    for rule in &stale {
        run(program, &format!("-D {rule}"))?;
    }
    for rule in &missing {
        run(program, &format!("-A {rule}"))?;
    }
    if !missing.is_empty() {
        let rules = missing.len();
        info!(
            program,
            rules, "the policy of FORWARD is DROP: added rules that accept pod traffic"
        );
    }
    Ok(())
}

/// What to delete from the chain and what to append to it, as `iptables -S` prints rules.
fn difference(listing: &str, pods: &[&IpNet]) -> (Vec<String>, Vec<String>) {
    let wanted: Vec<String> = pods
        .iter()
        .flat_map(|pods| {
            ["-s", "-d"]
                .map(|side| format!("FORWARD {side} {pods} -m comment --comment {MARK} -j ACCEPT"))
        })
        .collect();
    let mark = format!("-m comment --comment {MARK} -j ACCEPT");
    let present: BTreeSet<String> = listing
        .lines()
        .filter_map(|line| line.strip_prefix("-A "))
        .filter(|rule| rule.ends_with(&mark))
        .map(str::to_owned)
        .collect();
    let stale = present
        .iter()
        .filter(|rule| !wanted.contains(rule))
        .cloned()
        .collect();
    let missing = wanted
        .into_iter()
        .filter(|rule| !present.contains(rule))
        .collect();
    (stale, missing)
}

fn run(program: &str, arguments: &str) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(["-w", "5"])
        .args(arguments.split_whitespace())
        .output()
        .with_context(|| format!("run {program}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {arguments}: {}", errors.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_rules_are_compared_as_iptables_prints_them() {
        let listing = "-P FORWARD DROP\n\
            -A FORWARD -j DOCKER-USER\n\
            -A FORWARD -s 10.9.0.0/16 -m comment --comment signpost -j ACCEPT\n\
            -A FORWARD -s 10.244.0.0/16 -m comment --comment signpost -j ACCEPT\n";
        let pods = "10.244.0.0/16".parse().unwrap();
        let (stale, missing) = difference(listing, &[&pods]);
        assert_eq!(
            stale,
            ["FORWARD -s 10.9.0.0/16 -m comment --comment signpost -j ACCEPT"]
        );
        assert_eq!(
            missing,
            ["FORWARD -d 10.244.0.0/16 -m comment --comment signpost -j ACCEPT"]
        );
    }
}
