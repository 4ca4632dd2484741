//! Carries out the entries of a schedule.

mod claims;
mod machines;
mod nodes;
mod pools;
mod routes;

use std::time::Duration;

use signpost_core::Time;

use crate::{
    api::Revisions,
    faults::{Entry, Fault, Target},
    queue::{Message, ToShell},
    shell::State,
    world::World,
};

impl World<'_> {
    /// Does what the entry says. False: there was nothing to do it to.
    pub(crate) fn apply(&mut self, entry: Entry) -> bool {
        match entry.fault.target() {
            Target::Node | Target::Nodes => self.apply_to_nodes(entry),
            Target::Controller => self.apply_to_controller(entry),
            Target::Table => self.apply_to_table(entry),
            Target::Block => self.apply_to_block(entry),
            Target::World => self.apply_to_all(entry),
        }
    }

    fn apply_to_controller(&mut self, entry: Entry) -> bool {
        let shell = usize::from(entry.target % 2);
        if self.shells[shell].state != State::Up {
            return false;
        }
        let ends = entry.ends();
        match entry.fault {
            Fault::WatchDelayed => self.watch_delayed[shell] = ends,
            Fault::WatchBroken => {
                self.break_watch(shell);
                self.send_shell(shell, ends, ToShell::Relist);
            }
            Fault::WatchRepeats => return self.rewind_watch(shell, usize::from(entry.amount)),
            Fault::ControllerCrashed => return self.kill(shell, entry.millis()),
            Fault::ControllerPaused => {
                self.shells[shell].state = State::Paused;
                self.queue.push(ends, Message::Resume { shell });
            }
            Fault::ControllerHalted => {
                // Only what it begins can be sent late; a lease that lasts long covers it.
                self.shells[shell].halts = Some((entry.millis(), self.now + 25_000));
            }
            _ => {
                if self.shells[shell].stopping {
                    return false;
                }
                self.shells[shell].stopping = true;
                self.depose(shell);
                // By then all writes under way have ended. Some wait until they show too.
                let mut at = Time(self.now).after(Duration::from_millis(5_001));
                if self.dice.percent(50, ("release", shell)) {
                    at = at.after(self.scenario.limits.settle);
                }
                self.send_shell(shell, at.0, ToShell::Release);
            }
        }
        true
    }

    fn apply_to_all(&mut self, entry: Entry) -> bool {
        let ends = entry.ends();
        let then = self.now.saturating_sub(2 * entry.millis());
        let was_led = self.api.was_led(then);
        let (api, cloud) = (&mut self.api.modes, &mut self.cloud.modes);
        match entry.fault {
            Fault::ApiDown => api.down = ends.max(api.down),
            Fault::ApiFlaky => api.flaky = ends,
            Fault::ApiDenies => api.denies = ends,
            Fault::ApiAnswersLost => api.answers_lost = ends,
            Fault::ApiSlow => api.slow = ends,
            Fault::ApiLandsLate => api.lands_late = ends,
            Fault::PodCidrsRefused => api.refuses = ends,
            Fault::EtcdRestored => {
                // Longer than any lease and until all has settled, as such a repair is: who starts
                // afresh and finds the lease unheld knows nothing of who led.
                let lapse = self.scenario.terms.duration + Duration::from_secs(5);
                let lapse = lapse + self.scenario.limits.settle;
                let ends = ends.max(Time(self.now).after(lapse).0);
                api.down = ends.max(api.down);
                let revisions = if self.dice.percent(50, "revisions") {
                    Revisions::Bumped
                } else {
                    Revisions::SetBack
                };
                self.queue.push(ends, Message::Restored { then, revisions });
            }
            Fault::EtcdRestoredFast => {
                if !was_led {
                    // Who starts afresh would take a lease that is unheld, at once.
                    return false;
                }
                api.down = ends.max(api.down);
                // Revisions that are bumped hide that the record was put back.
                let revisions = Revisions::SetBack;
                self.queue.push(ends, Message::Restored { then, revisions });
            }
            Fault::LeaseDeleted => return self.delete_lease(),
            Fault::CloudDown => cloud.down = ends,
            Fault::CloudThrottles => cloud.throttles = ends,
            Fault::CloudDenies => cloud.denies = ends,
            Fault::CloudAnswersLost => cloud.answers_lost = ends,
            Fault::CloudSlow => cloud.slow = ends,
            Fault::DeletionsDenied => cloud.denies_deletions = ends,
            Fault::ListingHangs => cloud.listing_hangs = self.now + entry.millis(),
            Fault::ListingFails => cloud.listing_fails = ends,
            Fault::ConfigAbsent => {
                self.config = None;
                self.config_changed();
                self.queue.push(ends, Message::ConfigBack);
            }
            _ => return self.apply_to_config(entry),
        }
        true
    }

    /// Not right after it was created: whether a lease was created and deleted again between two
    /// looks nobody can tell.
    fn delete_lease(&mut self) -> bool {
        let duration = self.scenario.terms.duration;
        let fresh = self.now < Time(self.api.lease_created).after(duration).0;
        !fresh && self.api.lease.take().is_some()
    }
}
