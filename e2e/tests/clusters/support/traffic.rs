//! Traffic that goes on while something happens, and tells whether it suffered.

use std::net::IpAddr;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use signpost_e2e::{Pod, wait};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

/// Seconds between two echo requests.
const INTERVAL: &str = "0.1";
const LIMIT: Duration = Duration::from_secs(5);

/// Echo requests from one pod to another, ten a second, until it is finished or dropped.
pub(crate) struct Traffic {
    what: String,
    child: Child,
    /// Sequence numbers of the answers so far.
    answered: Arc<Mutex<Vec<u32>>>,
    reader: JoinHandle<()>,
}

impl Traffic {
    /// Starts, and returns when the first answer has come.
    pub(crate) async fn start(from: &Pod, to: IpAddr) -> Result<Self> {
        let what = format!("pings from pod {} to {to}", from.name());
        // It ends with its standard input, whoever lets go of that: a signal to the command that
        // entered the pod would not reach it.
        let script = format!("ping -i {INTERVAL} {to} & cat > /dev/null; kill $!");
        let mut command = from.command(&["sh", "-c", &script])?;
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {what}"))?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let answered = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&answered);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some(number) = sequence_number(&line) {
                    noted
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(number);
                }
            }
        });
        let mut traffic = Self {
            what,
            child,
            answered,
            reader,
        };
        traffic.goes_on(0).await?;
        Ok(traffic)
    }

    /// Ends it. Fails unless every request was answered, up to the very end.
    pub(crate) async fn finish(mut self) -> Result<()> {
        let so_far = self.answers().len();
        self.goes_on(so_far).await?;
        drop(self.child.stdin.take());
        let ended = tokio::time::timeout(LIMIT, self.child.wait()).await;
        ended.with_context(|| format!("{} did not end when told to", self.what))??;
        (&mut self.reader).await?;
        let answers = self.answers();
        let mut missing = (0_u32..)
            .zip(&answers)
            .filter(|(number, answer)| number != *answer);
        let first = missing.next().map(|(number, _)| number);
        ensure!(
            first.is_none(),
            "{}: all should be answered, but the answer to number {} is missing or late: {answers:?}",
            self.what,
            first.unwrap_or_default(),
        );
        Ok(())
    }

    /// Waits until there are more than `count` answers.
    async fn goes_on(&mut self, count: usize) -> Result<()> {
        let what = format!("{} to be answered, as before", self.what);
        let (child, answered) = (&mut self.child, &self.answered);
        wait::until(&what, LIMIT, async || {
            let ended: Option<ExitStatus> = child.try_wait()?;
            let answers = answered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len();
            ensure!(
                answers > count,
                "there were {answers} answers; ping has ended: {ended:?}"
            );
            Ok(())
        })
        .await
    }

    fn answers(&self) -> Vec<u32> {
        self.answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The number in a line such as `64 bytes from 10.0.0.1: seq=7 ttl=64 time=0.1 ms`.
fn sequence_number(line: &str) -> Option<u32> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix("seq=")?.parse().ok())
}
