//! The model of a controller's process: election, watch and engine, as the real shell has them.

mod election;
mod watch;

use std::{collections::VecDeque, sync::Arc};

use signpost_core::{
    Event, Time,
    lease::{Election, Terms},
};

use crate::{
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
    /// The last list that was told, with which the watch begins.
    pub(crate) stream: u32,
    /// The watch brings changes; it does not while it is broken or a list is on its way.
    pub(crate) watching: bool,
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
            watching: false,
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
        self.coverage.count(&*self.shells[shell].brain);
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
                // A list that was asked for before the last one is of no use any more.
                if stream == place.streams && stream > place.stream {
                    (place.stream, place.next, place.base) = (stream, upto, upto);
                    place.watching = true;
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
