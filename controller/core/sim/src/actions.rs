//! Carries out what an engine wants, as the real shell does.

use signpost_core::Action;

use crate::{api::ApiCall, cloud::calls::CloudCall, trail, world::World};

impl World<'_> {
    pub(crate) fn act(&mut self, shell: usize, action: Action) {
        let now = self.local(shell);
        let place = &self.shells[shell];
        let may = place.election.may_write(now) || self.unfenced;
        let write = is_write(&action);
        let dropped = write && !may;
        self.note(|| {
            let dropped = if dropped { " (dropped)" } else { "" };
            format!("{shell} ► {}{dropped}", trail::action(&action))
        });
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
            Action::ReadInstances { batch, queries } => {
                self.send_cloud(shell, CloudCall::ReadInstances { batch, queries });
            }
            Action::EnableForwarding(query) => {
                self.send_cloud(shell, CloudCall::EnableForwarding(query));
            }
            Action::ListRoutes { listing, ranges } => {
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
