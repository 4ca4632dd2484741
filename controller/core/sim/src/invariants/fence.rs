//! I6: nothing is written without the lease.

use super::Invariant;
use crate::{queue::Sender, rules::Rule, shell::identity, world::World};

impl World<'_> {
    /// A write takes effect now. Nobody else may have been given the lease since it was begun.
    pub(crate) fn check_fenced(&mut self, from: Sender, what: &str) {
        // Nothing can keep a process that is stopped just there from writing when it goes on, and a
        // record that was put back gives nobody the lease.
        let me = identity(from.shell, from.life);
        if from.late || self.api.lease_put_back {
            if from.late && self.api.holder().is_some_and(|holder| **holder != *me) {
                self.meet(Rule::LateSend);
            }
            return;
        }
        if let Some(holder) = self.api.holder().filter(|holder| **holder != me).cloned() {
            self.broken(Invariant::I6, || {
                format!(
                    "{what} of {me}, begun at {} ms, lands under {holder}",
                    from.sent
                )
            });
        }
    }
}
