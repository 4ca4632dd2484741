//! A child process that ends with this one.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// Runs its further arguments. Once its standard input ends, which happens when this process
/// drops its end or dies in whatever way, it kills them and removes the folder that is its first
/// argument (if not empty). Ends with their exit code when they end on their own.
const KEEPER: &str = r#"
dir=$1; shift
exec 3<&0 </dev/null
"$@" 3<&- & child=$!
{ cat; kill -KILL $child; test -z "$dir" || rm -rf "$dir"; } <&3 >/dev/null 2>&1 & reader=$!
exec 3<&-
wait $child; code=$?
if test $code = 137; then wait $reader; else kill -KILL $reader; fi
exit $code
"#;

/// Bytes of a log that an error message shows.
const LOG_TAIL: usize = 4000;

/// A running program, its output in a log file.
#[derive(Debug)]
pub(crate) struct Process {
    keeper: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output appended to `log`. `folder`, if given, is removed when
    /// the program is ended.
    pub(crate) fn start(command: &Command, log: &Path, folder: Option<&Path>) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "sh"])
            .arg(folder.unwrap_or(Path::new("")))
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Ctrl-C reaches the test only; the end of the test then ends this.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            keeper,
            log: log.to_owned(),
        })
    }

    /// Fails, with the end of the log, if the program has ended.
    pub(crate) fn check_alive(&mut self) -> Result<()> {
        if let Some(status) = self.keeper.try_wait()? {
            bail!("{status}\n{}", self.log_tail());
        }
        Ok(())
    }

    pub(crate) fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LOG_TAIL)..];
        format!(
            "end of {}:\n{}",
            self.log.display(),
            String::from_utf8_lossy(tail)
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Nothing useful can be done with an error while dropping.
        let _ = self.keeper.wait();
    }
}
