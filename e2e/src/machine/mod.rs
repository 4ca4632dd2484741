//! A machine made of namespaces.
//!
//! Its process 1 is this program itself ([`init`]): it lays out the mounts, keeps services running
//! and takes requests on a Unix socket, as an init system would. [`Machine`] is the other side: the
//! handle through which the harness starts services and runs commands there. When process 1 ends,
//! for whatever reason, the kernel ends everything in the machine and its namespaces vanish.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

mod handle;
pub(crate) mod init;
mod services;

pub use handle::Machine;

/// What process 1 sets up before it takes requests; written to a file that its command line names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MachineSpec {
    /// Host name, in the machine's own UTS namespace.
    pub(crate) hostname: String,
    /// Where requests are taken.
    pub(crate) socket: PathBuf,
    /// Kernel settings, as paths below `/proc/sys` and values, in order.
    pub(crate) sysctls: Vec<(String, String)>,
    /// Folders that programs may write to without touching the host's: the overlays' upper folders.
    pub(crate) overlays: Vec<Bind>,
    /// Folders (or files) of the machine's own, laid over the host's.
    pub(crate) binds: Vec<Bind>,
    /// Where to forward connections that arrive on the listening socket inherited as standard input.
    pub(crate) forward_to: Option<String>,
}

/// One folder laid over another.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bind {
    /// The folder that shows.
    pub(crate) from: PathBuf,
    /// Where it shows.
    pub(crate) to: PathBuf,
}

/// A program that a machine keeps running.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Service {
    /// Name, unique in its machine; the log is `NAME.log`.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Environment, besides what the machine has.
    pub env: BTreeMap<String, String>,
    /// Whether it is started again when it ends by itself or is killed.
    pub restart: bool,
}

impl Service {
    /// A service that is started again whenever it ends.
    pub fn new<S: Into<String>>(name: &str, argv: impl IntoIterator<Item = S>) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self {
            name: name.to_owned(),
            argv,
            env: BTreeMap::new(),
            restart: true,
        }
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }
}

/// What a machine says about one of its services.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The running process, numbered as the machine sees it; none while it is down.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
}

/// A request to process 1: one JSON line on its own connection.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    Start { service: Service, log: PathBuf },
    Stop { name: String, at_once: bool },
    Signal { name: String, signal: i32 },
    Status,
}

/// The answer: one JSON line.
type Reply = Result<BTreeMap<String, ServiceStatus>, String>;
