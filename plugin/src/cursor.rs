//! The address given out last, remembered so that a freed address is not given out again at once:
//! connections of its former pod may still be tracked.
//!
//! This is a convenience. It is lost at a reboot, two requests at the same time may overwrite each
//! other, and failing to read or write it never fails a request: the claim alone decides.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use signpost_netlink::Family;

/// Where the last address of one family and one network stands.
#[derive(Clone, Debug)]
pub(crate) struct Cursor {
    path: PathBuf,
}

impl Cursor {
    pub(crate) fn new(run_dir: &Path, network: &str, family: Family) -> Self {
        let file = match family {
            Family::V4 => "last-ipv4",
            Family::V6 => "last-ipv6",
        };
        Self {
            path: run_dir.join(network).join(file),
        }
    }

    /// The address given out last, if that is known.
    pub(crate) fn read(&self) -> Option<IpAddr> {
        fs::read_to_string(&self.path).ok()?.trim().parse().ok()
    }

    /// Remembers `address`; tells what went wrong, for the log.
    pub(crate) fn write(&self, address: IpAddr) -> Result<(), String> {
        let fault = |error: std::io::Error| format!("write {}: {error}", self.path.display());
        match fs::write(&self.path, format!("{address}\n")) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let folder = self.path.parent().unwrap_or(Path::new("/"));
                fs::create_dir_all(folder).map_err(fault)?;
                fs::write(&self.path, format!("{address}\n")).map_err(fault)
            }
            other => other.map_err(fault),
        }
    }
}
