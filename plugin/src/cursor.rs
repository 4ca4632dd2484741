//! The address given out last, remembered so that a freed address is the last to be given out again:
//! connections of its former pod may still be tracked.
//!
//! This is a convenience. It is lost at a reboot, and failing to read or write it, or to wait for whoever
//! chooses an address at the same time, never fails a request: the claim alone decides.

use std::fs::{self, File, TryLockError};
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use signpost_netlink::Family;

/// Whoever chooses an address has it claimed within a millisecond, unless it is stopped.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often to look whether it has.
const INTERVAL: Duration = Duration::from_micros(100);
/// Room for any address, so that a line written over another one leaves nothing of it.
const WIDTH: usize = 45;

/// Where the last address of one family and one network stands. Until it is dropped, others who choose an
/// address wait: each goes on from where the one before has come to.
#[derive(Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
    file: std::io::Result<File>,
    is_locked: bool,
}

impl Cursor {
    pub(crate) fn take(run_dir: &Path, network: &str, family: Family) -> Self {
        let name = match family {
            Family::V4 => "last-ipv4",
            Family::V6 => "last-ipv6",
        };
        let path = run_dir.join(network).join(name);
        let file = open(&path);
        let locked = file.as_ref().map(lock);
        let is_locked = matches!(locked, Ok(Ok(true)));
        Self {
            path,
            file,
            is_locked,
        }
    }

    /// The address given out last, if that is known.
    pub(crate) fn read(&self) -> Option<IpAddr> {
        let mut content = [0; WIDTH];
        let length = self.file.as_ref().ok()?.read_at(&mut content, 0).ok()?;
        let content = str::from_utf8(content.get(..length)?).ok()?;
        content.split_whitespace().next()?.parse().ok()
    }

    /// Remembers `address`; tells what went wrong, for the log. Whoever has the file locked for long writes
    /// what he found, and nobody else meanwhile: so it never goes backwards.
    pub(crate) fn write(self, address: IpAddr) -> Result<(), String> {
        if self.file.is_ok() && !self.is_locked {
            return Ok(());
        }
        // One write, which a reader sees whole and a kill does not halve.
        let line = format!("{address:<WIDTH$}\n");
        let written = self
            .file
            .and_then(|file| file.write_all_at(line.as_bytes(), 0));
        written.map_err(|error| format!("write {}: {error}", self.path.display()))
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
            options.open(path)
        }
        other => other,
    }
}

/// Waits until nobody else has the file locked, but not for long: he may be stopped. Tells whether it is ours.
fn lock(file: &File) -> std::io::Result<bool> {
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => sleep(INTERVAL),
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(folder: &Path) -> Cursor {
        Cursor::take(folder, "signpost", Family::V6)
    }

    #[test]
    fn cursor_reads_what_was_written_last_however_long_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(take(folder.path()).read(), None);
        for address in [
            "fd00:aaaa:bbbb:cccc:dddd:eeee:ffff:1111",
            "fd00::5",
            "10.0.0.7",
        ] {
            let address = address.parse().unwrap();
            take(folder.path()).write(address).unwrap();
            assert_eq!(take(folder.path()).read(), Some(address));
        }
    }

    #[test]
    fn cursor_of_somebody_who_is_stopped_is_not_waited_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let stopped = take(folder.path());
        let begun = Instant::now();
        take(folder.path())
            .write("fd00::5".parse().unwrap())
            .unwrap();
        assert!(begun.elapsed() >= PATIENCE, "it is waited for");
        assert_eq!(stopped.read(), None, "and goes on where it was");
        stopped.write("fd00::6".parse().unwrap()).unwrap();
        assert_eq!(take(folder.path()).read(), "fd00::6".parse().ok());
    }

    #[test]
    fn cursor_that_cannot_be_kept_is_no_reason_to_fail_but_said() {
        let cursor = take(Path::new("/proc/no-such-folder"));
        assert_eq!(cursor.read(), None);
        let fault = cursor.write("fd00::5".parse().unwrap()).unwrap_err();
        assert!(
            fault.contains("/proc/no-such-folder/signpost/last-ipv6"),
            "{fault}"
        );
    }
}
