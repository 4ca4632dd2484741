//! The whole world: what is where, and what happens next.

use signpost_core::{Config, Event, PoolConfig};

use crate::{
    api::Api,
    brain::MakeBrain,
    cloud::Cloud,
    coverage::Coverage,
    dice::Dice,
    faults::{Entry, Fault},
    invariants::{Invariant, Rest, Violation},
    queue::{Message, Queue, ToShell},
    rules::Rule,
    scenario::Scenario,
    shell::Shell,
    trail::{self, Trail},
};

/// So many events for one engine in one millisecond are a busy loop.
const BUSY: u32 = 2_000;

/// The world.
pub(crate) struct World<'a> {
    pub(crate) scenario: Scenario,
    pub(crate) entries: &'a [Entry],
    pub(crate) make: MakeBrain<'a>,
    pub(crate) now: u64,
    pub(crate) queue: Queue,
    pub(crate) dice: Dice,
    pub(crate) api: Api,
    pub(crate) cloud: Cloud,
    pub(crate) shells: Vec<Shell>,
    /// The `PodNetwork` object; `None` while it is absent.
    pub(crate) config: Option<Config>,
    /// What it says when it is there.
    pub(crate) wishes: Config,
    /// Pools that were removed, the latest last.
    pub(crate) removed: Vec<PoolConfig>,
    /// How many pools were added.
    pub(crate) pools_made: u8,
    pub(crate) watch_delayed: [u64; 2],
    pub(crate) coverage: Coverage,
    pub(crate) trail: Trail,
    pub(crate) rest: Rest,
    pub(crate) violation: Option<Violation>,
    /// Every write of a route that was ever sent has happened by then, or never will.
    pub(crate) routes_land: Option<u64>,
    /// The same for writes to nodes.
    pub(crate) api_lands: u64,
    /// When etcd was restored last.
    pub(crate) restored: Option<u64>,
    /// Somebody has led before.
    pub(crate) led: bool,
    /// A write is sent although the fence has passed. Wrong on purpose, for a test.
    pub(crate) unfenced: bool,
    announced: usize,
    keeps_past: bool,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        scenario: Scenario,
        entries: &'a [Entry],
        make: MakeBrain<'a>,
        trail: Trail,
    ) -> Self {
        let shells = (0..2)
            .map(|shell| Shell::new(shell, scenario.terms))
            .collect();
        let calm = entries.iter().map(Entry::ends).max().unwrap_or(0) + 1_000;
        let mut world = Self {
            entries,
            make,
            now: 0,
            queue: Queue::default(),
            dice: Dice::new(scenario.seed),
            api: Api::new(),
            cloud: Cloud::new(scenario.limits, scenario.habits),
            shells,
            config: Some(scenario.config.clone()),
            wishes: scenario.config.clone(),
            removed: Vec::new(),
            pools_made: 0,
            watch_delayed: [0; 2],
            coverage: Coverage::default(),
            trail,
            rest: Rest::new(calm),
            violation: None,
            routes_land: None,
            api_lands: 0,
            restored: None,
            led: false,
            unfenced: false,
            announced: 0,
            keeps_past: entries
                .iter()
                .any(|entry| matches!(entry.fault, Fault::EtcdRestored | Fault::EtcdRestoredFast)),
            scenario,
        };
        world.set_up(calm);
        world
    }

    fn set_up(&mut self, calm: u64) {
        for _ in 0..self.scenario.tables {
            self.cloud.add_table();
        }
        for node in 0..self.scenario.nodes {
            self.join(node);
        }
        self.queue.push(0, Message::Start { shell: 0 });
        let second = self.dice.span(0..=20_000, "second controller");
        self.queue.push(second, Message::Start { shell: 1 });
        for (index, entry) in self.entries.iter().enumerate() {
            self.queue.push(entry.at, Message::Entry(index));
        }
        if self.scenario.heal {
            self.queue.push(calm, Message::Heal);
        }
        self.queue.push(calm, Message::Inspect);
    }

    /// Runs until an invariant is broken or all has come to rest.
    pub(crate) fn run(&mut self) {
        while self.violation.is_none()
            && !self.rest.reached
            && let Some((at, message)) = self.queue.pop()
        {
            self.now = at;
            self.api.pass(at);
            self.coverage.steps += 1;
            self.dispatch(message);
            self.announce();
        }
        for shell in &self.shells {
            if let Some(brain) = &shell.brain {
                self.coverage.count(&**brain);
            }
        }
        self.coverage.schedules = 1;
        self.coverage.simulated = self.now;
    }

    fn dispatch(&mut self, message: Message) {
        match message {
            Message::Entry(index) => {
                let entry = self.entries[index];
                let effect = self.apply(entry);
                if effect {
                    *self.coverage.faults.entry(entry.fault).or_default() += 1;
                }
                self.note(|| {
                    let idle = if effect { "" } else { " (no effect)" };
                    format!("======== {}{idle}", entry.to_string().trim_start())
                });
            }
            Message::Inspect => self.inspect(),
            Message::Start { shell } => self.start(shell),
            Message::Resume { shell } => self.resume(shell),
            Message::Heal => self.heal(),
            Message::Complete { key, labels } => self.complete(&key, labels),
            Message::Recreate => self.recreate_network(),
            Message::ConfigBack => {
                self.config = Some(self.wishes.clone());
                self.config_changed();
            }
            Message::Restored { then, revisions } => {
                self.api.restore(then, revisions, self.now);
                self.restored = Some(self.now);
                self.note(|| format!("======== restored as of {then}, revisions {revisions:?}"));
                if self.shells.iter().any(Shell::leads) {
                    self.meet(Rule::RestoredWhileLeading);
                }
                for shell in 0..self.shells.len() {
                    self.break_watch(shell);
                    self.send_shell(shell, self.now + 1, ToShell::Relist);
                }
            }
            Message::ToShell {
                shell,
                life,
                term,
                what,
            } => self.shell_message(shell, life, term, what),
            Message::ToApi { from, call } => self.api_arrival(from, call),
            Message::Lands { from, call } => self.api_lands(from, &call),
            Message::Contest { key, until } => self.contest(&key, until),
            Message::OperationEnds { place } => self.operation_ends(place),
            Message::ToCloud { from, call } => self.cloud_arrival(from, call),
        }
    }

    /// Tells the watches what has changed.
    fn announce(&mut self) {
        if self.api.log.len() > self.announced {
            self.announced = self.api.log.len();
            for shell in 0..self.shells.len() {
                self.watch_goes_on(shell);
            }
            if self.keeps_past {
                self.api.snapshot(self.now);
            }
        }
    }

    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        self.trail.note(self.now, line);
    }

    /// A situation was met for which there is a rule.
    pub(crate) fn meet(&mut self, rule: Rule) {
        *self.coverage.rules.entry(rule).or_default() += 1;
    }

    /// Notes that an invariant is broken; the first one counts.
    pub(crate) fn broken(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let what = what();
            self.note(|| format!("!!!!!!!! {invariant}: {what}"));
            self.violation = Some(Violation {
                invariant,
                at: self.now,
                what,
            });
        }
    }

    /// Hands an event to the engine of a leader and carries out what it says.
    pub(crate) fn tell(&mut self, shell: usize, event: Event) {
        if self.violation.is_some() || !self.shells[shell].leads() {
            return;
        }
        self.coverage.events += 1;
        self.note(|| format!("{shell} ◄ {}", trail::event(&event)));
        let now = self.local(shell);
        let place = &mut self.shells[shell];
        place.burst = match place.burst {
            (at, count) if at == now.0 => (at, count + 1),
            _ => (now.0, 1),
        };
        let busy = place.burst.1 > BUSY;
        self.meet_event(shell, &event);
        let place = &mut self.shells[shell];
        place.known.learn(&event, self.now);
        let actions = place
            .brain
            .as_mut()
            .map(|brain| brain.handle(event, now))
            .unwrap_or_default();
        if busy {
            self.broken(Invariant::I7, || "the engine runs in circles".into());
        }
        for action in actions {
            self.act(shell, action);
        }
        self.check_told(shell);
        self.set_alarm(shell);
    }

    /// Has every controller read the configuration.
    pub(crate) fn config_changed(&mut self) {
        for shell in 0..self.shells.len() {
            let lag = self.dice.span(1..=500, ("config", shell));
            self.send_shell(shell, self.now + lag, ToShell::Config);
        }
    }

    /// Changes what the configuration says.
    pub(crate) fn configure(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.wishes);
        self.wishes.generation += 1;
        if self.config.is_some() {
            self.config = Some(self.wishes.clone());
            self.config_changed();
        }
    }
}
