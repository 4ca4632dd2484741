//! What is wrong with the node but not the agent's to mend.

use std::collections::BTreeSet;

use tracing::warn;

use crate::events::Reason;

/// Each is said once, and again after it was well meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    said: BTreeSet<String>,
    /// Those of the look at the node that goes on.
    found: BTreeSet<String>,
    /// Those that are worth an event.
    events: BTreeSet<(Reason, String)>,
    /// Those of the look that goes on.
    found_events: BTreeSet<(Reason, String)>,
}

impl Warnings {
    /// All of the last look at the whole node.
    pub(crate) fn said(&self) -> impl Iterator<Item = String> + '_ {
        self.said.iter().cloned()
    }

    /// Those of them that are worth an event.
    pub(crate) fn events(&self) -> &BTreeSet<(Reason, String)> {
        &self.events
    }

    /// Says one, unless it was said.
    pub(crate) fn add(&mut self, message: &str) {
        if self.is_news(message) {
            warn!("{message}");
        }
    }

    /// One that is worth an event.
    pub(crate) fn add_event(&mut self, reason: Reason, message: String) {
        self.add(&message);
        self.found_events.insert((reason, message));
    }

    /// Notes a warning, and tells whether it has not been said of this state yet.
    fn is_news(&mut self, message: &str) -> bool {
        self.found.insert(message.to_owned()) && !self.said.contains(message)
    }

    /// Ends a look at the whole node: what it has not found is well again.
    pub(crate) fn end(&mut self) {
        self.said = std::mem::take(&mut self.found);
        self.events = std::mem::take(&mut self.found_events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_said_once_and_again_after_all_was_well() {
        let mut warnings = Warnings::default();
        assert!(warnings.is_news("a") && warnings.is_news("b"));
        assert!(!warnings.is_news("a"));
        warnings.end();
        assert!(!warnings.is_news("a"));
        // A look that failed half-way proves nothing well.
        assert!(!warnings.is_news("a"));
        warnings.end();
        assert!(warnings.is_news("b") && !warnings.is_news("a"));
    }
}
