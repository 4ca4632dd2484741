//! The harness's side of a machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::Command;

use super::{Reply, Request, Service, ServiceStatus};
use crate::wait;

/// How long a machine may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How long a command in a machine may run.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);

/// A running machine: start and stop services there, run commands in its namespaces.
#[derive(Debug)]
pub struct Machine {
    name: String,
    socket: PathBuf,
    logs: PathBuf,
    /// `PATH` of commands run here.
    search_path: String,
    /// Process 1 of the machine as the harness sees it; a reboot changes it.
    pid: AtomicU32,
    /// Services as they were started last.
    started: Mutex<BTreeMap<String, Service>>,
}

impl Machine {
    pub(crate) fn new(name: &str, socket: PathBuf, logs: PathBuf, search_path: &str) -> Self {
        let search_path = search_path.to_owned();
        Self {
            name: name.to_owned(),
            socket,
            logs,
            search_path,
            pid: AtomicU32::new(0),
            started: Mutex::default(),
        }
    }

    /// Waits until process 1 answers, and learns its id from the socket.
    pub(crate) async fn attach(&self) -> Result<()> {
        let what = format!("machine {} to come up", self.name);
        let pid = wait::until(&what, START_LIMIT, async || {
            let connection = UnixStream::connect(&self.socket)
                .await
                .with_context(|| format!("connecting to {}", self.socket.display()))?;
            let pid = connection
                .peer_cred()?
                .pid()
                .context("the socket has no owner")?;
            Ok(pid.unsigned_abs())
        });
        let pid = pid
            .await
            .map_err(|error| error.context(wait::log_tail(&self.logs.join("machine.log"), 10)))?;
        self.pid.store(pid, Ordering::Relaxed);
        Ok(())
    }

    /// The machine's name: `router`, `external` or the node's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Process 1 of the machine, numbered as seen from outside; 0 before it came up.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// The file into which a service's output goes.
    pub fn log(&self, service: &str) -> PathBuf {
        self.logs.join(format!("{service}.log"))
    }

    /// Adds the end of a service's log to an error.
    pub(crate) fn with_log(&self, error: &anyhow::Error, service: &str) -> anyhow::Error {
        anyhow!("{error:#}\n{}", wait::log_tail(&self.log(service), 15))
    }

    /// Starts a service.
    pub async fn start(&self, service: Service) -> Result<()> {
        let log = self.log(&service.name);
        {
            let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            started.insert(service.name.clone(), service.clone());
        }
        self.ask(&Request::Start { service, log }).await.map(drop)
    }

    /// Starts a service that was stopped, as it was started before.
    pub async fn start_again(&self, service: &str) -> Result<()> {
        let known = {
            let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            started.get(service).cloned()
        };
        let known = known.with_context(|| format!("{service} was never started"))?;
        self.start(known).await
    }

    /// Ends a service with SIGKILL until it is started again.
    pub async fn halt(&self, service: &str) -> Result<()> {
        self.ask(&Request::Stop {
            name: service.to_owned(),
            at_once: true,
        })
        .await
        .map(drop)
    }

    /// Ends a service (SIGTERM, after ten seconds SIGKILL) until it is started again.
    pub async fn stop(&self, service: &str) -> Result<()> {
        self.ask(&Request::Stop {
            name: service.to_owned(),
            at_once: false,
        })
        .await
        .map(drop)
    }

    /// Kills a service with SIGKILL; the machine starts it again at once.
    pub async fn kill(&self, service: &str) -> Result<()> {
        self.signal(service, Signal::KILL).await
    }

    /// Sends a signal to a service.
    pub async fn signal(&self, service: &str, signal: Signal) -> Result<()> {
        self.ask(&Request::Signal {
            name: service.to_owned(),
            signal: signal.as_raw(),
        })
        .await
        .map(drop)
    }

    /// Every service that was ever started here, and how it is.
    pub async fn services(&self) -> Result<BTreeMap<String, ServiceStatus>> {
        self.ask(&Request::Status).await
    }

    /// Runs a command in the machine's namespaces and gives its standard output.
    ///
    /// Fails with its standard error if it does not exit with 0.
    pub async fn run(&self, argv: &[&str]) -> Result<String> {
        self.run_with_input(argv, "").await
    }

    /// As [`run`](Self::run), with text for the command's standard input.
    pub async fn run_with_input(&self, argv: &[&str], input: &str) -> Result<String> {
        self.finish(self.command(argv), argv, input).await
    }

    /// Runs a command in the machine's network only, all else being the host's.
    pub(crate) async fn run_from_host(&self, argv: &[&str]) -> Result<()> {
        self.finish(self.enter(&["--net"], argv), argv, "")
            .await
            .map(drop)
    }

    /// A command in the machine's namespaces, to be run as the caller likes; killed when dropped.
    pub fn command(&self, argv: &[&str]) -> Command {
        self.enter(&["--mount", "--uts", "--ipc", "--net", "--pid"], argv)
    }

    fn enter(&self, namespaces: &[&str], argv: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        let pid = self.pid().to_string();
        command
            .args(["--target", &pid])
            .args(namespaces)
            // Killed with `nsenter`, which waits for it outside the process namespace.
            .args(["--", "setpriv", "--pdeathsig", "KILL", "--"])
            .args(argv)
            .env("PATH", &self.search_path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn finish(&self, mut command: Command, argv: &[&str], input: &str) -> Result<String> {
        let shown = || format!("on {}: {}", self.name, argv.join(" "));
        let mut child = command.spawn().with_context(shown)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that does not read its input is not wrong.
            drop(stdin.write_all(input.as_bytes()).await);
        }
        let output = tokio::time::timeout(COMMAND_LIMIT, child.wait_with_output())
            .await
            .map_err(|_| anyhow!("{} did not end within {COMMAND_LIMIT:?}", shown()))?
            .with_context(shown)?;
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            let said = format!("{stdout}{stderr}");
            bail!("{} failed ({}): {}", shown(), output.status, said.trim());
        }
        Ok(stdout)
    }

    async fn ask(&self, request: &Request) -> Result<BTreeMap<String, ServiceStatus>> {
        let context = || format!("asking machine {}", self.name);
        let mut connection = UnixStream::connect(&self.socket)
            .await
            .with_context(context)?;
        let line = format!("{}\n", serde_json::to_string(request)?);
        connection
            .write_all(line.as_bytes())
            .await
            .with_context(context)?;
        let mut reply = String::new();
        BufReader::new(connection)
            .read_line(&mut reply)
            .await
            .with_context(context)?;
        let reply: Reply = serde_json::from_str(&reply).with_context(context)?;
        reply.map_err(|error| anyhow!("machine {}: {error}", self.name))
    }

    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }
}
