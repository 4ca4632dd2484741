//! The programs of a cluster: where they are, and getting those that are missing.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Folders given by the user, searched in this order before anything is built.
const USER_FOLDERS: [&str; 2] = ["SIGNPOST_BINARIES", "KUBEBUILDER_ASSETS"];

/// Fetches or builds what is missing, below the root of the repository.
const SCRIPT: &str = "e2e/binaries/build.sh";

/// Paths of programs that no Debian package brings in a fitting version.
#[derive(Clone, Debug)]
pub struct Binaries {
    paths: BTreeMap<&'static str, PathBuf>,
}

impl Binaries {
    /// Finds the programs with these names, getting what neither the user nor the cache has.
    ///
    /// Looks into the folders named by `SIGNPOST_BINARIES` and `KUBEBUILDER_ASSETS` first. Fetching
    /// or building takes minutes the first time; its progress goes to standard error.
    pub fn ensure(names: &[&'static str]) -> Result<Self> {
        let mut paths = BTreeMap::new();
        let mut missing = Vec::new();
        for name in names {
            match from_user(name) {
                Some(path) => drop(paths.insert(*name, path)),
                None => missing.push(*name),
            }
        }
        if !missing.is_empty() {
            let folder = get(&missing)?;
            paths.extend(missing.into_iter().map(|name| (name, folder.join(name))));
        }
        Ok(Self { paths })
    }

    /// The path of one of the programs that were asked for.
    pub fn path(&self, name: &str) -> Result<&Path> {
        let path = self.paths.get(name);
        path.map(PathBuf::as_path)
            .with_context(|| format!("the program {name} was not asked for"))
    }

    /// The folders that the programs are in, for a `PATH` by which they find each other.
    pub fn folders(&self) -> Vec<&Path> {
        let mut folders: Vec<&Path> = self.paths.values().filter_map(|it| it.parent()).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

/// The root of the repository: of the package that cargo runs, else of the current folder.
///
/// Asked at run time, since a program in a shared target folder may have been built in another clone.
pub fn repository() -> Result<PathBuf> {
    let begin = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(package) => PathBuf::from(package),
        None => env::current_dir().context("asking for the current folder")?,
    };
    let root = begin.ancestors().find(|it| it.join(SCRIPT).is_file());
    root.map(Path::to_path_buf).with_context(|| {
        format!(
            "{} is in no clone of Signpost (none of its parents has {SCRIPT}): run this inside one",
            begin.display()
        )
    })
}

fn from_user(name: &str) -> Option<PathBuf> {
    USER_FOLDERS
        .iter()
        .filter_map(env::var_os)
        .map(|folder| Path::new(&folder).join(name))
        .find(|path| path.is_file())
}

fn get(names: &[&str]) -> Result<PathBuf> {
    let script = repository()?.join(SCRIPT);
    let output = Command::new(&script)
        .args(names)
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("running {}", script.display()))?;
    if !output.status.success() {
        bail!("getting the cluster's programs failed; what was missing is said above");
    }
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}
