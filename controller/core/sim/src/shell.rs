//! The model of a controller's process: election, watch and engine, as the real shell has them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use signpost_core::{
    Event, Time,
    event::ApiError,
    lease::{Election, Record, Step, Terms},
};

use crate::{
    api::{ApiCall, Change},
    brain::Brain,
    dice::mix,
    knowledge::Knowledge,
    queue::{Message, ToShell},
    world::World,
};

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// There is none.
    Down,
    /// It stands still; what arrives waits.
    Paused,
    /// It runs.
    Up,
}

/// A controller's process, or the place of one that is not running.
pub(crate) struct Shell {
    /// Counts the processes that ran here.
    pub(crate) life: u32,
    pub(crate) state: State,
    /// Stops in good order: begins nothing new.
    pub(crate) stopping: bool,
    /// What arrived while it stood still.
    backlog: VecDeque<ToShell>,
    pub(crate) election: Election,
    /// The engine was told that it is elected.
    pub(crate) leader: bool,
    pub(crate) brain: Box<dyn Brain>,
    /// What the engine was told and what it began.
    pub(crate) known: Knowledge,
    /// The watch that is in force; others are broken.
    pub(crate) stream: u32,
    streams: u32,
    /// The first change of the log that the watch has not brought yet.
    next: usize,
    /// The first change after the list that the watch began with.
    base: usize,
    wake_at: Option<Time>,
    /// How many events the engine got in this millisecond.
    pub(crate) burst: (u64, u32),
}

/// The name under which a process stands for election.
pub(crate) fn identity(shell: usize, life: u32) -> Arc<str> {
    format!("controller-{shell}-{life}").into()
}

impl Shell {
    pub(crate) fn new(shell: usize, brain: Box<dyn Brain>) -> Self {
        Self {
            life: 0,
            state: State::Down,
            stopping: false,
            backlog: VecDeque::new(),
            election: Election::new(identity(shell, 0), Terms::default()),
            leader: false,
            brain,
            known: Knowledge::default(),
            stream: 0,
            streams: 0,
            next: 0,
            base: 0,
            wake_at: None,
            burst: (0, 0),
        }
    }
}

impl World<'_> {
    /// The time on a controller's own clock.
    pub(crate) fn local(&self, shell: usize) -> Time {
        Time(self.now + self.scenario.origins[shell])
    }

    fn to_world(&self, shell: usize, time: Time) -> u64 {
        time.0
            .saturating_sub(self.scenario.origins[shell])
            .max(self.now)
    }

    /// Sends something to the present life of a controller.
    pub(crate) fn send_shell(&mut self, shell: usize, at: u64, what: ToShell) {
        let life = self.shells[shell].life;
        self.queue.push(at, Message::ToShell { shell, life, what });
    }

    pub(crate) fn start(&mut self, shell: usize) {
        let life = self.shells[shell].life + 1;
        let seed = mix(mix(self.scenario.seed, shell as u64), u64::from(life));
        let mut fresh = Shell::new(shell, (self.make)(self.scenario.limits, seed));
        fresh.life = life;
        fresh.state = State::Up;
        fresh.election = Election::new(identity(shell, life), Terms::default());
        self.shells[shell] = fresh;
        self.note(|| format!("controller {shell} starts"));
        let config = self.dice.span(1..=2_000, ("first config", shell));
        self.send_shell(shell, self.now + config, ToShell::Config);
        let look = self.dice.span(1..=500, ("first look", shell));
        self.send_shell(shell, self.now + look, ToShell::Look);
        self.send_shell(shell, self.now + 1, ToShell::Relist);
    }

    /// Ends a process at once.
    pub(crate) fn kill(&mut self, shell: usize, back_after: u64) -> bool {
        if self.shells[shell].state == State::Down {
            return false;
        }
        let life = self.shells[shell].life;
        let brain = (self.make)(self.scenario.limits, 0);
        self.shells[shell] = Shell::new(shell, brain);
        self.shells[shell].life = life;
        self.queue
            .push(self.now + back_after, Message::Start { shell });
        true
    }

    pub(crate) fn resume(&mut self, shell: usize) {
        if self.shells[shell].state == State::Paused {
            self.shells[shell].state = State::Up;
        }
        while self.shells[shell].state == State::Up
            && let Some(what) = self.shells[shell].backlog.pop_front()
        {
            self.step(shell, what);
        }
    }

    pub(crate) fn shell_message(&mut self, shell: usize, life: u32, what: ToShell) {
        let place = &mut self.shells[shell];
        if place.life != life {
            return;
        }
        match place.state {
            State::Down => {}
            State::Paused => place.backlog.push_back(what),
            State::Up => self.step(shell, what),
        }
    }

    fn step(&mut self, shell: usize, what: ToShell) {
        let now = self.local(shell);
        let lapsed = self.shells[shell].leader && !self.shells[shell].election.may_write(now);
        // A real shell may take the message or the timer first.
        let event_first = lapsed && self.dice.percent(50, ("fence", shell));
        if lapsed && !event_first {
            self.depose(shell);
        }
        match what {
            ToShell::Look => self.look(shell),
            ToShell::LeaseRead(record) => self.lease_read(shell, record),
            ToShell::LeaseWritten { begun, result } => self.lease_written(shell, begun, result),
            ToShell::Fence => {}
            ToShell::Release => self.release(shell),
            ToShell::Wake => {
                // Another alarm may have been set meanwhile.
                if self.shells[shell].wake_at.is_some_and(|at| at <= now) {
                    self.shells[shell].wake_at = None;
                    self.tell(shell, Event::Wake);
                }
            }
            ToShell::Elect => self.elect(shell),
            ToShell::Config => {
                let config = self.config.clone();
                self.tell(shell, Event::Configured(config));
            }
            ToShell::Relist => self.relist(shell),
            ToShell::Watch { stream, upto } => self.watch(shell, stream, upto),
            ToShell::Nodes {
                stream,
                nodes,
                upto,
            } => {
                let place = &mut self.shells[shell];
                if stream > place.stream {
                    (place.stream, place.next, place.base) = (stream, upto, upto);
                    self.tell(shell, Event::NodesListed(nodes));
                    self.watch_goes_on(shell);
                }
            }
            ToShell::Read { key, node, upto } => self.node_read(shell, &key, node, upto),
            ToShell::Event(event) => self.tell(shell, event),
        }
        if event_first && self.shells[shell].leader {
            self.depose(shell);
        }
    }

    /// Tells the engine that it may not write any more.
    pub(crate) fn depose(&mut self, shell: usize) {
        if std::mem::take(&mut self.shells[shell].leader) {
            self.tell(shell, Event::Deposed);
        }
    }

    fn look(&mut self, shell: usize) {
        if !self.shells[shell].stopping {
            self.send_api(shell, ApiCall::ReadLease);
        }
    }

    fn look_after(&mut self, shell: usize, span: Duration) {
        let at = Time(self.now).after(span).0;
        self.send_shell(shell, at, ToShell::Look);
    }

    fn lease_read(&mut self, shell: usize, record: Result<Option<Record>, ApiError>) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let Ok(record) = record else {
            let span = place.election.terms().look_every;
            self.look_after(shell, span);
            return;
        };
        if place.stopping {
            return;
        }
        let exists = record.is_some();
        let holder = identity(shell, place.life);
        let over = match place.election.decide(record, now) {
            Step::Create => None,
            Step::Take { version, .. } => Some(version),
            Step::Wait(until) => {
                if exists {
                    place.election.lost();
                    self.depose(shell);
                }
                let at = self.to_world(shell, until);
                self.send_shell(shell, at, ToShell::Look);
                return;
            }
        };
        let begun = now;
        self.send_api(
            shell,
            ApiCall::WriteLease {
                over,
                holder,
                begun,
            },
        );
    }

    fn lease_written(&mut self, shell: usize, begun: Time, result: Result<(), ApiError>) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let terms = place.election.terms();
        if result.is_err() {
            self.look_after(shell, Duration::from_millis(500));
            return;
        }
        place.election.renewed(begun);
        let fence = place.election.fence().unwrap_or(now);
        let next = self.to_world(shell, begun.after(terms.renew_every));
        self.send_shell(shell, next, ToShell::Look);
        let at = self.to_world(shell, fence);
        self.send_shell(shell, at, ToShell::Fence);
        self.elect(shell);
    }

    /// Tells the engine that it may write; a patient shell only once nothing of an earlier term is
    /// under way any more.
    fn elect(&mut self, shell: usize) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        if place.leader || place.stopping || !place.election.may_write(now) {
            return;
        }
        if place.known.writing() && self.scenario.patient {
            return self.send_shell(shell, self.now + 100, ToShell::Elect);
        }
        place.leader = true;
        self.tell(shell, Event::Elected);
        self.relist(shell);
    }

    /// Nothing is under way any more: gives the lease back and ends.
    fn release(&mut self, shell: usize) {
        let me = identity(shell, self.shells[shell].life);
        if self.api.holder() == Some(&me) {
            let over = self.api.lease.as_ref().map(|lease| lease.version.clone());
            // A release that fails is a crash, which is another fault.
            let _ = self.api.write_lease(over.as_ref(), &"".into());
        }
        let back = self.dice.span(100..=20_000, ("back", shell));
        self.kill(shell, back);
    }

    fn relist(&mut self, shell: usize) {
        let place = &mut self.shells[shell];
        place.streams += 1;
        let stream = place.streams;
        self.send_api(shell, ApiCall::ListNodes { stream });
    }

    /// The watch in force breaks.
    pub(crate) fn break_watch(&mut self, shell: usize) {
        let place = &mut self.shells[shell];
        place.streams += 1;
        place.stream = place.streams;
    }

    /// The watch in force starts again from an earlier change.
    pub(crate) fn rewind_watch(&mut self, shell: usize, by: usize) -> bool {
        let place = &mut self.shells[shell];
        let to = place.next.saturating_sub(by).max(place.base);
        let back = to < place.next;
        place.next = to;
        if back {
            self.watch_goes_on(shell);
        }
        back
    }

    /// Brings what has changed up to now, after a while.
    pub(crate) fn watch_goes_on(&mut self, shell: usize) {
        let upto = self.api.log.len();
        let lag = if self.now < self.watch_delayed[shell] {
            200..=8_000
        } else {
            1..=60
        };
        let lag = self.dice.span(lag, ("watch", shell, upto));
        let stream = self.shells[shell].stream;
        self.send_shell(shell, self.now + lag, ToShell::Watch { stream, upto });
    }

    fn watch(&mut self, shell: usize, stream: u32, upto: usize) {
        while self.shells[shell].stream == stream && self.shells[shell].next < upto {
            let next = self.shells[shell].next;
            self.shells[shell].next += 1;
            let event = match &self.api.log[next] {
                Change::Seen(node) => Event::NodeSeen(node.clone()),
                Change::Gone(key) => Event::NodeGone(key.clone()),
            };
            self.tell(shell, event);
        }
    }

    /// A node that was read on request. What the watch brought meanwhile is newer.
    fn node_read(
        &mut self,
        shell: usize,
        key: &signpost_core::NodeKey,
        node: Option<signpost_core::Node>,
        upto: usize,
    ) {
        let newer = self.api.log[upto..self.shells[shell].next.max(upto)]
            .iter()
            .rfind(|change| change.key().name == key.name);
        let node = match newer {
            Some(Change::Seen(node)) => Some(node.clone()),
            Some(Change::Gone(_)) => None,
            None => node,
        };
        let event = match node {
            Some(node) if node.key == *key => Event::NodeSeen(node),
            _ => Event::NodeGone(key.clone()),
        };
        self.tell(shell, event);
    }

    /// Has the engine woken when it wants to be.
    pub(crate) fn set_alarm(&mut self, shell: usize) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let Some(wake) = place.brain.next_wake() else {
            return;
        };
        let wake = wake.max(now);
        if place.wake_at.is_none_or(|set| wake < set) {
            place.wake_at = Some(wake);
            let at = self.to_world(shell, wake);
            self.send_shell(shell, at, ToShell::Wake);
        }
    }
}
