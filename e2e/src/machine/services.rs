//! The services of a machine: started, restarted and reaped by its process 1.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process};

use super::{Service, ServiceStatus};

/// Pause before a service that ended is started again.
const RESTART_DELAY: Duration = Duration::from_millis(300);
/// How long a service may take to end after SIGTERM before it gets SIGKILL.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How often process 1 looks for ended processes while it has no child at all.
const IDLE: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Services {
    entries: Mutex<BTreeMap<String, Entry>>,
}

struct Entry {
    service: Service,
    log: PathBuf,
    pid: Option<Pid>,
    wanted: bool,
    restarts: u32,
}

impl Entry {
    fn spawn(&mut self) -> Result<()> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .with_context(|| format!("opening {}", self.log.display()))?;
        let (program, arguments) = self
            .service
            .argv
            .split_first()
            .context("a service needs a program")?;
        let child = Command::new(program)
            .args(arguments)
            .envs(&self.service.env)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {program}"))?;
        self.pid = Some(Pid::from_child(&child));
        Ok(())
    }

    fn note(&self, text: &str) {
        // A log that cannot be written must not stop the service.
        if let Ok(mut log) = OpenOptions::new().append(true).open(&self.log) {
            drop(writeln!(log, "[machine] {text}"));
        }
    }
}

impl Services {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn start(&self, service: Service, log: PathBuf) -> Result<()> {
        let mut entries = self.lock();
        let restarts = match entries.get(&service.name) {
            Some(entry) if entry.pid.is_some() => {
                return Err(anyhow!("{} is running already", service.name));
            }
            Some(entry) => entry.restarts,
            None => 0,
        };
        let name = service.name.clone();
        // The lock is held over the spawn, so that the reaper cannot meet a process unknown to it.
        let mut entry = Entry {
            service,
            log,
            pid: None,
            wanted: true,
            restarts,
        };
        entry.spawn()?;
        entries.insert(name, entry);
        Ok(())
    }

    /// Ends a service and returns when its process is gone; fine if it is not running. At once means
    /// without SIGTERM before SIGKILL.
    pub(super) fn stop(&self, name: &str, at_once: bool) -> Result<()> {
        let start = Instant::now();
        let mut signal = if at_once { Signal::KILL } else { Signal::TERM };
        loop {
            {
                let mut entries = self.lock();
                let entry = entries
                    .get_mut(name)
                    .with_context(|| format!("no service {name}"))?;
                let first = entry.wanted;
                entry.wanted = false;
                let Some(pid) = entry.pid else { return Ok(()) };
                let late = start.elapsed() > STOP_GRACE && signal == Signal::TERM;
                if late {
                    signal = Signal::KILL;
                }
                if first || late {
                    kill_process(pid, signal).with_context(|| format!("ending {name}"))?;
                }
            }
            std::thread::sleep(IDLE);
        }
    }

    pub(super) fn signal(&self, name: &str, signal: i32) -> Result<()> {
        let signal = Signal::from_named_raw(signal).context("no such signal")?;
        let entries = self.lock();
        let entry = entries
            .get(name)
            .with_context(|| format!("no service {name}"))?;
        let pid = entry
            .pid
            .with_context(|| format!("{name} is not running"))?;
        kill_process(pid, signal).with_context(|| format!("signalling {name}"))
    }

    pub(super) fn status(&self) -> BTreeMap<String, ServiceStatus> {
        let entries = self.lock();
        let status = entries.iter().map(|(name, entry)| {
            let pid = entry
                .pid
                .map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
            (
                name.clone(),
                ServiceStatus {
                    pid,
                    restarts: entry.restarts,
                },
            )
        });
        status.collect()
    }

    /// Reaps every process that ends in the machine, for ever: the duty of a process 1.
    pub(super) fn reap(self: &Arc<Self>) -> ! {
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => self.ended(pid, status),
                Ok(None) | Err(_) => std::thread::sleep(IDLE),
            }
        }
    }

    fn ended(self: &Arc<Self>, pid: Pid, status: WaitStatus) {
        let mut entries = self.lock();
        let Some(entry) = entries.values_mut().find(|entry| entry.pid == Some(pid)) else {
            return;
        };
        entry.pid = None;
        let again = entry.wanted && entry.service.restart;
        let next = if again {
            "starting it again"
        } else {
            "not started again"
        };
        entry.note(&format!(
            "{} ended ({}), {next}",
            entry.service.name,
            describe(status)
        ));
        if again {
            let (services, name) = (Arc::clone(self), entry.service.name.clone());
            std::thread::spawn(move || services.restart(&name));
        }
    }

    fn restart(&self, name: &str) {
        loop {
            std::thread::sleep(RESTART_DELAY);
            let mut entries = self.lock();
            let Some(entry) = entries.get_mut(name) else {
                return;
            };
            if !entry.wanted || entry.pid.is_some() {
                return;
            }
            entry.restarts += 1;
            match entry.spawn() {
                Ok(()) => return,
                Err(error) => entry.note(&format!("{error:#}")),
            }
        }
    }
}

fn describe(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "unknown".to_owned(),
    }
}
