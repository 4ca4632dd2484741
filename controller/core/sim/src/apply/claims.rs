//! Carries out the entries of a schedule in which somebody gives a node pod CIDRs by hand.

use ipnet::IpNet;

use crate::{
    api::ApiNode,
    faults::Fault,
    scenario::{blocks, net},
    world::World,
};

impl World<'_> {
    /// Gives a node pod CIDRs. `None`: the fault is another one.
    pub(super) fn claim(&mut self, fault: Fault, id: &str, nth: usize) -> Option<bool> {
        Some(match fault {
            Fault::CidrByHandFree => {
                let taken = self.taken();
                let free = blocks(&self.wishes.pools[0])
                    .into_iter()
                    .find(|block| !taken.contains(block));
                free.is_some_and(|block| self.by_hand(id, &[block]))
            }
            Fault::CidrByHandDuplicate => {
                let others = self.api.nodes.values();
                let with: Vec<&ApiNode> = others
                    .filter(|node| !node.node.pod_cidrs.is_empty())
                    .collect();
                let other = with.get(nth % with.len().max(1));
                let cidrs = other.map(|node| node.node.pod_cidrs.clone());
                cidrs.is_some_and(|cidrs| self.by_hand(id, &cidrs))
            }
            Fault::CidrByHandOutOfRange => self.by_hand(id, &[net("172.16.5.0/24")]),
            Fault::CidrByHandWide => {
                let pool = &self.wishes.pools[nth % self.wishes.pools.len()];
                let all = blocks(pool);
                let block = all[nth % all.len()];
                let wide = block.supernet().filter(|wide| pool.cidr.contains(wide));
                wide.is_some_and(|wide| self.by_hand(id, &[wide]))
            }
            Fault::CidrByHandCoversPool => {
                let pool = self.wishes.pools[nth % self.wishes.pools.len()].cidr;
                let wide = IpNet::new(pool.addr(), pool.prefix_len() - 8).map(|net| net.trunc());
                wide.is_ok_and(|wide| self.by_hand(id, &[wide]))
            }
            _ => return None,
        })
    }

    fn taken(&self) -> Vec<IpNet> {
        let nodes = self.api.nodes.values();
        nodes.flat_map(|node| node.node.pod_cidrs.clone()).collect()
    }

    fn by_hand(&mut self, name: &str, cidrs: &[IpNet]) -> bool {
        let Some(node) = self.api.nodes.get(name) else {
            return false;
        };
        if !node.node.pod_cidrs.is_empty() {
            return false;
        }
        let key = node.node.key.clone();
        let now = self.now;
        self.api
            .change(name, |node| node.node.pod_cidrs = cidrs.to_vec());
        self.api.made_by_hand(&key, cidrs, now);
        true
    }
}
