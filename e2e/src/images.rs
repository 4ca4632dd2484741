//! The images of a cluster on this machine. No registry is needed: each node is given archives.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::binaries::own_folder;
use crate::identity::{AGENT, CONTROLLER};

/// The image that holds a pod's namespaces open.
pub const PAUSE: &str = concat!("localhost/signpost-pause:", env!("CARGO_PKG_VERSION"));
/// The image of test pods: a static busybox and its applets (`ping`, `nc`, `wget`, `httpd`, `ip`, …),
/// which serves both IP families.
pub const TOOLS: &str = concat!("localhost/signpost-tools:", env!("CARGO_PKG_VERSION"));

/// What packs the programs that cargo has built.
const SCRIPT: &str = "scripts/images/local.sh";

/// Where the archives are.
#[derive(Clone, Debug)]
pub(crate) struct Images {
    /// Of pods in general.
    pods: PathBuf,
    /// Of Signpost.
    signpost: PathBuf,
}

impl Images {
    /// Packs what was not packed since it was built. With `SIGNPOST_IMAGES`, Signpost's own are those of
    /// that folder, as `make images` fills it.
    pub(crate) fn ensure() -> Result<Self> {
        let programs = own_folder()?;
        let pods = programs.join("images");
        let packed = Command::new(signpost_testing::repository()?.join(SCRIPT))
            .arg(programs)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("starting {SCRIPT}"))?;
        ensure!(
            packed.status.success(),
            "{SCRIPT} failed: {}{}",
            String::from_utf8_lossy(&packed.stdout),
            String::from_utf8_lossy(&packed.stderr)
        );
        let other = std::env::var_os("SIGNPOST_IMAGES").map(PathBuf::from);
        let signpost = other.unwrap_or_else(|| pods.clone());
        for name in [CONTROLLER, AGENT] {
            let archive = archive(&signpost, name);
            ensure!(
                archive.exists(),
                "there is no image {}. Remedy: make images, or leave SIGNPOST_IMAGES unset",
                archive.display()
            );
        }
        Ok(Self { pods, signpost })
    }

    /// What every pod needs, and pods of tests.
    pub(crate) fn of_pods(&self) -> [PathBuf; 2] {
        ["signpost-pause", "signpost-tools"].map(|name| archive(&self.pods, name))
    }

    /// The controller's image, or the agent's.
    pub(crate) fn of(&self, program: &str) -> PathBuf {
        archive(&self.signpost, program)
    }
}

fn archive(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.tar"))
}
