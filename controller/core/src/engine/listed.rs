//! What a listing changes for nodes and blocks.

use ipnet::IpNet;

use super::Engine;
use crate::{
    action::Reason,
    cloud::{CloudError, TableListing},
    ids::NodeId,
    tables::{Listed, Routes},
};

impl Engine {
    pub(super) fn routes_listed(
        &mut self,
        listing: u64,
        result: Result<Vec<TableListing>, CloudError>,
    ) {
        let listed = self.tables.listing_ended(&mut self.turn, listing, result);
        let Some(listed) = listed else { return };
        self.take_in_orphans();
        self.take_in_ranges(&listed);
        if let Some(begun) = listed.unread {
            self.ledger.uncover(begun);
        }
        if let Some(begun) = listed.complete {
            self.end_quarantines();
            if self.ledger.covered(begun) {
                self.blocks_changed();
            }
            self.ask_for_held();
        }
        if let Some(trouble) = listed.trouble {
            let message = format!("the route tables cannot be read: {trouble}");
            self.tell_network(Reason::CloudUnavailable, message);
        }
    }

    /// Destinations with routes of ours of which the ledger may not know.
    fn take_in_orphans(&mut self) {
        for cidr in self.tables.take_dirty() {
            let owner = self.ledger.owner_id(cidr);
            if owner.is_none() && self.tables.may_have_routes(cidr) {
                self.ledger.orphaned(cidr, self.turn.now);
            }
            self.desire(cidr, owner);
            self.mark_holder(cidr, owner);
        }
    }

    fn take_in_ranges(&mut self, listed: &Listed) {
        let foreign = self.ledger.set_foreign(&self.tables.foreign());
        let barred = self.ledger.set_barred(&self.tables.barred());
        if foreign || barred {
            self.blocks_changed();
        }
        for (table, cidr) in &listed.foreign {
            self.tell_of_foreign(*cidr, table);
        }
        self.tell_of_pools();
    }

    /// Has those judged anew that have a destination, or had it.
    pub(super) fn destination_changed(&mut self, cidr: IpNet) {
        self.mark_holder(cidr, self.ledger.owner_id(cidr));
    }

    fn mark_holder(&mut self, cidr: IpNet, owner: Option<NodeId>) {
        let last = || self.tables.routes(cidr).and_then(Routes::owner);
        if let Some(id) = owner.or_else(last) {
            self.nodes.mark(id);
        }
    }

    /// The route of a node is dead, or was refused: its instance may have changed.
    pub(super) fn ask_for_owner(&mut self, cidr: IpNet) {
        if let Some(id) = self.ledger.owner_id(cidr) {
            self.instances.want(&self.turn, id);
        }
    }

    /// Deletions begin to be held back: are the instances gone that the routes led to?
    pub(super) fn ask_for_departed(&mut self) {
        if self.tables.begins_to_hold() {
            self.ask_for_held();
        }
    }

    fn ask_for_held(&mut self) {
        for id in self.tables.held_owners() {
            self.instances.want(&self.turn, id);
        }
    }

    /// Something new is known of a node's instance.
    pub(super) fn instance_changed(&mut self, id: NodeId) {
        self.nodes.mark(id);
        let gone = self.nodes.get(id).filter(|state| state.is_gone());
        let cidrs = gone.map(|state| state.cidrs().to_vec());
        if self.instances.is_gone(id) {
            for cidr in cidrs.into_iter().flatten() {
                self.tables.set_dead(&self.turn, id, cidr);
            }
        }
    }
}
