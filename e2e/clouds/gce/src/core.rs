//! What all parts of a running emulator share.

use signpost_emulator::Time;

use crate::faults::FaultKind;
use crate::identity::Tokens;
use crate::model::World;
use crate::permissions::Permissions;
use crate::rates::Rates;
use crate::settings::{Options, Settings};

/// What changes under one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) rates: Rates,
    pub(crate) permissions: Permissions,
    pub(crate) tokens: Tokens,
}

pub(crate) type Core = signpost_emulator::Core<State, FaultKind>;

impl signpost_emulator::World for State {
    fn advance(&mut self, now: Time) {
        self.world.advance(now);
    }

    fn next_due(&self) -> Option<Time> {
        self.world.next_due()
    }

    fn version(&self) -> u64 {
        self.world.version()
    }
}

pub(crate) fn new(options: &Options) -> Core {
    let Options {
        projects,
        hosts,
        seed,
        settings,
        ..
    } = options;
    let state = State {
        world: World::new(projects, hosts, *seed, settings.clone()),
        rates: Rates::default(),
        permissions: Permissions::default(),
        tokens: Tokens::new(projects, seed.wrapping_add(2)),
    };
    let seed = seed.wrapping_add(1);
    Core::new(state, settings.speed, settings.record_bodies, seed)
}

pub(crate) fn apply(core: &Core, settings: Settings) {
    core.run(settings.speed, settings.record_bodies);
    core.with(|state| state.world.settings = settings);
}

/// A moment as the API writes it: RFC 3339 with milliseconds, in the time of Google's own place.
pub(crate) fn date(core: &Core, time: Time) -> String {
    let place = jiff::tz::Offset::constant(-8);
    let date = place.to_datetime(core.clock.date(time));
    date.strftime("%Y-%m-%dT%H:%M:%S%.3f-08:00").to_string()
}
