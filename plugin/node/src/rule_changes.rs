//! Changes of the node's rules by others, told by the kernel.
//!
//! Without the rules pods' packets leave with their own addresses, or not at all, until the agent looks
//! again. So it does not only look from time to time: a change of its table or of iptables' FORWARD
//! chains wakes it. Those of other tables do not, however often a service proxy writes its own, with a
//! forward chain among them: what is only reported can wait for the next look.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use signpost_netlink::nftables::{Change, Event, Family, Monitor};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::warn;

use crate::forward;
use crate::table;

/// How often the thread that waits for the kernel sees whether anybody still listens.
const CHECK: Duration = Duration::from_secs(2);

/// Changes of nftables in the network namespace of the thread that began this; of those of the legacy
/// `iptables` the kernel tells nothing.
#[derive(Debug)]
pub struct RuleChanges {
    seen: watch::Receiver<()>,
    own_port: Arc<AtomicU32>,
}

impl RuleChanges {
    /// Follows them from now on, on a thread that ends soon after this value, or says why it cannot.
    pub fn follow() -> Self {
        let (sender, seen) = watch::channel(());
        let own_port = Arc::new(AtomicU32::new(0));
        let begun = Monitor::open().map_err(Into::into).and_then(|monitor| {
            let own_port = Arc::clone(&own_port);
            let thread = thread::Builder::new().name("nftables".to_owned());
            thread
                .spawn(move || {
                    if let Err(error) = pass_on(monitor, &own_port, &sender) {
                        give_up(&error.into());
                    }
                })
                .context("start a thread")
        });
        if let Err(error) = begun {
            give_up(&error);
        }
        Self { seen, own_port }
    }

    /// Leaves out what the agent changes itself, through the socket with this number.
    pub fn ignore_changes_of(&self, port: u32) {
        self.own_port.store(port, Ordering::Relaxed);
    }

    /// Ends when somebody has changed what the agent keeps, after gathering changes for `gathering`.
    pub async fn gathered(&mut self, gathering: Duration) {
        if self.seen.changed().await.is_err() {
            // Nobody follows them any more.
            std::future::pending::<()>().await;
        }
        sleep(gathering).await;
        // The look that follows sees what came meanwhile.
        self.seen.mark_unchanged();
    }
}

fn give_up(error: &anyhow::Error) {
    warn!(
        "{error:#}: changes of nftables by others are found at the regular checks only; to hear of \
         them the agent needs the capability NET_ADMIN, and the kernel nf_tables"
    );
}

fn pass_on(
    mut monitor: Monitor,
    own_port: &AtomicU32,
    sender: &watch::Sender<()>,
) -> signpost_netlink::Result<()> {
    while !sender.is_closed() {
        match own_port.load(Ordering::Relaxed) {
            0 => {}
            port => monitor.ignore_changes_of(port),
        }
        if monitor.next(CHECK)?.is_some_and(|event| concerns(&event)) {
            sender.send_replace(());
        }
    }
    Ok(())
}

fn concerns(event: &Event) -> bool {
    match event {
        Event::Overrun => true,
        Event::Changed(Change {
            family,
            table,
            chain,
        }) => {
            let is_own = matches!(family, Family::Inet | Family::Bridge) && table == table::NAME;
            is_own
                || chain
                    .as_ref()
                    .is_some_and(|chain| forward::iptables_family(*family, table, chain).is_some())
        }
    }
}
