//! Whether a plugin of somebody else's works, and speaks the version that is written.

use std::fs::Metadata;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tracing::debug;

use crate::conflist::{CNI_VERSION, NEWEST_CNI_VERSION};

/// How long a plugin may take to say which versions it speaks.
const PATIENCE: Duration = Duration::from_secs(5);
/// As much of an answer as is read, in bytes.
const LONGEST_ANSWER: u64 = 64 * 1024;
/// How often, and after which pause, a file that is being written is tried again.
const BUSY_TRIES: u32 = 10;
const BUSY_PAUSE: Duration = Duration::from_millis(50);
/// `ENOEXEC`: the file is no program, or one for another machine.
const WRONG_FORMAT: i32 = 8;
/// Where to get the plugins.
pub(crate) const SOURCE: &str = "https://github.com/containernetworking/plugins/releases";

/// What is known of a plugin.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The node has none.
    Absent,
    /// It speaks our version.
    Good {
        /// And the newest, with the verbs GC and STATUS.
        newest: bool,
    },
    /// Whether it works cannot be seen from here.
    Unproven,
    /// Why it cannot be used, and what to do.
    Bad(String),
}

/// Judges the plugin at `path`, whose file is as `metadata` says.
pub(crate) fn judge(path: &Path, metadata: Option<&Metadata>) -> Verdict {
    let Some(metadata) = metadata else {
        return Verdict::Absent;
    };
    if metadata.is_symlink() {
        let why = "it is a link to what the agent does not see; put a copy there";
        return Verdict::Bad(why.to_owned());
    }
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Verdict::Bad("it is no executable file; chmod 755 it".to_owned());
    }
    let answer = match start(path) {
        Ok(plugin) => ask(plugin),
        Err(error) if error.raw_os_error() == Some(WRONG_FORMAT) => {
            let why = format!("{error}; install the one for this machine from {SOURCE}");
            return Verdict::Bad(why);
        }
        // In a container without files of its own a program that is linked dynamically does not find
        // its loader (ENOENT). On the node, where the runtime calls it, it may.
        Err(error) => {
            debug!(plugin = %path.display(), %error, "cannot be tried here, and is chained");
            return Verdict::Unproven;
        }
    };
    let spoken = answer.and_then(|answer| {
        let answer: Value = serde_json::from_slice(&answer).context("its answer is no JSON")?;
        let spoken = answer["supportedVersions"].as_array().cloned();
        spoken.context("its answer has no supportedVersions")
    });
    match spoken {
        Ok(spoken) if spoken.iter().any(|version| version == CNI_VERSION) => Verdict::Good {
            newest: spoken.iter().any(|version| version == NEWEST_CNI_VERSION),
        },
        Ok(spoken) => {
            let spoken = Value::from(spoken);
            Verdict::Bad(format!(
                "it speaks the CNI versions {spoken} and not {CNI_VERSION}; install a newer one from {SOURCE}"
            ))
        }
        Err(error) => Verdict::Bad(format!(
            "asked for its CNI versions, it fails: {error:#}; install a sound one from {SOURCE}"
        )),
    }
}

fn start(path: &Path) -> io::Result<Child> {
    let mut command = Command::new(path);
    command
        .env_clear()
        .env("CNI_COMMAND", "VERSION")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut tries = 0;
    loop {
        match command.spawn() {
            // Whoever installs it is just writing it.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries < BUSY_TRIES => {
                tries += 1;
                thread::sleep(BUSY_PAUSE);
            }
            other => return other,
        }
    }
}

/// Asks a started plugin for its versions; it is ended in any case.
fn ask(mut plugin: Child) -> anyhow::Result<Vec<u8>> {
    let (sender, answers) = mpsc::channel();
    if let (Some(mut question), Some(answer)) = (plugin.stdin.take(), plugin.stdout.take()) {
        // It may have answered and gone without reading.
        let _ = writeln!(question, "{}", json!({"cniVersion": CNI_VERSION}));
        thread::spawn(move || {
            let mut text = Vec::new();
            let read = answer.take(LONGEST_ANSWER).read_to_end(&mut text);
            // Nobody waits any more if it took too long.
            let _ = sender.send(read.map(|_length| text));
        });
    }
    let answer = answers.recv_timeout(PATIENCE);
    // What is gone already cannot be killed.
    let _ = plugin.kill();
    plugin.wait().context("it cannot be waited for")?;
    let answer = answer.with_context(|| format!("no answer within {} s", PATIENCE.as_secs()))?;
    answer.context("its answer cannot be read")
}
