//! What happens by itself as time passes: instances start, stop, end and are forgotten.

use std::time::Duration;

use crate::clock::Time;

use super::{InstanceState, World};

/// How long terminated instances are listed.
const REMEMBERED: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
pub(super) enum Event {
    Arrives {
        instance: String,
        from: InstanceState,
    },
    Forgotten {
        instance: String,
    },
}

impl World {
    /// Lets everything happen that is due until `now`.
    pub(crate) fn advance(&mut self, now: Time) {
        while let Some(entry) = self.due.first_entry() {
            let at = entry.key().0;
            if at > now {
                break;
            }
            let event = entry.remove();
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(now);
    }

    /// When something happens by itself.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.next_event += 1;
        self.due.insert((self.now + after, self.next_event), event);
    }

    /// Brings an instance into a state from which it goes on by itself.
    pub(crate) fn begin(&mut self, id: &str, state: InstanceState) {
        let Some(mut instance) = self.instances.get(&id.to_owned()).cloned() else {
            return;
        };
        instance.state = state;
        let spread = self.spread();
        self.instances.put(id.to_owned(), instance, spread);
        let event = Event::Arrives {
            instance: id.to_owned(),
            from: state,
        };
        self.schedule(self.habits.transition, event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives { instance: id, from } => self.arrive(&id, from),
            Event::Forgotten { instance: id } => {
                let spread = self.spread();
                self.instances.remove(&id, spread);
                self.drop_tags(&id);
            }
        }
    }

    fn arrive(&mut self, id: &str, from: InstanceState) {
        let Some(mut instance) = self.instances.get(&id.to_owned()).cloned() else {
            return;
        };
        if instance.state != from {
            return;
        }
        instance.state = match from {
            InstanceState::Pending => InstanceState::Running,
            InstanceState::Stopping => InstanceState::Stopped,
            InstanceState::ShuttingDown => InstanceState::Terminated,
            settled => settled,
        };
        if instance.state == InstanceState::Terminated {
            for interface in std::mem::take(&mut instance.interfaces) {
                self.release(&interface);
            }
            self.schedule(
                REMEMBERED,
                Event::Forgotten {
                    instance: id.to_owned(),
                },
            );
        }
        let spread = self.spread();
        self.instances.put(id.to_owned(), instance, spread);
    }

    /// Takes an interface from an instance that ended: most end with it.
    pub(crate) fn release(&mut self, id: &str) {
        let Some(mut interface) = self.interfaces.get(&id.to_owned()).cloned() else {
            return;
        };
        let spread = self.spread();
        if interface
            .attachment
            .take()
            .is_some_and(|attachment| attachment.delete_on_termination)
        {
            self.free_addresses(&interface.subnet, &interface.addresses, &interface.ipv6);
            self.interfaces.remove(&id.to_owned(), spread);
            self.drop_tags(id);
        } else {
            self.interfaces.put(id.to_owned(), interface, spread);
        }
    }
}
