//! Removing what a cluster left in the host's file systems.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal, kill_process};

use super::{KEEPER_PID, LOCK};
use crate::cgroups;

/// Where logs of failed tests stay, one folder for each cluster.
pub const LOGS: &str = "/tmp/signpost-e2e-logs";
/// Where clusters have their work folders while they live.
const CLUSTERS: &str = "/tmp/signpost-e2e";
/// How long processes may take to vanish after they were killed.
const LIMIT: Duration = Duration::from_secs(30);

/// Makes the work folder of a new cluster and takes its lock; the lock is held as long as the file
/// (and what inherits it) is open.
pub(crate) fn work_dir(id: &str) -> Result<(PathBuf, File)> {
    let _creating = lock_all()?;
    let dir = Path::new(CLUSTERS).join(id);
    fs::create_dir_all(CLUSTERS).with_context(|| format!("creating {CLUSTERS}"))?;
    if let Err(error) = fs::create_dir(&dir) {
        bail!(
            "cannot create {}: {error}. Remedy: `signpost-e2e down {id}`",
            dir.display()
        );
    }
    for folder in ["logs/router", "router"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    let lock = File::create(dir.join(LOCK))?;
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    Ok((dir, lock))
}

/// Ids of the clusters that are running on this machine.
pub fn running() -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for dir in folders()? {
        if lock_of_dead(&dir)?.is_none() {
            ids.extend(
                dir.file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    ids.sort();
    Ok(ids)
}

/// Removes what clusters left whose keeper was killed. Running clusters are not touched.
pub fn sweep() -> Result<()> {
    let _creating = lock_all()?;
    for dir in folders()? {
        if lock_of_dead(&dir)?.is_some() {
            remove(&dir, false)?;
        }
    }
    remove_common_folder();
    Ok(())
}

/// Ends a cluster by its id, whoever started it, and removes all of it.
pub fn end(id: &str) -> Result<()> {
    let dir = Path::new(CLUSTERS).join(id);
    let pid = fs::read_to_string(dir.join(KEEPER_PID))
        .with_context(|| format!("no cluster {id} is running"))?;
    if lock_of_dead(&dir)?.is_none()
        && let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw)
    {
        // Its end takes the router machine along, as if it had crashed.
        kill_process(pid, Signal::KILL).with_context(|| format!("ending the keeper of {id}"))?;
    }
    let start = Instant::now();
    while dir.exists() && lock_of_dead(&dir)?.is_none() {
        if start.elapsed() > LIMIT {
            bail!("the keeper of {id} (process {}) does not end", pid.trim());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    remove(&dir, false)?;
    let _creating = lock_all()?;
    remove_common_folder();
    Ok(())
}

/// What the keeper does at the end of its cluster.
pub(super) fn finish(dir: &Path, keep_logs: bool) -> Result<()> {
    remove(dir, keep_logs)?;
    let _creating = lock_all()?;
    remove_common_folder();
    Ok(())
}

/// The last one out removes what all clusters share. To be called with all locked.
fn remove_common_folder() {
    // Fails while others are there.
    drop(fs::remove_dir(CLUSTERS));
}

/// Removes cgroups and folder of a cluster whose processes have been killed.
fn remove(dir: &Path, keep_logs: bool) -> Result<()> {
    let id = dir
        .file_name()
        .context("a work folder has a name")?
        .to_string_lossy();
    if keep_logs {
        let kept = Path::new(LOGS).join(id.as_ref());
        drop(fs::remove_dir_all(&kept));
        fs::create_dir_all(LOGS)?;
        // Both are below /tmp, so a rename does.
        fs::rename(dir.join("logs"), &kept)
            .with_context(|| format!("keeping the logs in {}", kept.display()))?;
    }
    // Killed processes take a moment to leave, and mounts vanish with the last of them.
    let start = Instant::now();
    loop {
        let result = cgroups::remove(&id).and_then(|()| remove_folder(dir));
        match result {
            Ok(()) => return Ok(()),
            Err(error) if start.elapsed() > LIMIT => {
                return Err(error.context(format!("cleaning up cluster {id}")));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The lock file goes last: as long as it is there, others know whose folder this is.
fn remove_folder(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::remove_dir_all(&path)?;
        } else if !path.ends_with(LOCK) {
            fs::remove_file(&path)?;
        }
    }
    fs::remove_dir_all(dir).with_context(|| format!("removing {}", dir.display()))
}

fn folders() -> Result<Vec<PathBuf>> {
    match fs::read_dir(CLUSTERS) {
        Ok(entries) => {
            let paths = entries.flatten().map(|entry| entry.path());
            Ok(paths.filter(|path| path.is_dir()).collect())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error).with_context(|| format!("reading {CLUSTERS}")),
    }
}

/// The lock of a cluster whose keeper is gone; none while it lives or if it has just cleaned up.
fn lock_of_dead(dir: &Path) -> Result<Option<File>> {
    if !dir.exists() {
        return Ok(None);
    }
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK));
    let lock = lock.with_context(|| format!("opening the lock in {}", dir.display()))?;
    match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(lock)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error).context("looking at a cluster's lock"),
    }
}

/// Held while folders are made or looked through, so that no half-made one is taken for a dead one.
/// It is a lock on `/tmp` itself, which leaves no file behind.
fn lock_all() -> Result<File> {
    let lock = File::open("/tmp").context("opening /tmp")?;
    rustix::fs::flock(&lock, FlockOperation::LockExclusive).context("locking /tmp")?;
    Ok(lock)
}
