//! Control groups: one for each node, in which the kubelet puts its pods.
//!
//! Works with both layouts, the unified one and one hierarchy for each controller.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const ROOT: &str = "/sys/fs/cgroup";

/// The cgroup of a node, as the kubelet's `cgroupRoot` takes it.
pub(crate) fn node_root(cluster: &str, node: &str) -> String {
    format!("/{}/{node}", top(cluster))
}

/// Makes a node's cgroup in every hierarchy.
pub(crate) fn create(cluster: &str, node: &str) -> Result<()> {
    let path = [top(cluster), node.to_owned()];
    for hierarchy in hierarchies()? {
        let mut folder = hierarchy;
        for name in &path {
            delegate(&folder)?;
            let parent = folder.clone();
            folder = folder.join(name);
            create_in(&parent, &folder)?;
        }
        delegate(&folder)?;
    }
    Ok(())
}

/// Removes every cgroup of a cluster. Fails while processes are left in one.
pub(crate) fn remove(cluster: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        remove_tree(&hierarchy.join(top(cluster)))?;
    }
    Ok(())
}

/// Removes a node's cgroups. Fails while processes are left in one.
pub(crate) fn remove_node(cluster: &str, node: &str) -> Result<()> {
    for hierarchy in hierarchies()? {
        remove_tree(&hierarchy.join(top(cluster)).join(node))?;
    }
    Ok(())
}

fn top(cluster: &str) -> String {
    format!("signpost-e2e-{cluster}")
}

/// The mount points of all hierarchies.
fn hierarchies() -> Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("reading the mounts")?;
    let mut found: Vec<PathBuf> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ');
            let (_, path, kind) = (fields.next()?, fields.next()?, fields.next()?);
            let of_cgroups = kind.starts_with("cgroup") && path.starts_with(ROOT);
            of_cgroups.then(|| PathBuf::from(path))
        })
        .collect();
    found.dedup();
    Ok(found)
}

fn create_in(parent: &Path, folder: &Path) -> Result<()> {
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(error).with_context(|| format!("creating cgroup {}", folder.display()));
        }
        _ => {}
    }
    // In a hierarchy of its own, cpuset starts empty and takes no process before it is filled.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (parent.join(file), folder.join(file));
        let per_controller = !folder.join("cgroup.controllers").exists();
        if per_controller && to.exists() {
            fs::write(&to, fs::read_to_string(&from)?)
                .with_context(|| format!("writing {}", to.display()))?;
        }
    }
    Ok(())
}

/// In the unified layout: lets the groups below `folder` use every controller that it has.
fn delegate(folder: &Path) -> Result<()> {
    let Ok(controllers) = fs::read_to_string(folder.join("cgroup.controllers")) else {
        return Ok(());
    };
    let enable: Vec<String> = controllers
        .split_whitespace()
        .map(|controller| format!("+{controller}"))
        .collect();
    let control = folder.join("cgroup.subtree_control");
    fs::write(&control, enable.join(" ")).with_context(|| format!("writing {}", control.display()))
}

fn remove_tree(folder: &Path) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(folder).with_context(|| format!("removing cgroup {}", folder.display()))
}
