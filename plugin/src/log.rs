//! The log: standard error, or the file that the configuration names. Never standard output.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::{Instant, SystemTime};

use nix::fcntl::OFlag;
use serde_json::Value;

use crate::environment::Environment;
use crate::error::Error;
use crate::input::Input;

/// Where log lines go.
#[derive(Debug)]
pub(crate) struct Log {
    file: Option<File>,
    started: Instant,
}

impl Log {
    /// Opens the configured file. If that fails, standard error gets the lines: a log is no reason to
    /// leave a pod without network.
    pub(crate) fn open(input: &Input) -> Self {
        let mut log = Self {
            file: None,
            started: Instant::now(),
        };
        let opened = match input.get("logFile") {
            None => return log,
            Some(Value::String(path)) if path.is_empty() => return log,
            Some(Value::String(path)) => open(path),
            Some(_) => Err(std::io::Error::other("give a path")),
        };
        match opened {
            Ok(file) => log.file = Some(file),
            Err(error) => log.warn(&format!(
                "logFile {} is not used: {error}",
                input.get("logFile").unwrap_or(&Value::Null)
            )),
        }
        log
    }

    /// Something that did not fail the request, but that people should know.
    pub(crate) fn warn(&self, message: &str) {
        self.line("WARN", message);
    }

    /// How a request ended. Success is worth a line only in a file of our own.
    pub(crate) fn outcome(&self, environment: &Environment, error: Option<&Error>) {
        let Environment {
            verb,
            container_id,
            netns,
            interface,
            ..
        } = environment;
        let micros = self.started.elapsed().as_micros();
        let request =
            format!("{verb:?} container={container_id} interface={interface} netns={netns}");
        match error {
            Some(error) => self.line("ERROR", &format!("{request} micros={micros}: {error}")),
            None if self.file.is_some() => self.line("INFO", &format!("{request} micros={micros}")),
            None => {}
        }
    }

    fn line(&self, level: &str, message: &str) {
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        // One write for each line keeps lines of simultaneous requests apart.
        let line = format!(
            "{time} {level} signpost-cni[{}] {message}\n",
            std::process::id()
        );
        let _ = match &self.file {
            Some(file) => (&*file).write_all(line.as_bytes()),
            None => std::io::stderr().write_all(line.as_bytes()),
        };
    }
}

/// Opens a file to append to. What is none, such as a FIFO that nobody reads, could make the plugin wait.
fn open(path: &str) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .custom_flags(OFlag::O_NONBLOCK.bits())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(std::io::Error::other("it is no regular file"))
    }
}
