//! The node's kernel and files, made to be as planned.

use std::collections::BTreeSet;

use anyhow::{Context as _, anyhow};
use signpost_netlink::{Family, Link, Socket, nftables};

use crate::chained::Chained;
use crate::claims::{self, RouteChanges};
use crate::conflist::Conflist;
use crate::events::Reason;
use crate::file::clear_left_over;
use crate::hand::Hand;
use crate::install::Installer;
use crate::options::Options;
use crate::plan::{OnNode, Plan, Settings};
use crate::ready::Ready;
use crate::warnings::Warnings;
use crate::{
    adoption, bridged, forward, iptables_legacy, leftovers, rivals, room, sysctl, table, uplink,
};

/// What to do where the kernel refuses rules.
const NETFILTER: &str =
    "netfilter: the agent needs the capability NET_ADMIN, and the kernel nf_tables with nft_fib";

/// The node on which the agent runs.
#[derive(Debug)]
pub struct Machine {
    installer: Installer,
    conflist: Conflist,
    ready: Ready,
    chained: Chained,
    sysctl: sysctl::Settings,
    /// One for all looks, so that the kernel's notifications tell by its number who changed something.
    netfilter: Option<nftables::Socket>,
    routes: RouteChanges,
    warnings: Warnings,
    hand: Hand,
    leftovers: leftovers::Told,
}

impl Machine {
    /// The machine with the folders and the plugin that the options name. On a dry run it is looked at,
    /// and nothing is changed.
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let mut hand = if options.dry_run {
            Hand::on_trial()
        } else {
            Hand::real()
        };
        let folders = &options.folders;
        let source = options
            .plugin_source()
            .context("the folder of this program is not known: give --plugin")?;
        let ready = Ready::new(&folders.run_dir);
        let conflist = Conflist::new(&folders.cni_conf_dir, ready.path());
        if hand.acts() {
            for file in folders.files() {
                clear_left_over(&file);
            }
            // Before anybody asks what is written. If it fails it is tried again, and told then.
            let _ = conflist.adopt_former(&mut hand);
        }
        Ok(Self {
            installer: Installer::new(source, &folders.cni_bin_dir),
            conflist,
            ready,
            chained: Chained::new(&folders.cni_bin_dir),
            sysctl: sysctl::Settings::new(&folders.sysctl_dir, &folders.run_dir),
            netfilter: None,
            routes: RouteChanges::follow()?,
            warnings: Warnings::default(),
            hand,
            leftovers: leftovers::Told::default(),
        })
    }

    /// Tells of what happens to the routes to pods.
    pub fn route_changes(&self) -> RouteChanges {
        self.routes.clone()
    }

    /// What there is on the node.
    pub fn looks(&self) -> OnNode {
        OnNode {
            configured: self.conflist.subnets(),
            ready: self.ready.subnets(),
        }
    }

    /// The number of the socket through which rules are changed, once there is one.
    pub fn netfilter_port(&self) -> Option<u32> {
        self.netfilter.as_ref().map(nftables::Socket::port)
    }

    /// What may stop pods' packets although the node is as planned, with the remedies.
    pub fn remarks(&self) -> impl Iterator<Item = String> + '_ {
        self.warnings.said()
    }

    /// What of that is worth an event.
    pub fn events(&self) -> BTreeSet<(Reason, String)> {
        self.warnings.events().clone()
    }

    /// Whether it is looked at only.
    pub fn is_on_trial(&self) -> bool {
        !self.hand.acts()
    }

    /// What was changed by the last look at the node, or would have been on a dry run.
    pub fn changes(&mut self) -> Vec<String> {
        self.hand.take()
    }

    /// Carries out what is planned, as far as it does not stand yet. Blocks.
    pub fn carry_out(&mut self, plan: &Plan) -> anyhow::Result<()> {
        let settings = match plan {
            Plan::Apply(settings) => Some(settings),
            Plan::Wait { .. } => None,
        };
        let subnets = settings.map_or(&[][..], |settings| settings.subnets.as_slice());
        self.leftovers.tell(self.conflist.folder(), subnets);
        self.hand.take();
        // Pods that live come first.
        let mut kernel = Socket::open()?;
        let ports = bridged::Restoration {
            socket: &mut kernel,
            netfilter: netfilter(&mut self.netfilter)?,
            hand: &mut self.hand,
            folder: self.sysctl.folder(),
        }
        .run(settings)?;
        let hand = &mut self.hand;
        let node_addresses = settings.map(|settings| settings.node_addresses.as_slice());
        for warning in claims::restore(&mut kernel, node_addresses, &self.routes, &ports, hand)? {
            self.warnings.add(&warning);
        }
        self.installer.ensure(hand)?;
        self.conflist.adopt_former(hand)?;
        match plan {
            Plan::Wait {
                stale_configuration: true,
                ..
            } => self.conflist.remove_stale(hand),
            Plan::Wait { .. } => Ok(()),
            Plan::Apply(settings) => self.apply(&mut kernel, settings),
        }
    }

    /// The configuration comes last: with it the kubelet reports Ready and pods start.
    fn apply(&mut self, kernel: &mut Socket, settings: &Settings) -> anyhow::Result<()> {
        let hand = &mut self.hand;
        let subnets = settings.subnets.iter();
        let families: Vec<_> = subnets.map(|subnet| Family::of(subnet.addr())).collect();
        if families.contains(&Family::V4) {
            self.sysctl.forward_ipv4(hand)?;
        }
        if families.contains(&Family::V6) {
            self.sysctl.forward_ipv6(hand)?;
        }
        let netfilter = netfilter(&mut self.netfilter)?;
        let table = table::table(&settings.subnets, settings.exempt.as_deref());
        table::ensure(netfilter, &table, hand).context(NETFILTER)?;
        for remark in forward::ensure(netfilter, &settings.pods, hand).context(NETFILTER)? {
            self.warnings.add_event(Reason::Firewall, remark);
        }
        let legacy = iptables_legacy::ensure(&settings.pods, hand);
        let uplink = if families.contains(&Family::V4) {
            uplink::forward_ipv4(&self.sysctl, hand)
        } else {
            Ok(())
        };
        let adopted = adoption::answer(kernel, &settings.subnets, &self.sysctl, hand);
        for error in [legacy, uplink, adopted]
            .into_iter()
            .filter_map(Result::err)
        {
            self.warnings.add(&format!("{error:#}"));
        }
        let mtu = match settings.mtu {
            0 => default_route_mtu(kernel, &families)?,
            mtu => mtu.into(),
        };
        self.ready.ensure(&settings.subnets, hand)?;
        let chain = self.chained.look();
        self.conflist.ensure(settings, mtu, &chain, hand)?;
        let links = kernel.links()?;
        let claimed: Vec<_> = links.iter().flat_map(Link::claims).collect();
        for (reason, remark) in room::remarks(&settings.subnets, &claimed, settings.max_pods) {
            self.warnings.add_event(reason, remark);
        }
        for warning in chain
            .warnings
            .iter()
            .chain(&rivals::outrank(self.conflist.folder()))
        {
            self.warnings.add(warning);
        }
        self.warnings.end();
        Ok(())
    }
}

/// The socket, opened if it is not yet.
fn netfilter(kept: &mut Option<nftables::Socket>) -> anyhow::Result<&mut nftables::Socket> {
    Ok(match kept {
        Some(socket) => socket,
        none => none.insert(nftables::Socket::open().context(NETFILTER)?),
    })
}

/// The MTU that all ways by the node's default routes allow.
fn default_route_mtu(kernel: &mut Socket, families: &[Family]) -> anyhow::Result<u32> {
    let way = kernel
        .way_out(families)
        .context("take the MTU from the node's default route, or set spec.datapath.mtu")?
        .context("the node has no default route to take the MTU from: set spec.datapath.mtu")?;
    way.mtu_for(families)
        .map_err(|fault| anyhow!("{fault}: raise it, or set spec.datapath.mtu"))
}
