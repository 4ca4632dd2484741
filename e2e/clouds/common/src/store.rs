//! Eventual consistency: what was decided, and what readers see of it so far.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::time::Duration;

use crate::clock::Time;

/// Records of one kind. Writers see the truth at once, readers when it has spread.
///
/// What spreads is a record, not the whole store: of two writes the second can be seen first. At one
/// moment all readers see the same; a reader who is behind sees what they saw at an earlier one.
#[derive(Debug)]
pub struct Store<K, V> {
    cells: BTreeMap<K, Cell<V>>,
    /// Records that are gone, though perhaps not yet for readers.
    gone: Vec<K>,
    changes: u64,
}

/// How far a reader can be behind.
pub const REMEMBERED: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Cell<V> {
    truth: Option<V>,
    seen: Option<V>,
    spreading: VecDeque<(Time, Option<V>)>,
}

impl<V> Cell<V> {
    fn seen(&self, now: Time) -> Option<&V> {
        let latest = self.spreading.iter().rev().find(|(from, _)| *from <= now);
        latest.map_or(self.seen.as_ref(), |(_, value)| value.as_ref())
    }

    fn settle(&mut self, now: Time) {
        let Some(long_ago) = now.checked_sub(REMEMBERED) else {
            return;
        };
        while self
            .spreading
            .front()
            .is_some_and(|(from, _)| *from <= long_ago)
        {
            self.seen = self.spreading.pop_front().and_then(|(_, value)| value);
        }
    }
}

impl<K, V> Default for Store<K, V> {
    fn default() -> Self {
        Self {
            cells: BTreeMap::new(),
            gone: Vec::new(),
            changes: 0,
        }
    }
}

/// When a write is made, and from when readers see it.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The moment of the write.
    pub now: Time,
    /// From when it is seen.
    pub seen: Time,
}

impl<K: Ord + Clone, V: Clone> Store<K, V> {
    /// Writes a record.
    pub fn put(&mut self, key: K, value: V, spread: Spread) {
        self.write(key, Some(value), spread);
    }

    /// Removes a record, if there is one.
    pub fn remove(&mut self, key: &K, spread: Spread) {
        if self.get(key).is_some() {
            self.gone.push(key.clone());
            self.write(key.clone(), None, spread);
        }
    }

    fn write(&mut self, key: K, value: Option<V>, spread: Spread) {
        let cell = self.cells.entry(key).or_insert_with(|| Cell {
            truth: None,
            seen: None,
            spreading: VecDeque::new(),
        });
        cell.truth.clone_from(&value);
        let after = cell.spreading.back().map_or(Time::ZERO, |(from, _)| *from);
        cell.spreading.push_back((spread.seen.max(after), value));
        cell.settle(spread.now);
        self.changes += 1;
        self.forget(spread.now);
    }

    fn forget(&mut self, now: Time) {
        let cells = &mut self.cells;
        self.gone.retain(|key| {
            let Some(cell) = cells.get_mut(key) else {
                return false;
            };
            cell.settle(now);
            let wanted = cell.seen.is_some() || !cell.spreading.is_empty();
            if !wanted && cell.truth.is_none() {
                cells.remove(key);
            }
            wanted
        });
    }

    /// A record as it is.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.cells.get(key)?.truth.as_ref()
    }

    /// All records as they are.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.cells
            .iter()
            .filter_map(|(key, cell)| Some((key, cell.truth.as_ref()?)))
    }

    /// How many writes there were.
    pub fn changes(&self) -> u64 {
        self.changes
    }
}

/// A way to look at the world: the truth, or what readers see at some moment.
#[derive(Clone, Copy, Debug)]
pub enum View {
    /// As it is.
    Truth,
    /// What readers saw at a moment.
    Seen(Time),
}

impl View {
    fn of<V>(self, cell: &Cell<V>) -> Option<&V> {
        match self {
            View::Truth => cell.truth.as_ref(),
            View::Seen(now) => cell.seen(now),
        }
    }

    /// A record.
    pub fn get<'s, K: Ord, V>(self, store: &'s Store<K, V>, key: &K) -> Option<&'s V> {
        self.of(store.cells.get(key)?)
    }

    /// All records.
    pub fn iter<K: Ord, V>(self, store: &Store<K, V>) -> impl Iterator<Item = (&K, &V)> {
        store
            .cells
            .iter()
            .filter_map(move |(key, cell)| Some((key, self.of(cell)?)))
    }

    /// The records from `first` on.
    pub fn from<K: Ord, V>(self, store: &Store<K, V>, first: K) -> impl Iterator<Item = (&K, &V)> {
        store
            .cells
            .range((Bound::Included(first), Bound::Unbounded))
            .filter_map(move |(key, cell)| Some((key, self.of(cell)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(now: u64, seen: u64) -> Spread {
        Spread {
            now: Time::from_secs(now),
            seen: Time::from_secs(seen),
        }
    }

    fn seen(store: &Store<u8, char>, now: u64) -> Option<char> {
        View::Seen(Time::from_secs(now)).get(store, &1).copied()
    }

    #[test]
    fn writers_see_at_once_what_readers_see_later() {
        let mut store = Store::default();
        store.put(1, 'a', at(0, 5));
        assert_eq!(store.get(&1), Some(&'a'));
        assert_eq!((seen(&store, 4), seen(&store, 5)), (None, Some('a')));
    }

    #[test]
    fn a_record_never_goes_back() {
        let mut store = Store::default();
        store.put(1, 'a', at(0, 5));
        store.put(1, 'b', at(1, 2));
        assert_eq!(
            [2, 4, 5].map(|now| seen(&store, now)),
            [None, None, Some('b')]
        );
    }

    #[test]
    fn removed_records_are_seen_for_a_while_and_then_forgotten() {
        let mut store = Store::default();
        store.put(1, 'a', at(0, 0));
        store.remove(&1, at(1, 3));
        assert_eq!(store.iter().count(), 0);
        assert_eq!((seen(&store, 2), seen(&store, 3)), (Some('a'), None));
        store.put(2, 'b', at(602, 602));
        assert_eq!(store.cells.len(), 2);
        store.put(2, 'c', at(603, 603));
        assert_eq!(store.cells.len(), 1);
    }
}
