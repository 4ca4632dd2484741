//! Network configurations of others, beside Signpost's. They are left alone.

use std::fs;
use std::path::{Path, PathBuf};

use crate::conflist::{FILE, FORMER_FILE};

/// What names of files end with that runtimes read (containerd: `loadFromConfDir` of go-cni).
const READ_BY_RUNTIMES: [&str; 3] = [".conf", ".conflist", ".json"];

/// The files of others in `folder` that runtimes read, in the runtimes' order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    // A folder that cannot be read is the concern of whoever writes into it.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| {
            let name = name(path);
            let read = |ending: &&str| name.ends_with(ending.as_bytes());
            let is_ours = name == FILE.as_bytes() || name == FORMER_FILE.as_bytes();
            READ_BY_RUNTIMES.iter().any(read) && !is_ours
        })
        .collect();
    files.sort();
    files
}

/// Says of each file that the runtime takes before Signpost's that it does, and what to do.
pub fn outrank(folder: &Path) -> Vec<String> {
    let mut others = files(folder);
    others.retain(|path| name(path) < FILE.as_bytes());
    let told = others.iter().map(|other| {
        format!(
            "{} comes before {FILE} in the alphabet, so the container runtime takes it and pods \
             are not Signpost's: remove it, unless it calls Signpost in its turn",
            other.display()
        )
    });
    told.collect()
}

fn name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rivals_that_still_win_are_named_and_usual_ones_come_later() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let usual = [
            "05-cilium.conf",
            "10-aws.conflist",
            "10-calico.conflist",
            "10-containerd-net.conflist",
            "10-flannel.conflist",
            "87-podman-bridge.conflist",
        ];
        let others = [
            "00-not-read.conflist.bak",
            "00-also-not.txt",
            FILE,
            FORMER_FILE,
        ];
        for name in usual.iter().chain(&others) {
            fs::write(folder.join(name), "{}").unwrap();
        }
        fs::create_dir(folder.join("00-folder.conf")).unwrap();
        assert_eq!(files(folder), usual.map(|name| folder.join(name)));
        assert_eq!(outrank(folder), Vec::<String>::new());
        for winner in ["00-multus.conf", ".hidden.json"] {
            fs::write(folder.join(winner), "{}").unwrap();
        }
        let told = outrank(folder);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].contains(".hidden.json") && told[1].contains("00-multus.conf"));
        assert!(told.iter().all(|told| told.contains("remove it")));
        assert!(folder.join("00-multus.conf").exists());
    }
}
