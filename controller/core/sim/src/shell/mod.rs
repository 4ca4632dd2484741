//! The model of a controller's process: election, watch and engine, as the real shell has them.

mod election;
mod watch;
mod writes;

use std::{collections::VecDeque, sync::Arc};

use signpost_core::{
    Config, Event, Time,
    lease::{Election, Terms},
    shell::{Ended, Feed, Writes},
};

use crate::{
    api::lease::Lease,
    brain::Brain,
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
    /// At its next write, if that is begun in time, it stands still for so long after it looked at
    /// the fence.
    pub(crate) halts: Option<(u64, u64)>,
    /// Until when it does.
    pub(crate) halted_until: u64,
    /// What arrived while it stood still.
    backlog: VecDeque<(Option<u32>, ToShell)>,
    pub(crate) election: Election,
    /// The lease as our last successful write left it.
    written: Option<Lease>,
    /// The lease was won, and not lost since.
    elected: bool,
    /// So long the write of the lease that is under way is waited for.
    patience: Time,
    /// Counts the leaderships of this process.
    pub(crate) term: u32,
    /// The engine of the present leadership; `None` unless it leads.
    pub(crate) brain: Option<Box<dyn Brain>>,
    /// What the engine was told and what it began.
    pub(crate) known: Knowledge,
    /// What the engine was told of nodes.
    feed: Feed,
    /// What this process has written.
    pub(crate) writes: Writes,
    /// The configuration as it was read last.
    config: Option<Config>,
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
    pub(crate) fn new(shell: usize, terms: Terms) -> Self {
        Self {
            life: 0,
            state: State::Down,
            stopping: false,
            halts: None,
            halted_until: 0,
            backlog: VecDeque::new(),
            election: Election::new(identity(shell, 0), terms),
            written: None,
            elected: false,
            patience: Time(0),
            term: 0,
            brain: None,
            known: Knowledge::default(),
            feed: Feed::default(),
            writes: Writes::default(),
            config: None,
            stream: 0,
            watching: false,
            streams: 0,
            next: 0,
            base: 0,
            wake_at: None,
            burst: (0, 0),
        }
    }

    /// It may write, or did not notice yet that it may not.
    pub(crate) fn leads(&self) -> bool {
        self.brain.is_some()
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
        let term = None;
        self.queue.push(
            at,
            Message::ToShell {
                shell,
                life,
                term,
                what,
            },
        );
    }

    pub(crate) fn start(&mut self, shell: usize) {
        let life = self.shells[shell].life + 1;
        let terms = self.scenario.terms;
        let mut fresh = Shell::new(shell, terms);
        fresh.life = life;
        fresh.state = State::Up;
        fresh.election = Election::new(identity(shell, life), terms);
        self.shells[shell] = fresh;
        self.note(|| format!("controller {shell} starts"));
        let config = self.dice.span(1..=2_000, ("first config", shell));
        self.send_shell(shell, self.now + config, ToShell::Config);
        let look = self.dice.span(1..=500, ("first look", shell));
        self.send_shell(shell, self.now + look, ToShell::Look);
    }

    /// Ends a process at once.
    pub(crate) fn kill(&mut self, shell: usize, back_after: u64) -> bool {
        if self.shells[shell].state == State::Down {
            return false;
        }
        self.end_leadership(shell);
        let life = self.shells[shell].life;
        self.shells[shell] = Shell::new(shell, self.scenario.terms);
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
            && let Some((term, what)) = self.shells[shell].backlog.pop_front()
        {
            self.step(shell, term, what);
        }
    }

    pub(crate) fn shell_message(
        &mut self,
        shell: usize,
        life: u32,
        term: Option<u32>,
        what: ToShell,
    ) {
        let place = &mut self.shells[shell];
        if place.life != life {
            return;
        }
        match place.state {
            State::Down => {}
            State::Paused => place.backlog.push_back((term, what)),
            State::Up => self.step(shell, term, what),
        }
    }

    fn step(&mut self, shell: usize, term: Option<u32>, what: ToShell) {
        let now = self.local(shell);
        let lapsed = self.shells[shell].leads() && !self.shells[shell].election.may_write(now);
        // A real shell may take the message or the timer first.
        let event_first = lapsed && self.dice.percent(50, ("fence", shell));
        if lapsed && !event_first {
            self.depose(shell);
        }
        let earlier = term.is_some_and(|term| term != self.shells[shell].term);
        match what {
            // Nobody is there any more who asked.
            ToShell::Read { .. } | ToShell::ReadAgain(_) | ToShell::Ended(_) if earlier => {}
            ToShell::Look => self.look(shell),
            ToShell::LeaseRead(found) => self.lease_read(shell, found),
            ToShell::LeaseWritten {
                begun,
                handover,
                result,
            } => self.lease_written(shell, begun, handover, result),
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
                self.shells[shell].config.clone_from(&config);
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
                    let event = place.feed.listed(nodes);
                    self.tell(shell, event);
                    self.watch_goes_on(shell);
                }
            }
            ToShell::Read { key, reading, node } => self.node_read(shell, key, &reading, node),
            ToShell::ReadAgain(key) => self.read_node(shell, &key),
            ToShell::Event(event) => {
                self.end_write(shell, &event);
                if !earlier {
                    self.tell(shell, event);
                }
            }
            // What becomes of it is not a matter of who leads any more.
            ToShell::Accepted(place) => self.end(shell, place, Ended::Known),
            ToShell::Ended(event) => self.tell(shell, event),
        }
        if event_first {
            self.depose(shell);
        }
    }

    /// Has the engine woken when it wants to be.
    pub(crate) fn set_alarm(&mut self, shell: usize) {
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        let Some(wake) = place.brain.as_ref().and_then(|brain| brain.next_wake()) else {
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
