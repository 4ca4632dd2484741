//! A measured process: its CPU time, its memory, and its end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a program may take to end when it is told to.
const END: Duration = Duration::from_secs(20);

/// A running program; it ends with the value, and with this process however that ends.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    child: Child,
    log: PathBuf,
    /// When it was started.
    pub(crate) started: SystemTime,
}

/// What a process used until now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// Time on processors.
    pub(crate) cpu: Duration,
    /// Most memory resident at once, in MB (2²⁰ bytes).
    pub(crate) peak_rss: f64,
}

impl Program {
    /// Starts `program` with its output in `log` and these variables beside its environment.
    pub(crate) fn start(
        program: &Path,
        arguments: &[String],
        environment: &[(&str, String)],
        log: &Path,
    ) -> Result<Self> {
        let name = program
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let started = SystemTime::now();
        // setpriv becomes the program, so the process id is the program's.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .context("cannot run setpriv. Remedy: apt-get install util-linux")?;
        Ok(Self {
            name,
            child,
            log: log.to_owned(),
            started,
        })
    }

    /// Fails if it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} ended: {status}\n{}", self.name, self.log_tail());
        }
        Ok(())
    }

    /// The end of what it said, for an error.
    pub(crate) fn log_tail(&self) -> String {
        const LINES: usize = 15;
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// What it used until now.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let pid = self.child.id();
        let usage = || -> Result<Usage> {
            Ok(Usage {
                cpu: cpu(pid)?,
                peak_rss: peak_rss(pid)?,
            })
        };
        usage().with_context(|| format!("reading what {} used", self.name))
    }

    /// Tells it to end, and waits for that.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process has an id")?, Signal::TERM)
            .with_context(|| format!("ending {}", self.name))?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > END {
                bail!("{} did not end within {END:?}", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time of every process that runs one of `programs` with `argument` in its command line.
pub(crate) fn cpu_of(programs: &[&str], argument: &Path) -> Result<Duration> {
    let argument = argument.to_string_lossy();
    let mut sum = Duration::ZERO;
    for process in fs::read_dir("/proc")? {
        let Ok(pid) = process?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // Others' processes come and go.
        let Ok(command) = fs::read_to_string(format!("/proc/{pid}/cmdline")) else {
            continue;
        };
        let program = Path::new(command.split('\0').next().unwrap_or_default());
        let wanted = programs.iter().any(|name| program.ends_with(name));
        if wanted && command.contains(&*argument) {
            sum += cpu(pid)?;
        }
    }
    Ok(sum)
}

/// Time of all threads. Exact to the nanosecond, unlike `stat`, whose tick is as long as what an
/// idle program uses in a minute; threads that ended are missing, of which these programs have none
/// that did much.
fn cpu(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread that ended in between.
        let Ok(stat) = fs::read_to_string(thread?.path().join("schedstat")) else {
            continue;
        };
        let time = stat
            .split_whitespace()
            .next()
            .context("an empty schedstat")?;
        nanoseconds += time.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn peak_rss(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|value| value.trim().strip_suffix(" kB"))
        .context("no VmHWM")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}
