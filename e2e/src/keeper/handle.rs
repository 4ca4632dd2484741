//! The harness's side of a keeper.

use std::fs::{self, File};
use std::io::{PipeWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{API_PORT, DETACH, KEEP_LOGS};
use crate::wait;

/// Keepers of this process, so that a signal handler can end them all.
static KEEPERS: Mutex<Vec<Weak<Keeper>>> = Mutex::new(Vec::new());

/// A running keeper. The cluster ends when this is dropped, unless it was detached.
#[derive(Debug)]
pub(crate) struct Keeper {
    dir: PathBuf,
    /// The pipe whose closing ends the cluster, and the process to wait for then.
    running: Mutex<Option<(PipeWriter, Child)>>,
}

impl Keeper {
    /// Starts the keeper of the cluster whose work folder is `dir`, handing it the folder's lock.
    pub(crate) fn start(dir: &Path, lock: File, search_path: &str) -> Result<Arc<Self>> {
        let (reader, writer) = std::io::pipe().context("making the keeper's pipe")?;
        let log = File::create(dir.join("logs/keeper.log"))?;
        let child = Command::new(std::env::current_exe().context("finding the running program")?)
            .arg(crate::KEEPER_ROLE)
            .arg(dir)
            .env("PATH", search_path)
            // Nothing of the harness's own environment should steer a cluster's programs.
            .env_remove("KUBECONFIG")
            .stdin(Stdio::from(reader))
            .stdout(Stdio::from(lock))
            .stderr(log)
            .spawn()
            .context("starting the keeper")?;
        let running = Mutex::new(Some((writer, child)));
        let keeper = Arc::new(Self {
            dir: dir.to_path_buf(),
            running,
        });
        let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        keepers.push(Arc::downgrade(&keeper));
        Ok(keeper)
    }

    /// The port on the host's loopback at which the API server can be reached.
    pub(crate) async fn api_port(&self) -> Result<u16> {
        let path = self.dir.join(API_PORT);
        let port = wait::until(
            "the keeper to listen",
            Duration::from_secs(10),
            async || Ok(fs::read_to_string(&path)?.trim().parse()?),
        );
        port.await
            .map_err(|error| error.context(wait::log_tail(&self.dir.join("logs/keeper.log"), 10)))
    }

    /// Logs are kept when the cluster ends.
    pub(crate) fn keep_logs(&self) {
        self.say(KEEP_LOGS);
    }

    /// The cluster stays when the harness ends.
    pub(crate) fn detach(&self) {
        self.say(DETACH);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Ends the cluster and waits until all of it is gone. Does nothing the second time.
    pub(crate) fn end(&self) {
        // The lock is held while waiting, so that whoever comes second waits too.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pipe, mut child)) = running.take() {
            drop(pipe);
            match child.wait() {
                Ok(status) if status.success() => {}
                // The next cluster's sweep tries again.
                other => eprintln!("cleaning up {} failed: {other:?}", self.dir.display()),
            }
        }
    }

    fn say(&self, word: u8) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pipe, _)) = running.as_mut() {
            // A keeper that is gone has cleaned up and needs no word.
            drop(pipe.write_all(&[word]));
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.end();
    }
}

/// Ends every cluster of this process and waits until they are gone: for signal handlers.
pub fn end_all() {
    let keepers = std::mem::take(&mut *KEEPERS.lock().unwrap_or_else(PoisonError::into_inner));
    for keeper in keepers.iter().filter_map(Weak::upgrade) {
        keeper.end();
    }
}
