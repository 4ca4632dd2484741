//! Where the server binaries are found.

use std::env;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, bail};

/// Paths of the binaries that a control plane consists of.
#[derive(Clone, Debug)]
pub struct Binaries {
    /// etcd 3.5 or later.
    pub etcd: PathBuf,
    /// kube-apiserver 1.31 or later (the CEL libraries for addresses).
    pub kube_apiserver: PathBuf,
}

impl Binaries {
    /// Looks in `KUBEBUILDER_ASSETS`, then in `SIGNPOST_BINARIES`, then in the newest complete
    /// folder below `~/.cache/signpost/binaries` (or `XDG_CACHE_HOME`), where
    /// `e2e/binaries/build.sh` puts them.
    ///
    /// A folder that a variable names but that lacks a binary is an error: it was meant.
    pub fn find() -> Result<Self> {
        for variable in ["KUBEBUILDER_ASSETS", "SIGNPOST_BINARIES"] {
            if let Some(folder) = env::var_os(variable).filter(|value| !value.is_empty()) {
                let folder = PathBuf::from(folder);
                return match Self::in_folder(&folder) {
                    Some(binaries) => Ok(binaries),
                    None => bail!(
                        "{variable} is {}, which lacks etcd or kube-apiserver: correct the \
                         variable, or unset it and run e2e/binaries/build.sh",
                        folder.display()
                    ),
                };
            }
        }
        match cache_folder().as_deref().and_then(newest) {
            Some(binaries) => Ok(binaries),
            None => bail!(
                "etcd and kube-apiserver are missing: run e2e/binaries/build.sh, or set \
                 KUBEBUILDER_ASSETS to a folder that has them"
            ),
        }
    }

    /// kubectl, which lies beside the others or on the `PATH`.
    pub fn kubectl(&self) -> Result<PathBuf> {
        let beside = self.kube_apiserver.with_file_name("kubectl");
        if beside.is_file() {
            return Ok(beside);
        }
        let path = env::var_os("PATH").unwrap_or_default();
        match env::split_paths(&path)
            .map(|dir| dir.join("kubectl"))
            .find(|file| file.is_file())
        {
            Some(kubectl) => Ok(kubectl),
            None => bail!("kubectl is missing: run e2e/binaries/build.sh, or install it"),
        }
    }

    fn in_folder(folder: &Path) -> Option<Self> {
        let etcd = folder.join("etcd");
        let kube_apiserver = folder.join("kube-apiserver");
        (etcd.is_file() && kube_apiserver.is_file()).then_some(Self {
            etcd,
            kube_apiserver,
        })
    }
}

fn cache_folder() -> Option<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(env::var_os("HOME")?).join(".cache"),
    };
    Some(cache.join("signpost/binaries"))
}

fn newest(cache: &Path) -> Option<Binaries> {
    let modified = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let mut found: Vec<(Option<SystemTime>, Binaries)> = cache
        .read_dir()
        .ok()?
        .flatten()
        .filter_map(|entry| Binaries::in_folder(&entry.path()))
        .map(|binaries| (modified(&binaries.kube_apiserver), binaries))
        .collect();
    found.sort_by_key(|(time, _)| *time);
    found.pop().map(|(_, binaries)| binaries)
}
