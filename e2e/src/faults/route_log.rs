//! Changes of the router's table as the kernel tells them.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;

use crate::Machine;
use crate::wait::{self, LIMIT};

/// A destination that nobody else has.
const PROBE: &str = "203.0.113.99";

/// Follows the changes of a machine's routes until it is dropped.
pub(super) struct RouteLog {
    /// Killed when it is dropped.
    _child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl RouteLog {
    /// Returns when it follows: a route of its own has been seen to come and go.
    pub(super) async fn start(machine: &Machine) -> Result<Self> {
        let mut command = machine.command(&["ip", "-tshort", "monitor", "route"]);
        let mut child = command
            .stdin(Stdio::null())
            .spawn()
            .context("starting ip monitor")?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        tokio::spawn(async move {
            let mut output = BufReader::new(output).lines();
            while let Ok(Some(line)) = output.next_line().await {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        let log = Self {
            _child: child,
            lines,
        };
        wait::until("ip monitor to follow", LIMIT, async || {
            for verb in ["add", "delete"] {
                let route = ["ip", "route", verb, "unreachable", PROBE, "proto", "static"];
                machine.run(&route).await?;
            }
            ensure!(
                log.lines().iter().any(|line| line.contains(PROBE)),
                "not yet"
            );
            Ok(())
        })
        .await?;
        Ok(log)
    }

    fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    /// Fails if anything has changed since it started.
    pub(super) fn nothing_changed(&self) -> Result<()> {
        let mut lines = self.lines();
        lines.retain(|line| !line.contains(PROBE));
        ensure!(
            lines.is_empty(),
            "the router's table changed:\n  {}",
            lines.join("\n  ")
        );
        Ok(())
    }
}
