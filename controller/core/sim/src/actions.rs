//! Carries out what an engine wants, as the real shell does.

use ipnet::IpNet;
use signpost_core::Action;

use crate::{api::ApiCall, cloud::calls::CloudCall, invariants::Invariant, trail, world::World};

impl World<'_> {
    pub(crate) fn act(&mut self, shell: usize, action: Action) {
        let now = self.local(shell);
        let place = &self.shells[shell];
        let leader = place.leader;
        let may = place.election.may_write(now) || self.unfenced;
        let write = is_write(&action);
        let dropped = write && !may;
        self.note(|| {
            let dropped = if dropped { " (dropped)" } else { "" };
            format!("{shell} ► {}{dropped}", trail::action(&action))
        });
        if !leader && !self.unfenced {
            self.broken(Invariant::I6, || {
                let action = trail::action(&action);
                format!("controller {shell}, which is not elected, wants {action}")
            });
        }
        if dropped {
            return;
        }
        self.check_action(shell, &action);
        if write {
            self.rest.wrote(self.now);
        }
        self.shells[shell].known.began(&action, self.now);
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.send_api(shell, ApiCall::SetPodCidrs { node, cidrs });
            }
            Action::ReadNode(node) => self.send_api(shell, ApiCall::ReadNode(node)),
            Action::SetNetworkStatus { node, status } => {
                self.send_api(shell, ApiCall::SetStatus { node, status });
            }
            Action::ReadInstances(queries) => {
                self.send_cloud(shell, CloudCall::ReadInstances(queries));
            }
            Action::EnableForwarding(query) => {
                self.send_cloud(shell, CloudCall::EnableForwarding(query));
            }
            Action::ListRoutes { listing } => {
                let ranges = self.ranges(shell);
                self.rest.listed();
                self.send_cloud(shell, CloudCall::List { listing, ranges });
            }
            Action::WriteRoute { write, change } => {
                let mute = false;
                self.send_cloud(
                    shell,
                    CloudCall::Write {
                        write,
                        change,
                        mute,
                    },
                );
            }
            Action::TeardownDone => self.torn_down(shell),
            Action::Notify(_) | Action::NodeRouted { .. } => {}
        }
    }

    /// The ranges in which a controller wants to see the routes of others.
    fn ranges(&self, shell: usize) -> Vec<IpNet> {
        let config = self.shells[shell].known.config.as_ref();
        config
            .map(|config| config.pools.iter().map(|pool| pool.cidr).collect())
            .unwrap_or_default()
    }
}

/// Whether the action changes anything outside.
fn is_write(action: &Action) -> bool {
    matches!(
        action,
        Action::SetPodCidrs { .. }
            | Action::SetNetworkStatus { .. }
            | Action::EnableForwarding(_)
            | Action::WriteRoute { .. }
    )
}
