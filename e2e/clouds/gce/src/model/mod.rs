//! What there is: resources by their paths, as they are and as readers see them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use signpost_emulator::{Spread, Store, Time, View, seconds};

use crate::settings::Settings;

mod ids;
mod operations;
mod places;

pub(crate) use operations::{Begun, Effect, Failure, Operation, Pending};
pub(crate) use places::{regions, zones};

/// The world that is emulated.
#[derive(Debug)]
pub(crate) struct World {
    /// Networks, subnetworks, routes and instances by their paths. All links in them are paths.
    pub(crate) resources: Store<String, Value>,
    /// Operations by their paths.
    pub(crate) operations: BTreeMap<String, Operation>,
    /// What is being created, changed or deleted.
    pub(crate) pending: BTreeMap<String, Pending>,
    /// Requests by project and `requestId`: what they asked for, and the operation that they began.
    pub(crate) requests: BTreeMap<(String, String), (String, String)>,
    /// The projects' numbers by their ids.
    pub(crate) projects: BTreeMap<String, u64>,
    /// Host projects by service projects.
    pub(crate) hosts: BTreeMap<String, String>,
    pub(crate) settings: Settings,
    pub(crate) now: Time,
    /// How far the reader is behind whose call is being answered.
    reading: Time,
    due: BTreeMap<(Time, u64), String>,
    events: u64,
    changes: u64,
    random: fastrand::Rng,
}

impl World {
    pub(crate) fn new(
        projects: &[String],
        hosts: &BTreeMap<String, String>,
        seed: u64,
        settings: Settings,
    ) -> Self {
        let numbered = projects.iter().enumerate();
        Self {
            resources: Store::default(),
            operations: BTreeMap::new(),
            pending: BTreeMap::new(),
            requests: BTreeMap::new(),
            projects: numbered
                .map(|(index, id)| (id.clone(), 100_000_000_001 + index as u64))
                .collect(),
            hosts: hosts.clone(),
            settings,
            now: Time::ZERO,
            reading: Time::ZERO,
            due: BTreeMap::new(),
            events: 0,
            changes: 0,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Grows with every change.
    pub(crate) fn version(&self) -> u64 {
        self.resources.changes() + self.changes
    }

    /// A random part of a number of seconds.
    fn part(&mut self, most: f64) -> Duration {
        seconds(most * self.random.f64())
    }

    fn spread(&mut self) -> Spread {
        let propagation = self.part(self.settings.propagation);
        Spread {
            now: self.now,
            seen: self.now + propagation,
        }
    }

    /// The project that a request names by its id or its number.
    pub(crate) fn project(&self, name: &str) -> Option<&str> {
        let mut projects = self.projects.iter();
        let found = projects.find(|(id, number)| *id == name || number.to_string() == name);
        found.map(|(id, _)| id.as_str())
    }

    /// Whether resources of `project` may use networks of `other`: it is its own or its host.
    pub(crate) fn may_use(&self, project: &str, other: &str) -> bool {
        project == other || self.hosts.get(project).is_some_and(|host| host == other)
    }

    /// Says how far the next reader is behind: so far, or by a random part of what is set.
    pub(crate) fn read_behind(&mut self, behind: Option<Duration>) {
        let behind = behind.unwrap_or_else(|| self.part(self.settings.staleness));
        self.reading = self.now.saturating_sub(behind);
    }

    /// What the current reader sees.
    pub(crate) fn seen(&self) -> View {
        View::Seen(self.reading)
    }

    /// What warnings are computed from.
    pub(crate) fn warned(&self) -> View {
        let lag = seconds(self.settings.warning_lag);
        View::Seen(self.reading.saturating_sub(lag))
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Value> {
        self.resources.get(&path.to_owned())
    }

    pub(crate) fn put(&mut self, path: &str, value: Value) {
        let spread = self.spread();
        self.resources.put(path.to_owned(), value, spread);
    }

    pub(crate) fn remove(&mut self, path: &str) {
        let spread = self.spread();
        self.resources.remove(&path.to_owned(), spread);
    }

    /// Changes one member of a resource, if it exists.
    pub(crate) fn set(&mut self, path: &str, member: &str, to: Value) {
        if let Some(value) = self.get(path) {
            let mut value = value.clone();
            value[member] = to;
            self.put(path, value);
        }
    }

    /// All resources of a collection of a project, such as `instances`, in all scopes.
    pub(crate) fn all<'a>(
        &'a self,
        view: View,
        project: &'a str,
        collection: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let prefix = format!("projects/{project}/");
        view.from(&self.resources, prefix.clone())
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .filter(move |(path, _)| crate::links::is_of(path, collection))
    }

    /// All resources of a collection of all projects.
    pub(crate) fn every<'a>(
        &'a self,
        view: View,
        collection: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> {
        view.iter(&self.resources)
            .filter(move |(path, _)| crate::links::is_of(path, collection))
    }
}
