//! Which block of a pool is the next free one.

use std::ops::RangeInclusive;

const BITS: u32 = u64::BITS;

/// Three marks for each block of a pool, with counters, and an index of full words above them.
///
/// A block is free if it has no mark. Above the words lie levels of 64 times fewer bits each, in
/// which a set bit says "nothing free below": finding the next free block looks at two words of
/// each level at most. Marking a range costs a step for each 64 blocks.
#[derive(Debug, Clone)]
pub(super) struct BlockMap {
    len: u32,
    words: Vec<Word>,
    full: Vec<Vec<u64>>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Word {
    held: u64,
    barred: u64,
    reserved: u64,
}

/// What can be said of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A node owns it.
    Held,
    /// A route, a quarantine, another node's pod CIDR or a barred range stands in its way.
    Barred,
    /// The configuration keeps it back.
    Reserved,
}

/// Blocks by the first mark that they have, in the order of the fields.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) held: u32,
    pub(super) barred: u32,
    pub(super) reserved: u32,
}

impl BlockMap {
    /// `len` blocks without a mark.
    pub(super) fn new(len: u32) -> Self {
        let words = vec![Word::default(); len.div_ceil(BITS) as usize];
        let mut full = Vec::new();
        let mut below = words.len();
        while below > 1 {
            let size = below.div_ceil(BITS as usize);
            let mut level = vec![0; size];
            // Bits beyond the level below count as full.
            if let (Some(last), spare @ 1..) = (level.last_mut(), below % BITS as usize) {
                *last = u64::MAX << spare;
            }
            full.push(level);
            below = size;
        }
        Self {
            len,
            words,
            full,
            counts: Counts::default(),
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.len
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Blocks without a mark.
    pub(super) fn free(&self) -> u32 {
        self.len - self.counts.held - self.counts.barred - self.counts.reserved
    }

    /// Whether a block has a mark.
    pub(super) fn has(&self, index: u32, mark: Mark) -> bool {
        let word = self.words.get((index / BITS) as usize);
        let layer = word.map_or(0, |word| match mark {
            Mark::Held => word.held,
            Mark::Barred => word.barred,
            Mark::Reserved => word.reserved,
        });
        layer & (1 << (index % BITS)) != 0
    }

    /// Sets or clears a mark on all blocks of a range. What lies beyond the end is left out.
    pub(super) fn mark(&mut self, range: RangeInclusive<u32>, mark: Mark, set: bool) {
        let (first, last) = (*range.start(), (*range.end()).min(self.len - 1));
        if first > last {
            return;
        }
        for index in first / BITS..=last / BITS {
            let from = first.max(index * BITS) % BITS;
            let to = last.min(index * BITS + (BITS - 1)) % BITS;
            let bits = (u64::MAX << from) & (u64::MAX >> (BITS - 1 - to));
            self.mark_word(index as usize, bits, mark, set);
        }
    }

    fn mark_word(&mut self, index: usize, bits: u64, mark: Mark, set: bool) {
        let word = &mut self.words[index];
        let before = word.counts();
        let layer = match mark {
            Mark::Held => &mut word.held,
            Mark::Barred => &mut word.barred,
            Mark::Reserved => &mut word.reserved,
        };
        if set {
            *layer |= bits;
        } else {
            *layer &= !bits;
        }
        let after = word.counts();
        let counts = &mut self.counts;
        counts.held = counts.held - before.held + after.held;
        counts.barred = counts.barred - before.barred + after.barred;
        counts.reserved = counts.reserved - before.reserved + after.reserved;
        self.index(index);
    }

    /// Brings the levels above a word up to date.
    fn index(&mut self, word: usize) {
        let mut full = self.free_in(word) == 0;
        let mut position = word;
        for level in &mut self.full {
            let (above, bit) = split(position);
            let before = level[above];
            if full {
                level[above] |= bit;
            } else {
                level[above] &= !bit;
            }
            if level[above] == before {
                return;
            }
            full = level[above] == u64::MAX;
            position = above;
        }
    }

    /// The free blocks of a word as bits.
    fn free_in(&self, index: usize) -> u64 {
        let Some(word) = self.words.get(index) else {
            return 0;
        };
        let spare = self.len % BITS;
        let valid = if spare > 0 && index + 1 == self.words.len() {
            !(u64::MAX << spare)
        } else {
            u64::MAX
        };
        !(word.held | word.barred | word.reserved) & valid
    }

    /// The first free block from `start` on, going round at the end.
    pub(super) fn next_free(&self, start: u32) -> Option<u32> {
        self.free_from(start)
            .or_else(|| self.free_from(0).filter(|found| *found < start))
    }

    fn free_from(&self, start: u32) -> Option<u32> {
        let word = (start / BITS) as usize;
        let here = self.free_in(word) & (u64::MAX << (start % BITS));
        if here != 0 {
            return position(word, here);
        }
        // Up, until a level has something that is not full further on …
        let mut next = word + 1;
        let mut height = 0;
        let mut found = loop {
            let (index, bit) = split(next);
            let open = !self.full.get(height)?.get(index)? & !(bit - 1);
            if open != 0 {
                break index * BITS as usize + open.trailing_zeros() as usize;
            }
            next = index + 1;
            height += 1;
        };
        // … and down to the word itself.
        for level in self.full[..height].iter().rev() {
            found = found * BITS as usize + level[found].trailing_ones() as usize;
        }
        position(found, self.free_in(found))
    }
}

impl Word {
    fn counts(self) -> Counts {
        Counts {
            held: self.held.count_ones(),
            barred: (self.barred & !self.held).count_ones(),
            reserved: (self.reserved & !self.barred & !self.held).count_ones(),
        }
    }
}

/// Index of the word above and the bit in it.
fn split(position: usize) -> (usize, u64) {
    (position / BITS as usize, 1 << (position % BITS as usize))
}

fn position(word: usize, bits: u64) -> Option<u32> {
    let word = u32::try_from(word).ok()?;
    (bits != 0).then(|| word * BITS + bits.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    struct Step {
        from: u32,
        length: u32,
        mark: Mark,
        set: bool,
    }

    fn step(len: u32) -> impl Strategy<Value = Step> {
        let mark = prop_oneof![Just(Mark::Held), Just(Mark::Barred), Just(Mark::Reserved)];
        // Long ranges too, so that whole levels fill.
        let length = prop_oneof![Just(0), 0..200u32, 0..len];
        (0..len, length, mark, any::<bool>()).prop_map(|(from, length, mark, set)| Step {
            from,
            length,
            mark,
            set,
        })
    }

    fn run() -> impl Strategy<Value = (u32, Vec<Step>, Vec<u32>)> {
        prop_oneof![Just(1u32), Just(64), Just(65), Just(4096), 1..20_000u32].prop_flat_map(|len| {
            (
                Just(len),
                prop::collection::vec(step(len), 0..30),
                prop::collection::vec(0..len, 1..20),
            )
        })
    }

    proptest! {
        #[test]
        fn agrees_with_three_sets((len, steps, starts) in run()) {
            let mut map = BlockMap::new(len);
            let mut sets = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
            for Step { from, length, mark, set } in steps {
                map.mark(from..=from + length, mark, set);
                for block in (from..=from + length).filter(|block| *block < len) {
                    if set {
                        sets[mark as usize].insert(block);
                    } else {
                        sets[mark as usize].remove(&block);
                    }
                }
            }
            let [held, barred, reserved] = sets;
            let free: Vec<u32> = (0..len)
                .filter(|block| {
                    !held.contains(block) && !barred.contains(block) && !reserved.contains(block)
                })
                .collect();
            for start in starts {
                let expected = free.iter().find(|block| **block >= start).or(free.first());
                prop_assert_eq!(map.next_free(start), expected.copied());
            }
            prop_assert_eq!(map.free() as usize, free.len());
            let barred = barred.difference(&held).copied().collect::<BTreeSet<_>>();
            let reserved = reserved.iter().filter(|it| !held.contains(it) && !barred.contains(it));
            let counts = map.counts();
            prop_assert_eq!(
                [counts.held, counts.barred, counts.reserved].map(|count| count as usize),
                [held.len(), barred.len(), reserved.count()]
            );
        }
    }

    #[test]
    fn finds_the_one_free_block_among_a_million() {
        let mut map = BlockMap::new(1 << 20);
        map.mark(0..=u32::MAX, Mark::Held, true);
        assert_eq!(map.next_free(77), None);
        for free in [0, 63, 64, 4095, 4096, 262_143, 262_144, (1 << 20) - 1] {
            map.mark(free..=free, Mark::Held, false);
            assert_eq!(map.next_free(free), Some(free));
            assert_eq!(map.next_free(0), Some(free));
            assert_eq!(map.next_free((1 << 20) - 1), Some(free));
            map.mark(free..=free, Mark::Held, true);
        }
    }
}
