//! One copy of each string that many nodes share.

use std::{collections::HashSet, sync::Arc};

use signpost_core::Node;

/// Hands out shared copies. Strings that nobody else holds are dropped from time to time.
#[derive(Debug, Default)]
pub(super) struct Interner {
    known: HashSet<Arc<str>>,
    purge_at: usize,
}

impl Interner {
    /// The same node, with shared strings for its labels.
    pub(super) fn shrink(&mut self, mut node: Node) -> Node {
        let labels = std::mem::take(&mut node.labels);
        node.labels = labels
            .into_iter()
            .map(|(key, value)| (self.shared(key), self.shared(value)))
            .collect();
        node
    }

    fn shared(&mut self, text: Arc<str>) -> Arc<str> {
        if let Some(known) = self.known.get(&text) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.purge_at {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            self.purge_at = (self.known.len() * 2).max(256);
        }
        self.known.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_equal_strings() {
        let mut interner = Interner::default();
        let first = interner.shared("zone-a".into());
        let second = interner.shared("zone-a".into());
        assert!(Arc::ptr_eq(&first, &second));
    }

    #[test]
    fn forgets_what_nobody_holds() {
        let mut interner = Interner::default();
        let held = interner.shared("held".into());
        for number in 0..10_000 {
            interner.shared(number.to_string().into());
        }
        assert!(interner.known.len() <= 512, "{}", interner.known.len());
        assert!(Arc::ptr_eq(&held, &interner.shared("held".into())));
    }
}
