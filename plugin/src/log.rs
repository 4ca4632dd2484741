//! The log: standard error, or the file that the configuration names. Never standard output.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::{Instant, SystemTime};

use crate::config::decode;
use crate::environment::Environment;
use crate::error::Error;

/// Where log lines go.
#[derive(Debug)]
pub(crate) struct Log {
    file: Option<File>,
    started: Instant,
}

impl Log {
    /// Opens the configured file. If that fails, standard error gets the lines: a log is no reason to
    /// leave a pod without network.
    pub(crate) fn open(input: &str) -> Self {
        let started = Instant::now();
        let configured = decode(input)
            .ok()
            .and_then(|config| config.get("logFile")?.as_str().map(str::to_owned));
        let Some(path) = configured.filter(|path| !path.is_empty()) else {
            return Self {
                file: None,
                started,
            };
        };
        match OpenOptions::new().append(true).create(true).open(&path) {
            Ok(file) => Self {
                file: Some(file),
                started,
            },
            Err(error) => {
                let log = Self {
                    file: None,
                    started,
                };
                log.warn(&format!("logFile {path} cannot be opened: {error}"));
                log
            }
        }
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
