//! Network namespaces: opened by path, entered for the time of a call.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, RawFd};
use std::path::Path;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::fstat;

use crate::error::{Error, Result};

/// The file that stands for the network namespace of the calling thread.
const OF_THIS_THREAD: &str = "/proc/thread-self/ns/net";

/// An open network namespace, which lives at least as long as this value.
#[derive(Debug)]
pub struct Netns {
    file: File,
}

impl Netns {
    /// Opens the namespace that `path` stands for, such as `/run/netns/blue` or `/proc/42/ns/net`.
    ///
    /// A path that exists but is no network namespace (a bind mount that was taken away leaves an
    /// empty file behind) is answered with `EINVAL`, an absent one with `ENOENT`.
    pub fn open(path: &Path) -> Result<Self> {
        let operation = || format!("open the network namespace {}", path.display());
        let file = File::open(path).map_err(|error| Error::io(operation(), &error))?;
        let netns = Self { file };
        netns
            .run(|| ())
            .map_err(|error| error.during(operation()))?;
        Ok(netns)
    }

    /// Opens the namespace of the calling thread.
    pub fn current() -> Result<Self> {
        let file = File::open(OF_THIS_THREAD)
            .map_err(|error| Error::io("open the current network namespace", &error))?;
        Ok(Self { file })
    }

    /// Creates a namespace without a name, which ends with its last user.
    pub fn create() -> Result<Self> {
        let operation = "create a network namespace";
        let _back = Back(Self::current()?);
        unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::system(operation, errno))?;
        Self::current()
    }

    /// Runs `body` in this namespace: the calling thread, and no other, is there until it returns or panics.
    /// Processes that `body` starts and sockets that it opens belong to this namespace; `/proc/sys/net` shows
    /// its settings. It takes the capability `SYS_ADMIN`, unless the thread is there already.
    pub fn run<T>(&self, body: impl FnOnce() -> T) -> Result<T> {
        let before = Self::current()?;
        if before.is_same(self)? {
            return Ok(body());
        }
        let _back = Back(before);
        setns(&self.file, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| Error::system("enter the network namespace", errno))?;
        Ok(body())
    }

    /// Whether both values stand for the same namespace.
    pub fn is_same(&self, other: &Self) -> Result<bool> {
        let identity = |netns: &Self| {
            fstat(&netns.file)
                .map(|stat| (stat.st_dev, stat.st_ino))
                .map_err(|errno| Error::system("identify a network namespace", errno))
        };
        Ok(identity(self)? == identity(other)?)
    }

    pub(crate) fn raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Takes the calling thread back to this namespace in the end.
struct Back(Netns);

impl Drop for Back {
    fn drop(&mut self) {
        // It takes what it took to leave. A thread that goes on in a pod's namespace would take it for the
        // node's.
        if setns(&self.0.file, CloneFlags::CLONE_NEWNET).is_err() {
            std::process::abort();
        }
    }
}
