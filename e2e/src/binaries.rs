//! The programs of a cluster: where they are, and building those that are missing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// Folders given by the user, searched in this order before anything is built.
const USER_FOLDERS: [&str; 2] = ["SIGNPOST_BINARIES", "KUBEBUILDER_ASSETS"];

/// Paths of the programs of a cluster.
#[derive(Clone, Debug)]
pub struct Binaries {
    paths: BTreeMap<&'static str, PathBuf>,
}

impl Binaries {
    /// Finds every program, building what neither the user nor the cache has.
    ///
    /// Looks into the folders named by `SIGNPOST_BINARIES` and `KUBEBUILDER_ASSETS` first. Building
    /// takes minutes the first time; its progress goes to standard error.
    pub fn ensure() -> Result<Self> {
        let mut paths = BTreeMap::new();
        let mut missing = Vec::new();
        for name in NAMES {
            match from_user(name) {
                Some(path) => drop(paths.insert(name, path)),
                None => missing.push(name),
            }
        }
        if !missing.is_empty() {
            let folder = build(&missing)?;
            paths.extend(missing.into_iter().map(|name| (name, folder.join(name))));
        }
        Ok(Self { paths })
    }

    /// The path of one program, as a string for command lines.
    pub fn path(&self, name: &str) -> Result<String> {
        let path = self
            .paths
            .get(name)
            .with_context(|| format!("no program {name} is known"))?;
        Ok(path.display().to_string())
    }

    /// Folders to put in front of `PATH`, so that programs find each other (containerd its shim).
    pub fn search_path(&self) -> String {
        let mut folders: Vec<&Path> = self
            .paths
            .values()
            .filter_map(|path| path.parent())
            .collect();
        folders.sort_unstable();
        folders.dedup();
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

/// Finds one of the project's own programs (`signpost-controller`, `signpost-node`, `signpost-cni`).
///
/// Looks into `SIGNPOST_BIN_DIR`, else beside the running program, where cargo puts them.
pub fn own_binary(name: &str) -> Result<PathBuf> {
    let folder = if let Some(folder) = std::env::var_os("SIGNPOST_BIN_DIR") {
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
    };
    let path = folder.join(name);
    if !path.exists() {
        bail!(
            "{name} is not in {}. Remedy: cargo build --bins, or name its folder with SIGNPOST_BIN_DIR",
            folder.display()
        );
    }
    Ok(path)
}

fn from_user(name: &str) -> Option<PathBuf> {
    USER_FOLDERS
        .iter()
        .filter_map(std::env::var_os)
        .map(|folder| Path::new(&folder).join(name))
        .find(|path| path.is_file())
}

fn build(names: &[&str]) -> Result<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("binaries/build.sh");
    let output = Command::new(&script)
        .args(names)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("running {}", script.display()))?;
    if !output.status.success() {
        bail!("building the cluster's programs failed; what was missing is said above");
    }
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}
