//! How much room a table has for one address family.

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::{Time, cloud::Usage, ids::Stamp, summary::QuotaLevel};

/// After that time at most one more route is tried although the table seems to be full: what is
/// known of its limit may be out of date.
pub(super) const PROBE: Duration = Duration::from_secs(120);

/// And after that time if such a try failed for another cause or nobody knows how it ended.
const PROBE_AGAIN: Duration = Duration::from_secs(30);

/// No more refusals are counted. As many successes show that there is room again, where no limit is
/// known.
const MOST_REFUSALS: u8 = 3;

/// At so many percent a level begins. It ends that many percent points lower.
const LOW: u64 = 80;
const CRITICAL: u64 = 95;
const HYSTERESIS: u64 = 5;

/// Room of a table for one family.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    /// As last listed.
    listed: Option<Usage>,
    /// Routes that the last listing did not show: creations in flight and after it, less deletions.
    since: i64,
    in_flight: u32,
    /// What the table held when it refused a route, where the cloud names no limit.
    learnt: Option<u32>,
    /// The cloud named this limit and accepted more.
    disproved: Option<u32>,
    /// A creation was begun although the listing showed a full table; then: and it succeeded.
    probing: bool,
    suspect: bool,
    /// Nothing is created before that time.
    full_until: Option<Time>,
    /// Refusals since there was room; those of creations that were in flight together are one.
    refusals: u8,
    /// Creations in flight were begun together with one that was refused.
    volley: bool,
    /// When the last refusal was, until a listing has shown how full that is.
    refused: Option<Stamp>,
    level: QuotaLevel,
}

/// How a creation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Created,
    /// It may have happened.
    Unknown,
    /// It did not happen.
    Failed,
}

impl Room {
    /// Routes in the table as far as we know.
    fn used(&self) -> Option<i64> {
        Some(i64::from(self.listed?.used) + self.since)
    }

    fn limit(&self) -> Option<u32> {
        let named = self.listed?.limit.or(self.learnt);
        named.filter(|limit| self.disproved != Some(*limit))
    }

    /// Routes that may be created; `None`: that is not known.
    fn left(&self) -> Option<i64> {
        Some(i64::from(self.limit()?) - self.used()?)
    }

    /// There is no room as far as we know.
    pub(super) fn full(&self) -> bool {
        self.full_until.is_some() || self.left().map_or(self.refusals > 0, |left| left <= 0)
    }

    /// A route may be created. In a table that was full, of which no more is known, one at a time.
    pub(super) fn admits(&self) -> bool {
        self.full_until.is_none() && (!self.full() || self.in_flight == 0)
    }

    /// A creation begins. Says until when no other may, if that was the last that fits.
    pub(super) fn begin(&mut self, now: Time) -> Option<Time> {
        self.probing |= self.left().is_some_and(|left| left <= 0);
        self.volley &= self.in_flight > 0;
        self.in_flight += 1;
        self.since += 1;
        self.close_if_full(now)
    }

    fn close_if_full(&mut self, now: Time) -> Option<Time> {
        let full = self.left().is_some_and(|left| left <= 0);
        if !full || self.full_until.is_some() {
            return None;
        }
        self.full_until = Some(now.after(PROBE));
        self.full_until
    }

    /// A creation ended. Says until when no other may be begun if it told nothing of a table that
    /// seems to be full.
    pub(super) fn ended(&mut self, how: Ended, now: Time) -> Option<Time> {
        self.in_flight = self.in_flight.saturating_sub(1);
        let probing = std::mem::take(&mut self.probing);
        match how {
            Ended::Created => {
                self.refusals = self.refusals.saturating_sub(1);
                self.suspect |= probing;
                if probing && self.learnt.take().is_some() {
                    self.reopen();
                }
            }
            Ended::Unknown => {}
            Ended::Failed => {
                self.since -= 1;
                if self.left().is_some_and(|left| left > 0) {
                    self.reopen();
                }
            }
        }
        if probing && how != Ended::Created && self.full() {
            self.full_until = Some(now.after(PROBE_AGAIN));
            return self.full_until;
        }
        None
    }

    /// A route of ours is gone.
    pub(super) fn deleted(&mut self) {
        self.since -= 1;
        if self.left().is_none_or(|left| left > 0) {
            self.reopen();
        }
    }

    /// The cloud refused a route for want of room. Says how often in a row.
    pub(super) fn refuse(&mut self, at: Stamp) -> u8 {
        if !std::mem::replace(&mut self.volley, true) {
            self.refusals = (self.refusals + 1).min(MOST_REFUSALS);
        }
        self.refused = Some(at);
        self.refusals
    }

    /// No other route may be tried before that time.
    pub(super) fn close(&mut self, until: Time) {
        self.full_until = Some(until);
    }

    /// Another route may be tried. Says whether none might before.
    pub(super) fn reopen(&mut self) -> bool {
        self.full_until.take().is_some()
    }

    pub(super) fn due(&self, now: Time) -> bool {
        self.full_until.is_some_and(|until| until <= now)
    }

    /// Takes note of what a listing begun at `begun` showed; `unshown` routes of ours it did not
    /// show yet. Says whether there is room where there was none, and until when there is none now.
    pub(super) fn list(
        &mut self,
        usage: Option<Usage>,
        unshown: u32,
        begun: Stamp,
        now: Time,
    ) -> (bool, Option<Time>) {
        let closed = self.full_until.is_some();
        self.listed = usage;
        self.since = i64::from(unshown) + i64::from(self.in_flight);
        let suspect = std::mem::take(&mut self.suspect);
        if let Some(Usage {
            used,
            limit: Some(limit),
        }) = usage
            && suspect
            && used > limit
        {
            self.disproved = Some(limit);
            self.reopen();
        }
        if let Some(Usage { used, limit: None }) = usage {
            if self.learnt.is_some_and(|learnt| learnt < used) {
                self.learnt = None;
                self.reopen();
            }
            if self
                .refused
                .is_some_and(|at| begun.shows(at, Duration::ZERO))
            {
                self.refused = None;
                self.learnt = Some(used);
            }
        }
        if self.left().is_some_and(|left| left > 0) {
            self.refusals = 0;
            self.reopen();
        }
        let until = self.close_if_full(now);
        (closed && self.full_until.is_none(), until)
    }

    /// For people.
    pub(super) fn usage(&self) -> Option<Usage> {
        let Usage { used, .. } = self.listed?;
        let limit = self.limit();
        Some(Usage { used, limit })
    }

    pub(super) fn level(&self) -> QuotaLevel {
        match self.usage() {
            // Where there is room again the table is not full, however long people were told so.
            Some(Usage {
                used,
                limit: Some(limit),
            }) if used < limit => self.level.min(QuotaLevel::Critical),
            _ => self.level,
        }
    }

    /// Brings the level up to date. Returns it if it rose.
    pub(super) fn rise(&mut self) -> Option<QuotaLevel> {
        let reached = |spare: u64| match self.usage() {
            Some(Usage {
                used,
                limit: Some(limit),
            }) => {
                let (used, limit) = (u64::from(used), u64::from(limit));
                let is_past = |percent: u64| used * 100 >= limit * (percent - spare);
                if is_past(100) {
                    QuotaLevel::Full
                } else if is_past(CRITICAL) {
                    QuotaLevel::Critical
                } else if is_past(LOW) {
                    QuotaLevel::Low
                } else {
                    QuotaLevel::Ample
                }
            }
            _ => QuotaLevel::Ample,
        };
        let before = self.level;
        self.level = before.clamp(reached(0), reached(HYSTERESIS));
        (self.level > before).then_some(self.level)
    }
}
