//! STATUS: whether a pod could be added now.
//!
//! It is asked often, and a runtime that hears no takes the node out of service: only what is known here at
//! once counts, and by default not that the node is full, since its pods would be evicted then.

use signpost_netlink::Socket;

use crate::address::{Pool, claimed_addresses};
use crate::config::Config;
use crate::error::{Error, ErrorCode, Result};
use crate::{host_local, ready};

/// Serves STATUS.
pub(crate) fn status(config: &Config) -> Result<()> {
    if let Some(file) = &config.ready_file {
        ready::check(file, &config.subnets, ErrorCode::Unavailable)?;
    }
    if !config.full_is_unavailable {
        return Ok(());
    }
    let mut node = Socket::open()?;
    let reserved = host_local::given(&config.host_local_dirs);
    for subnet in &config.subnets {
        let mut claimed = claimed_addresses(&mut node, *subnet)?;
        claimed.extend(reserved.iter().filter(|address| subnet.contains(*address)));
        if claimed.len() as u128 >= Pool::new(*subnet).size() {
            let message = format!("no address of {subnet} is free");
            return Err(Error::new(ErrorCode::Unavailable, message)
                .with_details("run fewer pods on this node, or set fullIsUnavailable to false"));
        }
    }
    Ok(())
}
