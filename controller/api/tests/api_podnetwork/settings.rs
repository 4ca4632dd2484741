//! Rules on datapath and safety.

use serde_json::json;

use crate::support::{with, world};

#[tokio::test]
async fn the_mtu_is_0_or_enough_for_ipv6() {
    let world = world().await;
    let mtu = |bytes: u32| with("/datapath/mtu", json!(bytes));
    for bytes in [0, 1280, 9001, 65_535] {
        world.accepted(&mtu(bytes)).await;
    }
    for bytes in [1, 1279] {
        world
            .refused(
                mtu(bytes),
                "spec.datapath.mtu",
                "set mtu to 1280 or more, or to 0",
            )
            .await;
    }
    let field = "spec.datapath.mtu";
    world
        .refused(mtu(65_536), field, "should be less than or equal to 65535")
        .await;
}

#[tokio::test]
async fn the_mode_is_ptp_or_bridge() {
    let world = world().await;
    world
        .accepted(&with("/datapath/mode", json!("bridge")))
        .await;
    let object = with("/datapath/mode", json!("vxlan"));
    world
        .refused(
            object,
            "spec.datapath.mode",
            r#"supported values: "ptp", "bridge""#,
        )
        .await;
}

#[tokio::test]
async fn the_share_of_deletions_is_a_percentage() {
    let world = world().await;
    let share = |percent: u32| with("/safety/maxDeletionPercent", json!(percent));
    for percent in [0, 100] {
        world.accepted(&share(percent)).await;
    }
    let field = "spec.safety.maxDeletionPercent";
    world
        .refused(share(101), field, "should be less than or equal to 100")
        .await;
}
