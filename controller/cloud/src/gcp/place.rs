//! Which network of which project: Google names projects by id in some links and by number in others.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use super::{links::NetworkName, lock};

/// The network that is programmed.
#[derive(Debug)]
pub(super) struct Place {
    /// The project, as requests name it.
    pub(super) project: Arc<str>,
    /// The network's name.
    pub(super) network: Arc<str>,
    /// Everything by which the project is known: its id and its number.
    aliases: Mutex<BTreeSet<Arc<str>>>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "projects/{}/global/networks/{}",
            self.project, self.network
        )
    }
}

impl Place {
    pub(super) fn new(
        project: Arc<str>,
        network: Arc<str>,
        aliases: impl IntoIterator<Item = Arc<str>>,
    ) -> Self {
        let mut all: BTreeSet<Arc<str>> = aliases.into_iter().collect();
        all.insert(Arc::clone(&project));
        Self {
            project,
            network,
            aliases: Mutex::new(all),
        }
    }

    /// The project is known by this, too.
    pub(super) fn learn(&self, alias: impl Into<Arc<str>>) {
        self.lock().insert(alias.into());
    }

    /// Whether it is the project of the network.
    pub(super) fn is_own(&self, project: &str) -> bool {
        self.lock().contains(project)
    }

    /// Whether it is the network.
    pub(super) fn is_network(&self, network: &NetworkName) -> bool {
        network.name == self.network && self.is_own(&network.project)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Arc<str>>> {
        lock(&self.aliases)
    }
}
