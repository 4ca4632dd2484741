//! Changes of routes that others make, as the kernel tells them.

use std::thread;
use std::time::Duration;

use signpost_netlink::{Netns, RouteEvent, RouteMonitor};
use tokio::sync::mpsc::{self, error::TrySendError};

/// How long the thread waits before it looks whether anybody still listens.
const PATIENCE: Duration = Duration::from_secs(1);

/// Starts to watch `table` in `netns` on a thread of its own, which ends when the receiver is dropped.
/// Changes that the socket with the number `own_port` makes are left out. A message stands for any
/// number of changes since the last one.
pub(super) fn start(
    netns: &Netns,
    own_port: u32,
    table: u32,
) -> Result<mpsc::Receiver<()>, signpost_netlink::Error> {
    let mut monitor = RouteMonitor::open_in(netns)?;
    monitor.ignore_changes_of(own_port);
    let (sender, receiver) = mpsc::channel(1);
    let watching = move || {
        while !sender.is_closed() {
            let changed = match monitor.next(PATIENCE) {
                Ok(None | Some(RouteEvent::LinkUp)) => false,
                Ok(Some(RouteEvent::Added(route) | RouteEvent::Removed(route))) => {
                    route.table == table
                }
                Ok(Some(_)) => true,
                Err(error) => {
                    tracing::warn!(%error, "route changes cannot be read");
                    thread::sleep(PATIENCE);
                    true
                }
            };
            if changed && matches!(sender.try_send(()), Err(TrySendError::Closed(()))) {
                return;
            }
        }
    };
    // Without the thread the sender is gone, and the receiver says so.
    if let Err(error) = thread::Builder::new()
        .name("linux-changes".into())
        .spawn(watching)
    {
        tracing::warn!(%error, "the thread that watches routes cannot start");
    }
    Ok(receiver)
}
