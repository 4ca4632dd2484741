//! The process that outlives the harness for as long as it takes to clean up after it.
//!
//! Every cluster has one keeper: this program again, in a session of its own. It starts the router
//! machine as process 1 of a process namespace in which all else of the cluster runs, and watches a
//! pipe from the harness. When the harness lets go of it (success, failure, panic, Ctrl-C, SIGKILL:
//! the kernel closes the pipe in every case), the keeper ends the router machine, with it the kernel
//! ends every process and namespace of the cluster, and the keeper removes cgroups and the work folder.
//! Should the keeper itself be killed, the kernel ends the router machine, and the next cluster that
//! starts on this machine removes what is left ([`sweep`]).

use std::fs::{self, File};
use std::io::Read as _;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::process::WaitOptions;

mod cleanup;
mod handle;

pub(crate) use cleanup::work_dir;
pub use cleanup::{LOGS, end, running, sweep};
pub(crate) use handle::Keeper;
pub use handle::end_all;

/// Said by the harness: it is leaving, the cluster stays.
const DETACH: u8 = b'd';
/// Said by the harness: something failed, keep the logs.
const KEEP_LOGS: u8 = b'f';

/// Files in the work folder through which keeper and harness know of each other.
const API_PORT: &str = "api-port";
const KEEPER_PID: &str = "keeper.pid";
const LOCK: &str = "lock";

/// The keeper process. Its standard input is the pipe from the harness; its standard output is the
/// locked file that shows to others that this cluster is alive.
pub(crate) fn main(dir: &Path) -> Result<()> {
    // Away from the terminal: Ctrl-C there is for the harness, whose end the keeper sees.
    rustix::process::setsid().context("leaving the harness's session")?;
    // Process 1 of the router machine becomes a child of this process when `unshare` has ended.
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    fs::write(dir.join(KEEPER_PID), std::process::id().to_string())?;
    // Opened in the host's network namespace and inherited by the router machine, which forwards
    // what arrives here to the API server.
    let listener = TcpListener::bind("127.0.0.1:0").context("listening on loopback")?;
    let port = listener.local_addr()?.port();
    let mut machine = router_command(dir)?
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .spawn()
        .context("starting the router machine")?;
    fs::write(dir.join("api-port.new"), port.to_string())?;
    fs::rename(dir.join("api-port.new"), dir.join(API_PORT))?;

    let keep_logs = Arc::new(AtomicBool::new(false));
    let (ended, wait_for_end) = mpsc::channel();
    let keeping = Arc::clone(&keep_logs);
    std::thread::spawn(move || {
        if !listen_to_harness(&keeping) {
            // The receiver is gone only when the keeper is ending anyway.
            let _ = ended.send(());
        }
    });
    // A detached keeper is told nothing more: it stays until it is killed or the router ends.
    if wait_for_end.recv().is_err() {
        drop(machine.wait());
    }
    drop(machine.kill());
    // Process 1 of the router machine outlives `unshare` by the time it takes the kernel to end all
    // other processes.
    while !matches!(
        rustix::process::wait(WaitOptions::empty()),
        Err(Errno::CHILD)
    ) {}
    cleanup::finish(dir, keep_logs.load(Ordering::Relaxed))
}

/// Reads what the harness says until it lets go. True if it detached.
fn listen_to_harness(keep_logs: &AtomicBool) -> bool {
    let mut detached = false;
    let mut byte = [0];
    while let Ok(1) = std::io::stdin().read(&mut byte) {
        match byte[0] {
            DETACH => detached = true,
            KEEP_LOGS => keep_logs.store(true, Ordering::Relaxed),
            _ => {}
        }
    }
    detached
}

fn router_command(dir: &Path) -> Result<Command> {
    let log = File::options()
        .create(true)
        .append(true)
        .open(dir.join("logs/router/machine.log"))?;
    // If the keeper is killed, so is `unshare`, and by it process 1 of the machine.
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--"])
        .args(machine_argv(&dir.join("router/machine.json"))?)
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command)
}

/// The command line that starts a machine: new namespaces, and this program as process 1 in them.
pub(crate) fn machine_argv(spec: &Path) -> Result<Vec<String>> {
    let mut argv = machine_in_network_argv(spec)?;
    argv.insert(1, "--net".into());
    Ok(argv)
}

/// As [`machine_argv`], for a machine whose network is that of whoever starts it.
pub(crate) fn machine_in_network_argv(spec: &Path) -> Result<Vec<String>> {
    let exe = std::env::current_exe().context("finding the running program")?;
    let namespaces = [
        "unshare",
        "--mount",
        "--uts",
        "--ipc",
        "--pid",
        "--fork",
        "--kill-child=KILL",
    ];
    let mut argv: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
    argv.extend(["--mount-proc".into(), exe.display().to_string()]);
    argv.extend([crate::MACHINE_ROLE.into(), spec.display().to_string()]);
    Ok(argv)
}
