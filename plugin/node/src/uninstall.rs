//! The node as it was before the agent.
//!
//! First it is seen whether all can be done, then it is done: the network configuration goes first, so
//! that no pod comes meanwhile. What fails stops nothing else. What is not the agent's stays, and is named.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;

use anyhow::{Context as _, bail};
use signpost_netlink::{Socket, nftables};

use crate::conflist::Conflist;
use crate::file::{self, clear_left_over};
use crate::hand::Hand;
use crate::options::{PLUGIN, Uninstall};
use crate::ready::Ready;
use crate::{bridged, chained, claims, conflist, forward, iptables_legacy, rivals, sysctl, table};

/// Files in which the plugin remembers which addresses it gave out last.
const LAST_ADDRESSES: [&str; 2] = ["last-ipv4", "last-ipv6"];

/// Removes from the node what the agent has put there, and says on `out` what that was and what stays.
///
/// # Errors
///
/// If it cannot be done, such as while pods live: then nothing is changed. If something failed: then all
/// else is done. The error names each thing with its remedy.
pub fn run(options: &Uninstall, out: &mut impl Write) -> anyhow::Result<()> {
    let pods = claims::interfaces(&mut Socket::open()?)?;
    // As long as it is held no agent begins.
    let _address = look(options, &pods)?;
    let hand = if options.dry_run {
        Hand::on_trial()
    } else {
        Hand::real()
    };
    let mut removal = Removal {
        hand,
        out,
        errors: Vec::new(),
        changes: 0,
    };
    let stays = removal.carry_out(options, &pods);
    let Removal {
        errors, changes, ..
    } = removal;
    if changes == 0 && errors.is_empty() {
        writeln!(out, "there is nothing of Signpost's on this node")?;
    }
    for what in stays {
        writeln!(out, "stays: {what}")?;
    }
    match errors.as_slice() {
        [] => Ok(()),
        errors => bail!("not all could be removed:\n{}", errors.join("\n")),
    }
}

/// Sees whether it may begin; all that speaks against it is told together. Returns what keeps agents from
/// starting.
fn look(options: &Uninstall, pods: &[String]) -> anyhow::Result<Option<TcpListener>> {
    let mut against = Vec::new();
    let folders = &options.folders;
    for (flag, folder) in [
        ("--cni-bin-dir", &folders.cni_bin_dir),
        ("--cni-conf-dir", &folders.cni_conf_dir),
        ("--run-dir", &folders.run_dir),
    ] {
        match fs::read_dir(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                against.push(format!("{flag}: {}: {error}", folder.display()));
            }
            _ => {}
        }
    }
    if !folders.sysctl_dir.is_dir() {
        let folder = folders.sysctl_dir.display();
        against.push(format!(
            "--sysctl-dir: {folder} is no folder: name the one with the kernel's settings for the network"
        ));
    }
    let address = match TcpListener::bind(options.http_address) {
        Ok(listener) => Some(listener),
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            against.push(format!(
                "an agent serves {}, and would set up all again: stop it (label the node \
                 signpost.dev/exclude=true, or `systemctl disable --now signpost-node`), or name its \
                 address with --http-address",
                options.http_address
            ));
            None
        }
        Err(_) => None,
    };
    if !pods.is_empty() && !options.force {
        against.push(format!(
            "pods live on this node, and would lose their network: {}. Drain it first (`kubectl drain \
             NODE --ignore-daemonsets`) and end what is left, or give --force",
            pods.join(", ")
        ));
    }
    match against.as_slice() {
        [] => Ok(address),
        against => bail!("nothing was changed:\n{}", against.join("\n")),
    }
}

struct Removal<'a, W> {
    hand: Hand,
    out: &'a mut W,
    errors: Vec<String>,
    changes: usize,
}

impl<W: Write> Removal<'_, W> {
    /// Does it all, and returns what stays.
    fn carry_out(&mut self, options: &Uninstall, pods: &[String]) -> Vec<String> {
        let folders = &options.folders;
        let ready = Ready::new(&folders.run_dir);
        let configuration = Conflist::new(&folders.cni_conf_dir, ready.path());
        let settings = sysctl::Settings::new(&folders.sysctl_dir, &folders.run_dir);
        self.step(|hand| configuration.remove(hand).map(drop));
        self.step(|hand| file::remove(ready.path(), hand).map(drop));
        let remedy = "netfilter: it needs the capability NET_ADMIN, and the kernel nf_tables";
        self.step(|hand| {
            let mut socket = nftables::Socket::open().context(remedy)?;
            forward::remove(&mut socket, hand).context(remedy)
        });
        self.step(|hand| {
            let mut socket = nftables::Socket::open().context(remedy)?;
            table::remove(&mut socket, hand).context(remedy)
        });
        self.step(|hand| {
            iptables_legacy::ensure(&[], hand).context(
                "rules with the comment `signpost` may be left in FORWARD chains of iptables-legacy: \
                 delete them",
            )
        });
        let mut stays = Vec::new();
        self.step(|hand| {
            let mut socket = nftables::Socket::open().context(remedy)?;
            stays = bridged::remove(&mut Socket::open()?, &mut socket, hand).context(remedy)?;
            Ok(())
        });
        let failed = self.errors.len();
        stays.extend(self.restore(&settings));
        if self.errors.len() == failed {
            self.step(|hand| file::remove(settings.former().path(), hand).map(drop));
        }
        let plugin = folders.cni_bin_dir.join(PLUGIN);
        if pods.is_empty() {
            self.step(|hand| file::remove(&plugin, hand).map(drop));
        } else {
            stays.extend(
                pods.iter()
                    .map(|pod| format!("the interface of a pod, {pod}")),
            );
            stays.push(format!(
                "{}: the runtime calls it to remove the pods that live; uninstall again without them",
                plugin.display()
            ));
        }
        let addresses = folders.run_dir.join(conflist::NETWORK);
        for name in LAST_ADDRESSES {
            self.step(|hand| file::remove(&addresses.join(name), hand).map(drop));
        }
        if self.hand.acts() {
            folders
                .files()
                .iter()
                .for_each(|file| clear_left_over(file));
            for folder in [&addresses, &folders.run_dir] {
                // One that somebody else uses, or that is mounted, stays.
                let _ = fs::remove_dir(folder);
            }
        }
        let others = rivals::files(&folders.cni_conf_dir).into_iter();
        stays.extend(others.map(|path| format!("{}, another network's", path.display())));
        let chained = chained::NAMES.map(|name| folders.cni_bin_dir.join(name));
        let chained = chained.iter().filter(|path| path.exists());
        stays.extend(chained.map(|path| format!("{}, not Signpost's", path.display())));
        stays
    }

    fn restore(&mut self, settings: &sysctl::Settings) -> Vec<String> {
        let mut told = Vec::new();
        let mut failed = Vec::new();
        self.step(|hand| {
            (told, failed) = settings.restore(hand);
            Ok(())
        });
        let failed = failed.iter().map(|error| format!("{error:#}"));
        self.errors.extend(failed);
        told
    }

    /// Does one thing, says what, and goes on if it fails.
    fn step(&mut self, act: impl FnOnce(&mut Hand) -> anyhow::Result<()>) {
        let outcome = act(&mut self.hand);
        let would = if self.hand.acts() { "" } else { "would " };
        for change in self.hand.take() {
            self.changes += 1;
            // Whoever has closed the output still wants the node cleared.
            let _ = writeln!(self.out, "{would}{change}");
        }
        if let Err(error) = outcome {
            self.errors.push(format!("{error:#}"));
        }
    }
}
