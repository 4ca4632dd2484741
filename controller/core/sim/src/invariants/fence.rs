//! I6: nothing is written without the lease.

use super::Invariant;
use crate::{queue::Sender, shell::identity, world::World};

impl World<'_> {
    /// A write takes effect now. Nobody else may have been given the lease since it was begun.
    pub(crate) fn check_fenced(&mut self, from: Sender, what: &str) {
        if from.late {
            // Nothing can keep a process that is stopped just there from writing when it goes on.
            return;
        }
        let me = identity(from.shell, from.life);
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
