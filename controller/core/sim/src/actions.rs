//! Carries out what an engine wants, as the real shell does.

use signpost_core::{
    Action,
    shell::{Effect, Ended, Place},
};

use crate::{
    api::ApiCall, cloud::calls::CloudCall, queue::Message, shell::State, trail, world::World,
};

impl World<'_> {
    pub(crate) fn act(&mut self, shell: usize, action: Action) {
        let now = self.local(shell);
        let place = &self.shells[shell];
        let may = place.election.may_write(now) || self.unfenced;
        let effect = Effect::of(&action);
        let dropped = effect.needs_lease() && !may;
        self.note(|| {
            let dropped = if dropped { " (dropped)" } else { "" };
            format!("{shell} ► {}{dropped}", trail::action(&action))
        });
        if dropped {
            return;
        }
        self.check_action(shell, &action);
        if let Effect::Write(place) = effect {
            self.begin_write(shell, place, &action);
        }
        self.shells[shell].known.began(&action, self.now);
        match action {
            Action::SetPodCidrs { node, cidrs } => {
                self.send_api(shell, ApiCall::SetPodCidrs { node, cidrs });
            }
            Action::ReadNode(node) => self.read_node(shell, &node),
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

    /// Takes note of a write, as the ledger of the real shell does. Events and the end of teardown
    /// take no time here.
    fn begin_write(&mut self, shell: usize, place: Place, action: &Action) {
        let now = self.local(shell);
        let writes = &mut self.shells[shell].writes;
        writes.begun();
        match action {
            Action::Notify(_) => {
                writes.ended(place, Ended::Known, self.scenario.limits, now);
                return;
            }
            Action::TeardownDone => {
                writes.ended(place, Ended::Known, self.scenario.limits, now);
            }
            _ => {}
        }
        self.rest.wrote(self.now);
        // A process that is to be stopped is, right after it looked at the fence.
        let halts = self.shells[shell].halts.take();
        if let Some((span, _)) = halts.filter(|(_, until)| self.now < *until) {
            let until = self.now + span;
            self.note(|| format!("controller {shell} stands still before it sends"));
            self.shells[shell].halted_until = until;
            self.shells[shell].state = State::Paused;
            self.queue.push(until, Message::Resume { shell });
        }
    }
}
