//! What happens by itself as time passes: instances start, stop, end and are forgotten, interfaces come
//! and go.

use std::time::Duration;

use signpost_emulator::Time;

use super::{InstanceState, Progress, World};

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
    Attached {
        interface: String,
        attachment: String,
    },
    Detached {
        interface: String,
        attachment: String,
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
            Event::Attached {
                interface,
                attachment,
            } => {
                if self.has_attachment(&interface, &attachment) {
                    self.progress(&interface, Progress::Attached);
                }
            }
            Event::Detached {
                interface,
                attachment,
            } => {
                if self.has_attachment(&interface, &attachment) {
                    self.part(&interface);
                }
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
        for interface in &instance.interfaces {
            if self.progress_of(interface) == Some(Progress::Attaching) {
                self.progress(interface, Progress::Attached);
            }
        }
        let spread = self.spread();
        self.instances.put(id.to_owned(), instance, spread);
    }

    /// How far an attachment is that begins now.
    pub(crate) fn first_progress(&self) -> Progress {
        if self.habits.transition.is_zero() {
            Progress::Attached
        } else {
            Progress::Attaching
        }
    }

    /// Lets an interface that was just joined to an instance be attached after a while.
    pub(crate) fn begin_attaching(&mut self, interface: &str, attachment: &str) {
        if self.habits.transition.is_zero() {
            return;
        }
        let event = Event::Attached {
            interface: interface.to_owned(),
            attachment: attachment.to_owned(),
        };
        self.schedule(self.habits.transition, event);
    }

    /// Lets an interface part from its instance after a while.
    pub(crate) fn begin_detaching(&mut self, interface: &str, attachment: &str) {
        if self.habits.transition.is_zero() {
            return self.part(interface);
        }
        self.progress(interface, Progress::Detaching);
        let event = Event::Detached {
            interface: interface.to_owned(),
            attachment: attachment.to_owned(),
        };
        self.schedule(self.habits.transition, event);
    }

    /// Whether it is still this attachment that an interface has: its instance may have ended since.
    fn has_attachment(&self, interface: &String, attachment: &str) -> bool {
        let found = self.interfaces.get(interface);
        found.is_some_and(|it| it.attachment.as_ref().is_some_and(|of| of.id == attachment))
    }

    fn progress_of(&self, interface: &String) -> Option<Progress> {
        let attachment = self.interfaces.get(interface)?.attachment.as_ref()?;
        Some(attachment.progress)
    }

    fn progress(&mut self, id: &str, progress: Progress) {
        let Some(mut interface) = self.interfaces.get(&id.to_owned()).cloned() else {
            return;
        };
        if let Some(attachment) = &mut interface.attachment {
            attachment.progress = progress;
        }
        let spread = self.spread();
        self.interfaces.put(id.to_owned(), interface, spread);
    }

    /// Takes an interface from its instance, of which both go on.
    fn part(&mut self, id: &str) {
        let Some(mut interface) = self.interfaces.get(&id.to_owned()).cloned() else {
            return;
        };
        let spread = self.spread();
        let of = interface.attachment.take().map(|of| of.instance);
        self.interfaces.put(id.to_owned(), interface, spread);
        if let Some(of) = of
            && let Some(mut instance) = self.instances.get(&of).cloned()
        {
            instance.interfaces.retain(|other| other != id);
            self.instances.put(of, instance, spread);
        }
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
