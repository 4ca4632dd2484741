//! What a process has written: when one leadership may follow another, and whether what is read then
//! shows everything.

use std::{mem, time::Duration};

use super::Place;
use crate::{Handover, Time, config::Limits};

/// The writes of one process, over all its leaderships.
///
/// An engine decides on what it reads, so it must not begin while writes of the engine before it are under
/// way, and it must know whether some may not show yet.
#[derive(Debug, Clone, Default)]
pub struct Writes {
    under_way: usize,
    /// From then on every route that was written shows in listings.
    shown: Time,
    /// From then on no write to the Kubernetes API can take effect any more.
    landed: Time,
    /// When we were elected last other than after a clean handover, or first, and how the leadership
    /// before that ended; `None` before the first.
    elected: Option<(Time, Handover)>,
}

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ended {
    /// It is known whether it happened, or it was not begun.
    Known,
    /// The answer was lost or given up: it may still happen.
    InDoubt,
}

impl Writes {
    /// This process was elected: `handover` is what the lease says of the leader before.
    ///
    /// Elected again, with nobody in between, what those before us left unsaid counts as before.
    pub fn elected(&mut self, handover: Handover, now: Time) {
        if handover == Handover::Clean && self.elected.is_some() {
            return;
        }
        self.elected = Some((now, handover));
    }

    /// A write was begun.
    pub fn begun(&mut self) {
        self.under_way += 1;
    }

    /// A write that was begun ended.
    pub fn ended(&mut self, place: Place, ended: Ended, limits: Limits, now: Time) {
        self.under_way = self.under_way.saturating_sub(1);
        match place {
            // A listing may lag behind also what was answered.
            Place::Routes => self.shown = self.shown.max(now.after(limits.settle)),
            Place::Api if ended == Ended::InDoubt => {
                self.landed = self.landed.max(now.after(limits.api_settle));
            }
            // An instance's switch is read before it is relied upon.
            Place::Api | Place::Instance => {}
        }
    }

    /// Whether a leadership may begin: nothing of an earlier one is under way.
    pub fn may_begin(&self) -> bool {
        self.under_way == 0
    }

    /// Nobody waits for the writes under way any more, though each has a time limit of its own. What was
    /// not heard of them by then is in doubt.
    pub fn give_up(&mut self, limits: Limits, now: Time) {
        for _ in 0..mem::take(&mut self.under_way) {
            self.ended(Place::Routes, Ended::InDoubt, limits, now);
            self.ended(Place::Api, Ended::InDoubt, limits, now);
        }
    }

    /// Whether whatever was written, by us and by those who led before us, has taken effect or never
    /// will, and shows in whatever is read from now on. `settle` is [`Limits::settle`] of the cloud
    /// that is read.
    pub fn settled(&self, settle: Duration, now: Time) -> bool {
        let others = self.elected.is_some_and(|(at, handover)| match handover {
            Handover::Clean => true,
            Handover::Unclean => now >= at.after(settle),
        });
        self.may_begin() && others && now >= self.shown && now >= self.landed
    }

    /// From then on no write to the Kubernetes API can take effect any more: the lease is not given back
    /// before.
    pub fn landed(&self) -> Time {
        self.landed
    }

    /// What a leadership that begins now has to reckon with.
    pub fn handover(&self, settle: Duration, now: Time) -> Handover {
        if self.settled(settle, now) {
            Handover::Clean
        } else {
            Handover::Unclean
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        settle: Duration::from_secs(10),
        ..Limits::LOCAL
    };
    const SETTLE: Duration = LIMITS.settle;

    fn clean() -> Writes {
        let mut writes = Writes::default();
        writes.elected(Handover::Clean, Time(0));
        writes
    }

    #[test]
    fn a_leadership_begins_only_when_the_writes_of_the_one_before_have_ended() {
        let mut writes = clean();
        assert!(writes.may_begin());
        writes.begun();
        writes.begun();
        writes.ended(Place::Api, Ended::Known, LIMITS, Time(1));
        assert!(!writes.may_begin());
        assert_eq!(writes.handover(SETTLE, Time(100_000)), Handover::Unclean);
        writes.ended(Place::Api, Ended::Known, LIMITS, Time(2));
        assert!(writes.may_begin());
        assert_eq!(writes.handover(SETTLE, Time(2)), Handover::Clean);
    }

    #[test]
    fn a_route_write_shows_only_after_settle() {
        let mut writes = clean();
        writes.begun();
        writes.ended(Place::Routes, Ended::Known, LIMITS, Time(1_000));
        assert_eq!(writes.handover(SETTLE, Time(10_999)), Handover::Unclean);
        assert_eq!(writes.handover(SETTLE, Time(11_000)), Handover::Clean);
    }

    #[test]
    fn a_write_to_the_api_whose_answer_was_lost_may_still_land() {
        let mut writes = clean();
        writes.begun();
        writes.ended(Place::Api, Ended::InDoubt, LIMITS, Time(1_000));
        assert!(!writes.settled(SETTLE, Time(5_999)));
        assert!(writes.settled(SETTLE, Time(6_000)));
        assert_eq!(writes.landed(), Time(6_000));
    }

    #[test]
    fn who_is_elected_again_waits_for_who_led_before_it_the_first_time() {
        let mut writes = Writes::default();
        writes.elected(Handover::Unclean, Time(5_000));
        writes.elected(Handover::Clean, Time(6_000));
        assert_eq!(writes.handover(SETTLE, Time(14_999)), Handover::Unclean);
        assert_eq!(writes.handover(SETTLE, Time(15_000)), Handover::Clean);
    }

    #[test]
    fn who_is_elected_again_waits_for_who_led_in_between() {
        let mut writes = clean();
        writes.elected(Handover::Unclean, Time(50_000));
        assert_eq!(writes.handover(SETTLE, Time(59_999)), Handover::Unclean);
        assert_eq!(writes.handover(SETTLE, Time(60_000)), Handover::Clean);
    }

    #[test]
    fn what_a_leader_before_us_left_unsaid_shows_after_settle() {
        let mut writes = Writes::default();
        assert!(!writes.settled(SETTLE, Time(0)));
        writes.elected(Handover::Unclean, Time(5_000));
        assert_eq!(writes.handover(SETTLE, Time(14_999)), Handover::Unclean);
        assert_eq!(writes.handover(SETTLE, Time(15_000)), Handover::Clean);
    }

    #[test]
    fn writes_that_nobody_waits_for_are_in_doubt() {
        let mut writes = clean();
        writes.begun();
        writes.give_up(LIMITS, Time(1_000));
        assert!(writes.may_begin());
        assert_eq!(writes.landed(), Time(6_000), "whatever they were");
        assert_eq!(writes.handover(SETTLE, Time(10_999)), Handover::Unclean);
        assert_eq!(writes.handover(SETTLE, Time(11_000)), Handover::Clean);
    }
}
