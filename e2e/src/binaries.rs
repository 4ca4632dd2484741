//! The programs of a cluster, and those of the project.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Every program that a cluster needs and that no Debian package brings in a fitting version.
const NAMES: [&str; 11] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "etcd",
    "containerd",
    "containerd-shim-runc-v2",
    "ctr",
    "pause",
];

/// Paths of the programs of a cluster.
#[derive(Clone, Debug)]
pub struct Binaries(signpost_testing::Binaries);

impl Binaries {
    /// Finds every program, building what neither the user nor the cache has; see
    /// [`signpost_testing::Binaries::ensure`].
    pub fn ensure() -> Result<Self> {
        signpost_testing::Binaries::ensure(&NAMES).map(Self)
    }

    /// The path of one program, as a string for command lines.
    pub fn path(&self, name: &str) -> Result<String> {
        Ok(self.0.path(name)?.display().to_string())
    }

    /// Folders to put in front of `PATH`, so that programs find each other (containerd its shim).
    pub fn search_path(&self) -> String {
        let folders = self.0.folders();
        let inherited = std::env::var("PATH").unwrap_or_default();
        let ours: Vec<String> = folders
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        // The sbin folders are not in every user's PATH, and iptables and nft live there.
        format!(
            "{}:{inherited}:/usr/local/sbin:/usr/sbin:/sbin",
            ours.join(":")
        )
    }
}

/// The path of a program that no cluster needs, built first if it is not there.
pub async fn built(program: &'static str) -> Result<PathBuf> {
    let built = tokio::task::spawn_blocking(move || {
        let built = signpost_testing::Binaries::ensure(&[program])?;
        built.path(program).map(Path::to_path_buf)
    });
    built.await.with_context(|| format!("building {program}"))?
}

/// Finds one of the project's own programs (`signpost-controller`, `signpost-node`, `signpost-cni`).
///
/// Looks into `SIGNPOST_BIN_DIR`, else beside the running program, where cargo puts them.
pub fn own_binary(name: &str) -> Result<PathBuf> {
    let folder = own_folder()?;
    let path = folder.join(name);
    if !path.exists() {
        bail!(
            "{name} is not in {}. Remedy: cargo build --bins, or name its folder with SIGNPOST_BIN_DIR",
            folder.display()
        );
    }
    Ok(path)
}

/// Where the project's own programs are.
pub(crate) fn own_folder() -> Result<PathBuf> {
    Ok(if let Some(folder) = std::env::var_os("SIGNPOST_BIN_DIR") {
        PathBuf::from(folder)
    } else {
        let exe = std::env::current_exe().context("finding the running program")?;
        let folder = exe.parent().context("the running program has no folder")?;
        // A test program sits one level deeper, in `deps`.
        let in_deps = folder.ends_with("deps");
        if in_deps {
            folder.parent().unwrap_or(folder)
        } else {
            folder
        }
        .to_path_buf()
    })
}
