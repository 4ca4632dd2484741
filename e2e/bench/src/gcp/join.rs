//! One node more in the filled network: from the request that creates it until it says that it is
//! routed.

use std::time::Duration;

use anyhow::Result;

use super::{Filled, Scale};
use crate::clouds::join;
use crate::report::{Against, Report, Row};
use crate::world::say;

/// After filling, until there is something of the quota again, and no bulk of changes goes on.
const REFILL: Duration = Duration::from_secs(12);
/// Between two of them …
const PAUSE: Duration = Duration::from_secs(7);
/// … and so much more each time, so that they are in step neither with the listings nor with the looks
/// at operations.
const SHIFT: Duration = Duration::from_millis(370);

pub(super) async fn measure(scale: &Scale, cluster: &Filled, report: &mut Report) -> Result<()> {
    let Filled {
        nodes,
        world,
        network,
        ..
    } = cluster;
    say(&format!("gcp, one node joins {nodes}"));
    tokio::time::sleep(REFILL).await;
    let mut taken = Vec::new();
    for turn in 0..scale.joining {
        network.gce.clear_calls();
        taken.push(join(world, network, nodes + turn).await?);
        tokio::time::sleep(PAUSE + SHIFT * turn).await;
    }
    let floor = vec![scale.operation.as_secs_f64(); taken.len()];
    report.add(Row::new(
        format!("gcp, one node joins {nodes}: routed, floor one operation"),
        "s",
        &taken,
        Against::Floor(&floor),
        scale.goal(1.2),
    ));
    Ok(())
}
