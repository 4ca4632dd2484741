//! I5: what is reported was read back.

use ipnet::IpNet;
use signpost_core::{
    NodeKey, Time,
    cloud::{InstanceState, NextHop, Ownership},
};

use super::Invariant;
use crate::{knowledge::SeenTable, world::World};

impl World<'_> {
    /// An engine is about to report a node as routed.
    pub(crate) fn check_read_back(&mut self, shell: usize, node: &NodeKey) {
        if let Err(why) = self.read_back(shell, node) {
            self.broken(Invariant::I5, || {
                format!("controller {shell} reports {node} as routed, but {why}")
            });
        }
    }

    fn read_back(&self, shell: usize, node: &NodeKey) -> Result<(), String> {
        let known = &self.shells[shell].known;
        let settle = self.scenario.limits.settle;
        let Some(node) = known.knows(node) else {
            return Err("does not know it".into());
        };
        if node.pod_cidrs.is_empty() {
            return Err("it has no pod CIDR".into());
        }
        if !self.scenario.limits.routes {
            return Ok(());
        }
        if known.tables.by_id.is_empty() {
            return Err("no table was read".into());
        }
        let Some(InstanceState::Found(instance)) = known.instances.get(&node.key.uid) else {
            return Err("its instance was not found".into());
        };
        for (id, seen) in known.tables.counting(settle) {
            for cidr in &node.pod_cidrs {
                let hop = match cidr {
                    IpNet::V4(_) => instance.next_hop_v4.as_ref(),
                    IpNet::V6(_) => instance.next_hop_v6.as_ref(),
                };
                let place = (id.clone(), *cidr);
                let written = known.written.get(&place).copied();
                // What was under way then was our own, and nothing came of it.
                let vain = known.in_vain.get(&place);
                let ours = |seen: &&SeenTable| {
                    let under_way = seen.pending.contains(cidr);
                    under_way && vain.is_some_and(|(begun, ended)| seen.may_show(*begun, *ended))
                };
                let seen: Vec<&SeenTable> = seen.seen.iter().filter(|it| !ours(it)).collect();
                self.shown(&seen, *cidr, hop, written)
                    .map_err(|why| format!("{cidr} in {id} {why}"))?;
            }
        }
        Ok(())
    }

    /// A listing begun after the last write showed the route, and none did otherwise once that
    /// write had to show.
    fn shown(
        &self,
        seen: &[&SeenTable],
        cidr: IpNet,
        hop: Option<&NextHop>,
        written: Option<(u64, u64)>,
    ) -> Result<(), &'static str> {
        let right = |seen: &&SeenTable| {
            let routes = seen.routes.iter();
            let ours = routes
                .filter(|it| it.destination == cidr && it.ownership == Ownership::Ours)
                .map(|it| it.next_hop.as_ref() == hop && it.blackhole.is_none());
            // One of them, and no other that leads elsewhere.
            let sure = !seen.pending.contains(&cidr);
            sure && ours.reduce(|some, other| some && other) == Some(true)
        };
        let (written, ended) = written.unwrap_or_default();
        let seen = &seen[seen.partition_point(|seen| seen.begun < written)..];
        let Some(last) = seen.iter().rposition(right) else {
            return Err("was not listed since it was written");
        };
        let settled = Time(ended).after(self.scenario.limits.settle).0;
        if seen[last + 1..].iter().any(|seen| seen.begun >= settled) {
            return Err("was listed, and then listed otherwise");
        }
        Ok(())
    }
}
