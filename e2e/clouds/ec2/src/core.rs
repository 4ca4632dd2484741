//! What all parts of a running emulator share.

use std::collections::BTreeMap;

use signpost_emulator::Time;

use crate::buckets::Buckets;
use crate::faults::FaultKind;
use crate::metadata::Metadata;
use crate::model::World;
use crate::policy::Policy;
use crate::settings::{Options, Settings};
use crate::xml::Fields;

/// Answers by account, action and client token, each with the parameters that it was given for.
pub(crate) type Tokens = BTreeMap<(String, String, String), (BTreeMap<String, String>, Fields)>;

/// What changes under one lock.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) buckets: Buckets,
    pub(crate) settings: Settings,
    pub(crate) tokens: Tokens,
    pub(crate) metadata: Metadata,
    /// By access key or role.
    pub(crate) policies: BTreeMap<String, Policy>,
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
        region,
        account,
        seed,
        settings,
        ..
    } = options;
    let mut buckets = Buckets::default();
    buckets.enforced = settings.rates;
    buckets.overrides.clone_from(&settings.rate_overrides);
    let state = State {
        world: World::new(region, account, *seed, settings.habits()),
        buckets,
        settings: settings.clone(),
        tokens: Tokens::new(),
        metadata: Metadata::new(seed.wrapping_add(2)),
        policies: BTreeMap::new(),
    };
    let seed = seed.wrapping_add(1);
    Core::new(state, settings.speed, settings.record_bodies, seed)
}

pub(crate) fn apply(core: &Core, settings: Settings) {
    core.run(settings.speed, settings.record_bodies);
    core.with(|state| {
        state.world.habits = settings.habits();
        state.buckets.enforced = settings.rates;
        state.buckets.overrides.clone_from(&settings.rate_overrides);
        state.settings = settings;
    });
}
