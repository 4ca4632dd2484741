//! I5: what is reported was read back.

use signpost_core::{
    NodeKey,
    cloud::{InstanceState, Ownership},
};

use super::Invariant;
use crate::world::World;

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
        let Some(node) = known.knows(node) else {
            return Err("does not know it".into());
        };
        if node.pod_cidrs.is_empty() {
            return Err("it has no pod CIDR".into());
        }
        if !self.scenario.limits.routes {
            return Ok(());
        }
        if known.tables.is_empty() {
            return Err("no table was read".into());
        }
        let Some(InstanceState::Found(instance)) = known.instances.get(&node.key.uid) else {
            return Err("its instance was not found".into());
        };
        for (id, seen) in &known.tables {
            let Some(seen) = seen else {
                return Err(format!("{id} was never read"));
            };
            for cidr in &node.pod_cidrs {
                let hop = match cidr {
                    ipnet::IpNet::V4(_) => &instance.next_hop_v4,
                    ipnet::IpNet::V6(_) => &instance.next_hop_v6,
                };
                let right = seen.routes.iter().any(|route| {
                    route.destination == *cidr
                        && route.next_hop == *hop
                        && route.ownership == Ownership::Ours
                        && !route.blackhole
                });
                if !right {
                    return Err(format!("the listing shows no route for {cidr} in {id}"));
                }
                let written = known.written.get(&(id.clone(), *cidr));
                if written.is_some_and(|written| *written > seen.begun) {
                    return Err(format!("{cidr} in {id} was written after that listing"));
                }
            }
        }
        Ok(())
    }
}
