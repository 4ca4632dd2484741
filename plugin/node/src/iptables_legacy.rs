//! FORWARD chains of the legacy `iptables`, which the kernel keeps apart from nftables.
//!
//! There is no netlink interface to them, so the `iptables` program is called, and only if such a
//! table exists. What is done there is what [`crate::forward`] does to chains of nftables.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use signpost_netlink::Family;
use tracing::info;

use crate::hand::Hand;

/// Comment of the rules that this agent has added.
const MARK: &str = "signpost";

/// Each with the kernel's list of its tables, and the programs that know them.
const FAMILIES: [(Family, &str, [&str; 2]); 2] = [
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
];

/// Lets packets from and to `pods`, and those of translated connections, pass the legacy FORWARD chains
/// that drop by policy or by a rule without a condition. For no pods it removes the rules of this agent.
pub fn ensure(pods: &[IpNet], hand: &mut Hand) -> anyhow::Result<()> {
    for (family, names, programs) in FAMILIES {
        if tables(names).lines().any(|table| table == "filter") {
            let pods: Vec<_> = pods
                .iter()
                .filter(|pods| Family::of(pods.addr()) == family)
                .collect();
            accept(legacy_program(programs)?, &pods, hand)?;
        }
    }
    Ok(())
}

/// The names of the tables, a line each; none where the kernel lacks the legacy variant.
fn tables(names: &str) -> String {
    fs::read_to_string(format!("/proc/thread-self/net/{names}")).unwrap_or_default()
}

/// The names of the chains that somebody has made, as far as they can be looked into.
pub fn chains() -> Vec<String> {
    let mut chains = Vec::new();
    for (_, names, programs) in FAMILIES {
        for table in tables(names).lines() {
            let listing = legacy_program(programs)
                .and_then(|program| run(program, &format!("-t {table} -S")))
                .unwrap_or_default();
            let made = listing.lines().filter_map(|line| line.strip_prefix("-N "));
            chains.extend(made.map(str::to_owned));
        }
    }
    chains
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
         that their FORWARD chains drop nothing",
        programs[0]
    )
}

fn accept(program: &str, pods: &[&IpNet], hand: &mut Hand) -> anyhow::Result<()> {
    let listing = run(program, "-S FORWARD")?;
    let Some(change) = change(&listing, pods) else {
        return Ok(());
    };
    for rule in &change.stale {
        carry_out(program, &format!("-D FORWARD {rule}"), hand)?;
    }
    for (number, rule) in (change.place..).zip(&change.wanted) {
        carry_out(program, &format!("-I FORWARD {number} {rule}"), hand)?;
    }
    Ok(())
}

fn carry_out(program: &str, arguments: &str, hand: &mut Hand) -> anyhow::Result<()> {
    hand.make(format!("run {program} {arguments}"), || {
        run(program, arguments)?;
        info!("ran {program} {arguments}");
        Ok(())
    })
}

/// How a chain becomes as wanted.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    /// Rules of this agent to delete.
    stale: Vec<String>,
    /// Where the wanted ones begin after that, counted from 1.
    place: usize,
    wanted: Vec<String>,
}

/// What to change in a chain as `iptables -S` prints it; `None` if it is as wanted.
fn change(listing: &str, pods: &[&IpNet]) -> Option<Change> {
    let rules: Vec<&str> = listing
        .lines()
        .filter_map(|line| line.strip_prefix("-A FORWARD "))
        .collect();
    let ends = |rule: &str| ["ACCEPT", "DROP", "REJECT", "RETURN"].contains(&target_of_all(rule));
    let end = rules.iter().position(|rule| ends(rule));
    let drops = match end.map(|end| target_of_all(rules[end])) {
        None | Some("RETURN") => listing.lines().any(|line| line == "-P FORWARD DROP"),
        Some(target) => target != "ACCEPT",
    };
    let wanted = if drops { wanted(pods) } else { Vec::new() };
    let before = &rules[..end.unwrap_or(rules.len())];
    let is_ours = |rule: &&&str| rule.ends_with(&accepts());
    let ours = || rules.iter().filter(is_ours);
    let place = &before[before.len().saturating_sub(wanted.len())..];
    if ours().count() == wanted.len() && place == wanted {
        return None;
    }
    Some(Change {
        stale: ours().map(|rule| (*rule).to_owned()).collect(),
        place: before.len() - before.iter().filter(is_ours).count() + 1,
        wanted,
    })
}

/// The rules that let packets pass, as `iptables -S` prints them.
fn wanted(pods: &[&IpNet]) -> Vec<String> {
    let of_pods = pods
        .iter()
        .flat_map(|pods| ["-s", "-d"].map(|side| format!("{side} {pods}")));
    let translated = (!pods.is_empty()).then(|| "-m conntrack --ctstate DNAT".to_owned());
    of_pods
        .chain(translated)
        .map(|condition| condition + &accepts())
        .collect()
}

/// How the rules of this agent end.
fn accepts() -> String {
    format!(" -m comment --comment {MARK} -j ACCEPT")
}

/// The target of a rule that has no condition, but for a comment; empty if it has one.
fn target_of_all(rule: &str) -> &str {
    let rule = match rule.strip_prefix("-m comment --comment ") {
        Some(commented) => commented
            .rfind("-j ")
            .map_or("", |start| &commented[start..]),
        None => rule,
    };
    let target = rule.strip_prefix("-j ").unwrap_or_default();
    target.split(' ').next().unwrap_or_default()
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

    const WANTED: [&str; 3] = [
        "-s 10.244.0.0/16 -m comment --comment signpost -j ACCEPT",
        "-d 10.244.0.0/16 -m comment --comment signpost -j ACCEPT",
        "-m conntrack --ctstate DNAT -m comment --comment signpost -j ACCEPT",
    ];

    fn change_of(listing: &str) -> Option<Change> {
        change(listing, &[&"10.244.0.0/16".parse().unwrap()])
    }

    fn place(listing: &str) -> Option<(usize, usize)> {
        change_of(listing).map(|change| (change.place, change.wanted.len()))
    }

    #[test]
    fn legacy_rules_are_compared_as_iptables_prints_them() {
        let stale = "-s 10.9.0.0/16 -m comment --comment signpost -j ACCEPT";
        let listing = format!("-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n-A FORWARD {stale}\n");
        let change = change_of(&listing).unwrap();
        assert_eq!(change.stale, [stale]);
        assert_eq!(
            (change.place, change.wanted),
            (2, WANTED.map(str::to_owned).to_vec())
        );

        let rules = WANTED.map(|rule| format!("-A FORWARD {rule}\n")).concat();
        assert_eq!(change_of(&format!("-P FORWARD DROP\n{rules}")), None);
        assert_eq!(place(&format!("-P FORWARD ACCEPT\n{rules}")), Some((1, 0)));
    }

    #[test]
    fn legacy_rules_stand_before_the_rule_that_drops_all() {
        let reject = "-A FORWARD -m comment --comment \"all else\" -j REJECT --reject-with icmp-host-prohibited";
        let rules = WANTED.map(|rule| format!("-A FORWARD {rule}\n")).concat();
        for policy in ["-P FORWARD ACCEPT", "-P FORWARD DROP"] {
            let first = "-A FORWARD -p tcp -j DROP";
            assert_eq!(
                place(&format!("{policy}\n{first}\n{reject}\n")),
                Some((2, 3))
            );
            assert_eq!(
                place(&format!("{policy}\n{first}\n{rules}{reject}\n")),
                None
            );
            assert_eq!(place(&format!("{policy}\n{reject}\n{rules}")), Some((1, 3)));
            let last = "-A FORWARD -p udp -j DROP";
            assert_eq!(
                place(&format!("{policy}\n{rules}{last}\n{reject}\n")),
                Some((2, 3)),
                "rules of others decide first"
            );
            assert_eq!(
                place(&format!("{policy}\n-A FORWARD -j ACCEPT\n{reject}\n")),
                None
            );
        }
        assert_eq!(
            place("-P FORWARD ACCEPT\n-A FORWARD -p tcp -j DROP\n"),
            None
        );
    }
}
