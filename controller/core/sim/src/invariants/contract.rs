//! The bounds that the documentation of the actions and of the limits states.

use signpost_core::Action;

use super::Invariant;
use crate::world::World;

impl World<'_> {
    /// An engine is about to begin something beside what is under way.
    pub(crate) fn check_bounds(&mut self, shell: usize, action: &Action) {
        let known = &self.shells[shell].known;
        let limits = &self.scenario.limits;
        let api_writes = known.cidr_writes.len() + known.status_writes.len();
        let complaint = match action {
            Action::ListRoutes { .. } => known
                .listing
                .map(|(other, _)| format!("listing {other} is still under way")),
            Action::WriteRoute { .. } if !limits.routes => Some("there are no routes here".into()),
            Action::WriteRoute { write, change } => {
                let same = known.route_writes.iter().find(|(_, other)| {
                    other.table() == change.table() && other.destination() == change.destination()
                });
                if let Some((other, _)) = same {
                    Some(format!("write {write} while {other} is under way"))
                } else if known.route_writes.len() >= limits.route_writes {
                    Some("too many route writes at once".into())
                } else {
                    None
                }
            }
            Action::SetPodCidrs { node, cidrs } if cidrs.is_empty() => {
                Some(format!("no pod CIDRs for {node}"))
            }
            Action::SetPodCidrs { .. } | Action::SetNetworkStatus { .. } => (api_writes
                >= limits.api_writes)
                .then(|| "too many writes to the Kubernetes API at once".into()),
            _ => None,
        };
        if let Some(complaint) = complaint {
            self.broken(Invariant::Contract, || {
                format!("controller {shell}: {complaint}")
            });
        }
    }
}
