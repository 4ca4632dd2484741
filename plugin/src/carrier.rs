//! Waiting until both ends of a pair really send.
//!
//! An interface that has got its carrier drops what is sent over it until the kernel's link watch
//! has seen the carrier: mostly well under a millisecond, on a busy machine some more. A pod whose
//! first packets vanish would wait for seconds where nothing sends them again at once, as for names.

use std::thread::sleep;
use std::time::{Duration, Instant};

use signpost_netlink::{Link, Socket};

use crate::error::Result;
use crate::log::Log;

/// How often to look.
const INTERVAL: Duration = Duration::from_micros(200);
/// A pod is not refused because the kernel is slow.
const LIMIT: Duration = Duration::from_secs(1);

/// Waits until the interface `name` sends; after a second goes on without, and says so. Tells what it saw last:
/// `None` where the interface has gone.
pub(crate) fn wait(socket: &mut Socket, name: &str, log: &Log) -> Result<Option<Link>> {
    let begun = Instant::now();
    loop {
        let Some(link) = socket.link_by_name(name)? else {
            return Ok(None);
        };
        if link.operational {
            return Ok(Some(link));
        }
        if begun.elapsed() >= LIMIT {
            log.warn(&format!(
                "{name} has no carrier after {LIMIT:?}: first packets may be lost"
            ));
            return Ok(Some(link));
        }
        sleep(INTERVAL);
    }
}
