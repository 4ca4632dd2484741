//! Network namespaces: opened by path, entered only on a thread of their own.

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
        on_own_thread(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| Error::system(operation, errno))?;
            Self::current()
        })
    }

    /// Runs `body` in this namespace, on a thread made for it, and waits for it. Processes that `body`
    /// starts and sockets that it opens belong to this namespace; `/proc/sys/net` shows its settings.
    /// It takes the capability `SYS_ADMIN`, unless the calling thread is there already.
    ///
    /// # Panics
    ///
    /// If `body` panics.
    pub fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> Result<T> {
        on_own_thread(|| {
            if !Self::current()?.is_same(self)? {
                setns(&self.file, CloneFlags::CLONE_NEWNET)
                    .map_err(|errno| Error::system("enter the network namespace", errno))?;
            }
            Ok(body())
        })
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

/// Runs `body` on a new thread, so that a change of namespace in it stays there.
fn on_own_thread<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(body).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
