//! Interfaces on their way to an instance or from one.

use signpost_cloud::Cloud;
use signpost_core::cloud::{CloudErrorKind, InstanceState, NextHop, Ownership};
use signpost_ec2::Settings;

use crate::scene::{
    Scene, config, create, delete, enable_forwarding, observed, pools, query, read, shown,
};

const BLOCK: &str = "10.244.1.0/24";

/// Transitions take a while, and time stands still.
fn stand_still(scene: &Scene) {
    let still = |all: &mut Settings| (all.transition, all.speed) = (30.0, 0.0);
    scene.ec2.configure(still).unwrap();
}

/// Lets one thing happen by itself.
async fn pass(scene: &Scene) {
    let version = scene.ec2.snapshot().version;
    scene.ec2.configure(|all| all.speed = 1e5).unwrap();
    scene.ec2.changed(version).await;
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
}

/// An interface that can be attached as the second one of an instance, with a route of somebody.
struct Floating {
    id: String,
}

impl Floating {
    /// Attached to this instance, with a route in the first table.
    async fn at(scene: &Scene, instance: &str) -> (Self, String) {
        let params = [("SubnetId", scene.subnet.as_str())];
        let made = scene.ok("CreateNetworkInterface", &params).await;
        let floating = Self {
            id: made.text("networkInterfaceId"),
        };
        let attachment = floating.attach(scene, instance).await;
        let table = &scene.tables[0];
        scene
            .by_hand("CreateRoute", table, BLOCK, &floating.id)
            .await;
        (floating, attachment)
    }

    async fn attach(&self, scene: &Scene, instance: &str) -> String {
        let params = [
            ("NetworkInterfaceId", self.id.as_str()),
            ("InstanceId", instance),
            ("DeviceIndex", "1"),
        ];
        let attached = scene.ok("AttachNetworkInterface", &params).await;
        attached.text("attachmentId")
    }
}

async fn detach(scene: &Scene, attachment: &str) {
    let params = [("AttachmentId", attachment)];
    scene.ok("DetachNetworkInterface", &params).await;
}

/// Whose the floating interface's route is, and whether packets get lost.
async fn seen(scene: &Scene) -> (Ownership, bool) {
    let seen = scene.shown(&scene.tables[0], BLOCK).await.unwrap();
    (seen.ownership, seen.blackhole.is_some())
}

#[tokio::test]
async fn a_node_whose_primary_interface_is_being_attached_is_routed_at_once() {
    let scene = Scene::new().await;
    stand_still(&scene);
    let instances = scene.launch(1, &[]).await;
    let primary = scene.primary(&instances[0]);
    let table = scene.tables[0].as_str();
    for way in ["attaching", "attached"] {
        let states = scene.read(&instances).await;
        let InstanceState::Found(found) = &states[0] else {
            panic!("{way}: {states:?}");
        };
        let hop = NextHop::Target(primary.as_str().into());
        assert_eq!(found.next_hop_v4.as_ref(), Some(&hop), "{way}");
        if way == "attaching" {
            assert_eq!(scene.change(&create(table, BLOCK, &primary)).await, Ok(()));
            let query = query(&instances[0]);
            enable_forwarding(&scene.cloud, &query).await.unwrap();
        }
        assert_eq!(seen(&scene).await, (Ownership::Ours, false), "{way}");
        // Without what the node said.
        let restarted = scene.another(config());
        let again = read(&restarted, &instances).await;
        assert!(matches!(&again[0], InstanceState::Found(it) if it.forwarding));
        if way == "attaching" {
            pass(&scene).await;
        }
    }
}

#[tokio::test]
async fn a_route_of_others_is_nobodys_prey_on_any_step_of_a_move() {
    let scene = Scene::new().await;
    let pair = scene.launch(2, &[]).await;
    let (floating, attachment) = Floating::at(&scene, &pair[0]).await;
    stand_still(&scene);
    let untouched = async |step: &str| {
        let (ownership, lost) = seen(&scene).await;
        assert_eq!(ownership, Ownership::Foreign, "{step}");
        // One that was just started knows nothing of what was before.
        let restarted = scene.another(config());
        let listings = restarted.list_routes(&pools()).await.unwrap();
        let again = shown(&listings, &scene.tables[0], BLOCK).unwrap();
        assert_eq!(again.ownership, Ownership::Foreign, "{step}");
        let taken = observed(BLOCK, &floating.id);
        let refused = scene.change(&delete(&scene.tables[0], &taken)).await;
        assert_eq!(refused, Err(CloudErrorKind::NotFound), "{step}");
        lost
    };
    assert!(!untouched("attached").await);
    detach(&scene, &attachment).await;
    assert!(!untouched("detaching").await);
    pass(&scene).await;
    assert!(untouched("available").await);
    floating.attach(&scene, &pair[1]).await;
    assert!(!untouched("attaching").await);
    pass(&scene).await;
    assert!(!untouched("attached again").await);
}

#[tokio::test]
async fn a_node_does_not_gain_the_interface_that_leaves_its_instance() {
    let scene = Scene::new().await;
    let pair = scene.launch(2, &[]).await;
    let (floating, attachment) = Floating::at(&scene, &pair[0]).await;
    stand_still(&scene);
    detach(&scene, &attachment).await;
    assert_eq!(seen(&scene).await, (Ownership::Foreign, false));
    // Its instance becomes a node of ours meanwhile.
    scene.read(&pair[..1]).await;
    assert_eq!(seen(&scene).await, (Ownership::Foreign, false));
    pass(&scene).await;
    assert_eq!(seen(&scene).await, (Ownership::Foreign, true));
    floating.attach(&scene, &pair[1]).await;
    pass(&scene).await;
    assert_eq!(seen(&scene).await, (Ownership::Foreign, false));
}

#[tokio::test]
async fn a_route_of_ours_stays_ours_on_the_way_to_another_node() {
    let scene = Scene::new().await;
    let nodes = scene.launch(2, &[]).await;
    let (floating, attachment) = Floating::at(&scene, &nodes[0]).await;
    scene.read(&nodes).await;
    stand_still(&scene);
    assert_eq!(seen(&scene).await, (Ownership::Ours, false));
    detach(&scene, &attachment).await;
    assert_eq!(seen(&scene).await, (Ownership::Ours, false));
    pass(&scene).await;
    assert_eq!(seen(&scene).await, (Ownership::Ours, true));
    floating.attach(&scene, &nodes[1]).await;
    assert_eq!(seen(&scene).await, (Ownership::Ours, false));
    pass(&scene).await;
    assert_eq!(seen(&scene).await, (Ownership::Ours, false));
}

#[tokio::test]
async fn a_route_is_somebody_elses_once_its_interface_has_moved_there() {
    let scene = Scene::new().await;
    let both = scene.launch(2, &[]).await;
    scene.read(&both[..1]).await;
    let (floating, attachment) = Floating::at(&scene, &both[0]).await;
    stand_still(&scene);
    assert_eq!(seen(&scene).await, (Ownership::Ours, false));
    detach(&scene, &attachment).await;
    pass(&scene).await;
    assert_eq!(
        seen(&scene).await,
        (Ownership::Ours, true),
        "nobody took it"
    );
    floating.attach(&scene, &both[1]).await;
    assert_eq!(seen(&scene).await, (Ownership::Foreign, false));
    let taken = observed(BLOCK, &floating.id);
    let refused = scene.change(&delete(&scene.tables[0], &taken)).await;
    assert_eq!(refused, Err(CloudErrorKind::NotFound));
}
