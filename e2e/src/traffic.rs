//! Traffic that goes on while something happens, and tells whether it suffered.

use std::net::IpAddr;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::Pod;
use crate::wait;

/// Between two echo requests.
const INTERVAL: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(5);
/// An answer that comes later than this after others is one that does not come.
const LATE: Duration = Duration::from_secs(2);

/// Echo requests from one pod to another, ten a second, until it is finished or dropped.
pub struct Traffic {
    what: String,
    child: Child,
    answers: Arc<Mutex<Answers>>,
    reader: JoinHandle<()>,
}

/// What became of the requests of a stretch of time.
#[derive(Clone, Debug, Default)]
pub struct Lap {
    /// Requests sent.
    pub sent: u64,
    /// Requests that were not answered.
    pub lost: u64,
    /// Where answers are missing, in words; empty if none is.
    pub gaps: Vec<String>,
}

impl Lap {
    /// Adds another one.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.lost += other.lost;
        self.gaps.extend(other.gaps);
    }
}

/// The answers so far, by numbers that do not wrap.
struct Answers {
    began: Instant,
    /// The number behind the highest that was answered.
    next: u64,
    /// How many were answered.
    count: u64,
    /// `next` and `count` when the last lap ended.
    lap: (u64, u64),
    /// Numbers left out, each with the time at which the answer behind them came.
    gaps: Vec<(u64, u64, Duration)>,
}

impl Answers {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            next: 0,
            count: 0,
            lap: (0, 0),
            gaps: Vec::new(),
        }
    }

    fn note(&mut self, number: u16) {
        // Of all numbers that end so in 16 bits, the nearest to the one that is expected.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the last 16 bits are meant"
        )]
        let ahead = number.wrapping_sub(self.next as u16).cast_signed();
        self.count += 1;
        if let Ok(ahead) = u64::try_from(ahead) {
            if ahead > 0 {
                let gap = (self.next, self.next + ahead - 1, self.began.elapsed());
                self.gaps.push(gap);
            }
            self.next += ahead + 1;
        }
    }

    /// How many of this lap's are not answered so far.
    fn missing(&self) -> u64 {
        let (next, count) = self.lap;
        (self.next - next).saturating_sub(self.count - count)
    }

    fn lap(&mut self) -> Lap {
        let (sent, lost) = (self.next - self.lap.0, self.missing());
        self.lap = (self.next, self.count);
        let gaps = std::mem::take(&mut self.gaps);
        let shown = gaps.iter().filter(|_| lost > 0).map(|(from, to, after)| {
            format!(
                "{from} to {to}, the next answer came {:.1} s after the beginning",
                after.as_secs_f32()
            )
        });
        Lap {
            sent,
            lost,
            gaps: shown.collect(),
        }
    }
}

impl Traffic {
    /// Starts, and returns when the first answer has come.
    pub async fn start(from: &Pod, to: IpAddr) -> Result<Self> {
        let what = format!("pings from pod {} to {to}", from.name());
        // It ends with its standard input, whoever lets go of that: a signal to the command that
        // entered the pod would not reach it.
        let seconds = INTERVAL.as_secs_f32();
        let script = format!("ping -i {seconds} {to} & cat > /dev/null; kill $!");
        let mut command = from.command(&["sh", "-c", &script])?;
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {what}"))?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let answers = Arc::new(Mutex::new(Answers::new()));
        let noted = Arc::clone(&answers);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(number) = sequence_number(&line) {
                    lock(&noted).note(number);
                }
            }
        });
        let mut traffic = Self {
            what,
            child,
            answers,
            reader,
        };
        traffic.goes_on().await?;
        Ok(traffic)
    }

    /// What was sent and lost since it started or this was asked for last. Fails if nothing is
    /// answered any more.
    pub async fn lap(&mut self) -> Result<Lap> {
        self.goes_on().await?;
        let late = Instant::now() + LATE;
        while lock(&self.answers).missing() > 0 && Instant::now() < late {
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(lock(&self.answers).lap())
    }

    /// Ends it. Fails unless every request since it started, or since the last lap, was answered, up
    /// to the very end.
    pub async fn finish(mut self) -> Result<()> {
        let lap = self.lap().await?;
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        ended.with_context(|| format!("{} did not end when told to", self.what))??;
        (&mut self.reader).await?;
        ensure!(
            lap.lost == 0,
            "{}: {} of {} were not answered, those numbered {}",
            self.what,
            lap.lost,
            lap.sent,
            lap.gaps.join("; ")
        );
        Ok(())
    }

    /// Waits until there is one more answer to a request than there was.
    async fn goes_on(&mut self) -> Result<()> {
        let what = format!("{} to be answered, as before", self.what);
        let next = lock(&self.answers).next;
        let (child, answers) = (&mut self.child, &self.answers);
        wait::until(&what, LIMIT, async || {
            let ended: Option<ExitStatus> = child.try_wait()?;
            let answers = lock(answers);
            ensure!(
                answers.next > next,
                "there were {} answers; ping has ended: {ended:?}",
                answers.count
            );
            Ok(())
        })
        .await
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn lock(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number in a line such as `64 bytes from 10.0.0.1: seq=7 ttl=64 time=0.1 ms`.
fn sequence_number(line: &str) -> Option<u16> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix("seq=")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(numbers: impl IntoIterator<Item = u16>) -> Answers {
        let mut answers = Answers::new();
        numbers.into_iter().for_each(|number| answers.note(number));
        answers
    }

    #[test]
    fn nothing_is_lost_when_all_is_answered_late_or_in_time() {
        let lap = answers([0, 1, 3, 2, 4]).lap();
        assert_eq!((lap.sent, lap.lost), (5, 0));
        assert!(lap.gaps.is_empty());
    }

    #[test]
    fn what_is_missing_is_lost_and_counted_once() {
        let mut answers = answers([0, 1, 4]);
        let lap = answers.lap();
        assert_eq!((lap.sent, lap.lost), (5, 2));
        assert!(lap.gaps[0].starts_with("2 to 3"), "{lap:?}");
        answers.note(5);
        let lap = answers.lap();
        assert_eq!((lap.sent, lap.lost), (1, 0));
    }

    #[test]
    fn numbers_go_on_behind_sixteen_bits() {
        let all = (0..=u16::MAX).chain(0..10).filter(|number| *number != 3);
        let lap = answers(all).lap();
        assert_eq!((lap.sent, lap.lost), (65_546, 2));
    }
}
