//! The pod CIDRs of one node: chosen, written, and what sightings say of them.

use std::time::Duration;

use ipnet::IpNet;
use smallvec::SmallVec;

use super::writes::{Step, Write};
use crate::{Time, turn::Trouble};

/// How long a sighting that contradicts our own write may be a late one. After that the node is read
/// anew, so nothing depends on the value but how often that is done.
pub(super) const LATE: Duration = Duration::from_secs(5);

/// Networks of one node.
pub(crate) type Cidrs = SmallVec<[IpNet; 1]>;

/// The pod CIDRs of a node.
#[derive(Debug, Clone, Default)]
pub(super) struct Assignment {
    /// What the node has, or what was chosen for it.
    pub(super) cidrs: Cidrs,
    /// The node is known to have them.
    pub(super) held: bool,
    /// It was read without them while their write was on its way.
    contradicted: bool,
    doubt: Doubt,
    /// Why there are none, or why they cannot be written.
    pub(super) trouble: Option<Box<Trouble>>,
    pub(super) write: Write,
}

/// Whether a node has the pod CIDRs that it is believed to have, or not to have yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Doubt {
    #[default]
    None,
    /// The answer to a write was lost at that time: it may have them, or may get them yet.
    Uncertain(Time),
    /// It has them, and was seen without them at that time, which may have been a late sighting.
    Missed(Time),
    /// And is being read anew.
    Asked,
    /// And again after that: it lost them.
    Lost,
}

/// What a sighting with pod CIDRs means for what was known.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// What was chosen and is not the node's.
    pub(super) released: Cidrs,
    /// What it has and was not known to.
    pub(super) claimed: Cidrs,
}

impl Assignment {
    /// A write is due, apart from back-off.
    pub(super) fn is_unwritten(&self) -> bool {
        !self.cidrs.is_empty() && (!self.held || self.doubt == Doubt::Lost)
    }

    /// A write is due, and none is on its way.
    pub(super) fn is_unsent(&self) -> bool {
        self.is_unwritten() && !self.write.is_sent()
    }

    /// These were chosen. What became of earlier writes goes on to count.
    pub(super) fn choose(&mut self, cidrs: impl Into<Cidrs>) {
        *self = Self {
            cidrs: cidrs.into(),
            write: std::mem::take(&mut self.write),
            ..Self::default()
        };
    }

    /// A write begins.
    pub(super) fn sent(&mut self) {
        self.write.step = Step::Sent;
        self.contradicted = false;
    }

    /// The write succeeded. Says whether the node is to be read anew: it was read without pod CIDRs
    /// while the write was on its way, so it may have lost them since.
    pub(super) fn written(&mut self) -> bool {
        let contradicted = std::mem::take(&mut self.contradicted);
        self.held = true;
        self.doubt = if contradicted {
            Doubt::Asked
        } else {
            Doubt::None
        };
        self.trouble = None;
        self.write = Write::default();
        contradicted
    }

    /// The answer to a write was lost.
    pub(super) fn answer_lost(&mut self, now: Time) {
        if !self.held {
            self.doubt = Doubt::Uncertain(now);
        }
    }

    /// Since when the node may have what was chosen for it although that is not known.
    pub(super) fn uncertain(&self) -> Option<Time> {
        match self.doubt {
            Doubt::Uncertain(at) => Some(at),
            _ => None,
        }
    }

    /// The node has these pod CIDRs. They never change once they are there, so whatever else was
    /// chosen for it is not its own.
    pub(super) fn seen_with(&mut self, seen: &[IpNet]) -> Differences {
        if self.cidrs[..] == *seen {
            self.held = true;
            self.doubt = Doubt::None;
            self.trouble = None;
            return Differences::default();
        }
        let before = std::mem::take(&mut self.cidrs);
        self.choose(seen.to_vec());
        self.held = true;
        let new = seen.iter().filter(|cidr| !before.contains(cidr));
        let new = new.copied().collect();
        Differences {
            released: before.into_iter().filter(|it| !seen.contains(it)).collect(),
            claimed: new,
        }
    }

    /// The node was seen without pod CIDRs; `fresh` says that it was read after that was asked for.
    /// What it once had stays its own: it is a late sighting, or the API server was set back to an
    /// earlier state, and then they are written again. Returns when to look again.
    pub(super) fn seen_without(
        &mut self,
        fresh: bool,
        now: Time,
        settle: Duration,
    ) -> Option<Time> {
        self.contradicted |= fresh && self.write.is_sent();
        if self.held {
            return self.missed(fresh, now);
        }
        let landed = |at: Time| now >= at.after(settle);
        if fresh && self.uncertain().is_some_and(landed) {
            // It can land no more, and it has not.
            self.doubt = Doubt::None;
        }
        None
    }

    fn missed(&mut self, fresh: bool, now: Time) -> Option<Time> {
        match self.doubt {
            Doubt::None | Doubt::Uncertain(_) => {
                self.doubt = Doubt::Missed(now);
                Some(now.after(LATE))
            }
            Doubt::Asked if fresh => {
                self.doubt = Doubt::Lost;
                None
            }
            Doubt::Missed(_) | Doubt::Asked | Doubt::Lost => None,
        }
    }

    /// The node is to be read anew, since it was seen without what it has.
    pub(super) fn look_for_missed(&mut self, now: Time) -> bool {
        let due = matches!(self.doubt, Doubt::Missed(at) if now >= at.after(LATE));
        if due {
            self.doubt = Doubt::Asked;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(50);

    fn net(text: &str) -> IpNet {
        text.parse().expect("a network")
    }

    fn chosen() -> Assignment {
        let mut assignment = Assignment::default();
        assignment.choose(vec![net("10.0.0.0/24")]);
        assignment
    }

    #[test]
    fn a_write_without_an_answer_is_in_doubt_until_the_node_is_read_after_it_can_land_no_more() {
        let mut assignment = chosen();
        assignment.answer_lost(Time(1_000));
        for (fresh, at) in [(true, 1_000), (false, 60_000), (true, 50_999)] {
            assignment.seen_without(fresh, Time(at), SETTLE);
            assert!(assignment.uncertain().is_some(), "{fresh} {at}");
        }
        assignment.seen_without(true, Time(51_000), SETTLE);
        assert_eq!(assignment.uncertain(), None);
    }

    #[test]
    fn pod_cidrs_that_somebody_else_wrote_take_the_place_of_what_was_chosen() {
        let mut assignment = chosen();
        let differences = assignment.seen_with(&[net("10.0.9.0/24")]);
        assert_eq!(differences.released[..], [net("10.0.0.0/24")]);
        assert_eq!(differences.claimed[..], [net("10.0.9.0/24")]);
        assert!(assignment.held && !assignment.is_unwritten());
    }

    #[test]
    fn what_a_node_had_is_written_again_only_if_a_fresh_look_misses_it_too() {
        let mut assignment = chosen();
        assignment.written();
        let again = assignment.seen_without(false, Time(0), SETTLE);
        assert_eq!(again, Some(Time(0).after(LATE)));
        assert!(!assignment.look_for_missed(Time(4_999)));
        assert!(assignment.look_for_missed(Time(5_000)));
        assignment.seen_without(false, Time(5_001), SETTLE);
        assert!(!assignment.is_unwritten(), "a late sighting again");
        assignment.seen_without(true, Time(5_002), SETTLE);
        assert!(assignment.is_unwritten());
    }
}
