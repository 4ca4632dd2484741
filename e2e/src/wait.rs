//! Waiting with a deadline and a message that says what was waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

/// How long what happens on one machine may take; many times what it does take.
pub const LIMIT: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Calls `probe` until it succeeds, and gives what it returned.
///
/// An error from `probe` means "not yet"; it should say what is missing, because the last one is
/// part of the message when `limit` is over. `what` completes "waited 30 s for …".
pub async fn until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        let attempt = tokio::time::timeout(limit, probe()).await;
        let error = match attempt {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error,
            Err(_) => anyhow!("no answer"),
        };
        if start.elapsed() >= limit {
            let seconds = limit.as_secs_f32();
            return Err(error.context(format!("waited {seconds} s for {what}, in vain")));
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The last `lines` lines of a log file, for error messages; says so if it cannot be read.
pub fn log_tail(path: &Path, lines: usize) -> String {
    let text = match std::fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) => return format!("({}: {error})", path.display()),
    };
    let all: Vec<&str> = text.lines().collect();
    let tail = &all[all.len().saturating_sub(lines)..];
    format!("last lines of {}:\n  {}", path.display(), tail.join("\n  "))
}
