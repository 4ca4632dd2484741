//! Addresses that pods of an earlier network have from the plugin `host-local`.
//!
//! A node may get Signpost while they live. Where they are is not to be seen: behind a bridge the kernel forgets
//! who has not been talked to for a while. But `host-local` keeps a file for each address, named like it, with the
//! container and its interface in two lines (`plugins/ipam/host-local/backend/disk`), and nobody else removes that
//! once the runtime calls Signpost instead.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::attachment::Attachment;
use crate::error::{Error, Result};
use crate::input::Input;

/// The folders that they are in, each in one of its network: the default, and that of kindnet.
const FOLDERS: [&str; 2] = ["/var/lib/cni/networks", "/run/cni-ipam-state"];

/// The folders of the configuration.
pub(crate) fn folders(input: &Input) -> Result<Vec<PathBuf>> {
    let Some(value) = input.get("hostLocalDirs") else {
        return Ok(FOLDERS.map(PathBuf::from).into());
    };
    let texts = value.as_array().into_iter().flatten().map(Value::as_str);
    let absolute =
        |text: Option<&str>| text.filter(|text| text.starts_with('/')).map(PathBuf::from);
    let folders: Option<Vec<PathBuf>> = texts.map(absolute).collect();
    folders.filter(|_| value.is_array()).ok_or_else(|| {
        let remedy = "list absolute paths, such as [\"/var/lib/cni/networks\"]";
        Error::config("hostLocalDirs", &format!("{value} is invalid"), remedy)
    })
}

/// The addresses that it has given to pods, in all networks.
pub(crate) fn given(folders: &[PathBuf]) -> HashSet<IpAddr> {
    files(folders).map(|(address, _)| address).collect()
}

/// Gives back what the container has at this interface, since it is gone. What fails is tried at nobody's cost:
/// the address stays in use.
pub(crate) fn release(folders: &[PathBuf], attachment: &Attachment) -> io::Result<()> {
    for (_, path) in files(folders) {
        if fs::read_to_string(&path).is_ok_and(|holder| is_of(&holder, attachment)) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn files(folders: &[PathBuf]) -> impl Iterator<Item = (IpAddr, PathBuf)> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let networks = folders.iter().flat_map(move |folder| entries(folder));
    networks
        .flat_map(move |network| entries(&network.path()))
        .filter_map(|file| {
            let address = file.file_name().to_str()?.parse().ok()?;
            Some((address, file.path()))
        })
}

/// Earlier versions of it noted no interface.
fn is_of(holder: &str, attachment: &Attachment) -> bool {
    let mut lines = holder.lines().map(str::trim);
    lines.next() == Some(attachment.container_id.as_str())
        && lines
            .next()
            .is_none_or(|interface| interface == attachment.interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_container_and_interface() {
        let attachment = Attachment::of("signpost", "abc", "eth0");
        for (holder, ours) in [
            ("abc\r\neth0", true),
            ("abc", true),
            ("abc\r\n", true),
            ("abc\r\nnet1", false),
            ("abcd\r\neth0", false),
            ("", false),
        ] {
            assert_eq!(is_of(holder, &attachment), ours, "{holder:?}");
        }
    }
}
