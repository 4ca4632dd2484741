//! Whether the node is ready for pods: it forwards their packets since it booted.
//!
//! The network configuration outlives a reboot, forwarding does not, and the node's pod CIDRs may be another
//! node's by then. The agent writes a file with the subnets once all that stands, where a boot removes it.

use std::fs;
use std::path::Path;

use ipnet::IpNet;
use serde::Deserialize;

use crate::error::{Error, ErrorCode, Result};

/// What the agent has written.
#[derive(Deserialize)]
struct Ready {
    subnets: Vec<IpNet>,
}

/// Fails with `code` unless the file says that the node is ready for pods of `subnets`.
pub(crate) fn check(file: &Path, subnets: &[IpNet], code: ErrorCode) -> Result<()> {
    fault(file, subnets).map_or(Ok(()), |fault| {
        let message = format!("the node is not ready for pods: {} {fault}", file.display());
        Err(Error::new(code, message).with_details(
            "signpost-node writes it: see whether its pod runs on this node, and what it waits for \
             (kubectl -n signpost-system logs)",
        ))
    })
}

fn fault(file: &Path, subnets: &[IpNet]) -> Option<String> {
    let content = match fs::read_to_string(file) {
        Ok(content) => content,
        Err(error) => return Some(format!("cannot be read: {error}")),
    };
    let ready: Ready = match serde_json::from_str(&content) {
        Ok(ready) => ready,
        Err(error) => return Some(format!("has something else: {error}")),
    };
    (ready.subnets != subnets).then(|| format!("is for {:?}", ready.subnets))
}
