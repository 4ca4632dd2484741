//! Carries out the entries of a schedule.

mod nodes;
mod routes;

use std::time::Duration;

use signpost_core::{PoolState, Time};

use crate::{
    faults::{Entry, Fault, Target},
    queue::{Message, ToShell},
    scenario::pool,
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
        let (api, cloud) = (&mut self.api.modes, &mut self.cloud.modes);
        match entry.fault {
            Fault::ApiDown => api.down = ends.max(api.down),
            Fault::ApiFlaky => api.flaky = ends,
            Fault::ApiDenies => api.denies = ends,
            Fault::ApiAnswersLost => api.answers_lost = ends,
            Fault::ApiSlow => api.slow = ends,
            Fault::EtcdRestored => {
                api.down = ends.max(api.down);
                let then = self.now.saturating_sub(2 * entry.millis());
                self.queue.push(ends, Message::Restored { then });
            }
            Fault::LeaseDeleted => return self.delete_lease(),
            Fault::CloudDown => cloud.down = ends,
            Fault::CloudThrottles => cloud.throttles = ends,
            Fault::CloudDenies => cloud.denies = ends,
            Fault::CloudAnswersLost => cloud.answers_lost = ends,
            Fault::CloudSlow => cloud.slow = ends,
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
        let fresh = self.now < self.api.lease_created + 15_000;
        !fresh && self.api.lease.take().is_some()
    }

    fn apply_to_config(&mut self, entry: Entry) -> bool {
        let amount = entry.amount;
        match entry.fault {
            Fault::PoolAdded => {
                let number = self.wishes.pools.len();
                let cidr = format!("10.{}.0.0/26", 100 + number);
                let added = pool(&format!("added-{number}"), &cidr, 28);
                self.configure(|config| config.pools.push(added));
            }
            Fault::PoolRemoved => {
                if self.wishes.pools.len() < 2 {
                    return false;
                }
                self.configure(|config| {
                    config.pools.pop();
                });
            }
            Fault::PercentChanged => {
                let percent = [0, 10, 50, 100][usize::from(amount) % 4];
                if self.wishes.max_deletion_percent == percent {
                    return false;
                }
                self.configure(|config| config.max_deletion_percent = percent);
            }
            _ => {
                let rare = amount.is_multiple_of(3) && !self.wishes.teardown;
                if rare {
                    self.configure(|config| config.teardown = true);
                }
                return rare;
            }
        }
        true
    }

    pub(crate) fn toggle_pool(&mut self, nth: u8) {
        self.configure(|config| {
            let count = config.pools.len();
            let pool = &mut config.pools[usize::from(nth) % count];
            pool.state = match pool.state {
                PoolState::Active => PoolState::Draining,
                PoolState::Draining => PoolState::Active,
            };
        });
    }
}
