//! What the agent sets up, when, and what stays when it goes.

use std::fs;

use serde_json::json;

use crate::world::{World, in_namespace, readiness, run};

#[test]
fn agent_sets_the_node_up_step_by_step_and_leaves_it_working() {
    in_namespace(async || {
        let mut world = World::start().await;
        world.logs("this machine's Node object").await;
        world.create_node("n1", "192.0.2.1").await;
        world.logs("waiting for pod CIDRs").await;
        let (status, why) = readiness();
        assert!(
            status.contains("503") && why.starts_with("waiting for pod CIDRs"),
            "{status} {why}"
        );
        world.set_pod_cidrs("n1").await;
        world.set_unavailable("n1", "True").await;
        world
            .logs("RouteMissing: table main has no route yet")
            .await;
        world
            .set_condition("n1", "False", "CalicoIsUp", "Calico is running")
            .await;
        world
            .logs("only somebody else has put the node into service, CalicoIsUp")
            .await;
        world.set_unavailable("n1", "False").await;
        world
            .logs("which signpost-controller publishes as ConfigMap signpost-node")
            .await;
        world.publish_text("{").await;
        world.logs("ConfigMap signpost-node: network.json").await;
        assert_eq!(world.conflist(), None);

        world.publish(json!({})).await;
        world
            .eventually("a conflist", || world.conflist().is_some())
            .await;
        world
            .eventually("readiness", || readiness().0.contains("200"))
            .await;
        let plugin = &world.conflist().unwrap()["plugins"][0];
        assert_eq!(plugin["subnets"], json!(["10.244.1.0/24"]));
        assert_eq!(plugin["mtu"], 1460);
        assert!(world.folder.join("bin/signpost-cni").exists());
        let exempt = || run("nft list set inet signpost exempt4");
        assert!(exempt().contains("192.0.2.1-192.0.2.2"), "{}", exempt());
        let further = json!({"mtu": 1400, "exempt": ["192.0.2.2/32", "192.0.2.130/32"]});
        world.publish(further).await;
        world
            .eventually("another node exempt", || exempt().contains("192.0.2.130"))
            .await;
        world
            .eventually("the MTU", || {
                world.conflist().unwrap()["plugins"][0]["mtu"] == 1400
            })
            .await;

        // A controller of a version that does not publish, or none: everything stays.
        world.unpublish().await;
        world
            .eventually("waiting", || {
                readiness().1.contains("signpost-controller publishes")
            })
            .await;
        assert!(world.conflist().is_some() && exempt().contains("192.0.2.130"));
        world.publish(json!({"mtu": 1400})).await;
        world
            .eventually("what is published", || !exempt().contains("192.0.2.130"))
            .await;

        world.a_removed_route_is_restored().await;

        // Losing routes or the API server does not undo anything, and changes are still followed.
        world.set_unavailable("n1", "True").await;
        world.control_plane.restart_apiserver().await.unwrap();
        world.client = world.control_plane.client().await.unwrap();
        // The kernel tells of what others do to the rules.
        run("nft flush ruleset");
        world
            .eventually("mended rules", || {
                run("nft list tables").contains("signpost")
            })
            .await;
        world
            .publish(json!({"masquerade": false, "exempt": []}))
            .await;
        world
            .eventually("no masquerading", || {
                !run("nft list ruleset").contains("masquerade")
            })
            .await;
        assert!(world.conflist().is_some());

        assert!(world.terminate(), "{}", world.log());
        assert!(world.conflist().is_some() && world.ready_file().exists());
        assert!(
            world
                .log()
                .contains("the node and its pods go on as they are")
        );

        // A boot empties the folder. The configuration of before stands, and pods wait for the routes.
        fs::remove_file(world.ready_file()).unwrap();
        world.start_again();
        world
            .logs("routes to this node's pod CIDRs (RouteMissing")
            .await;
        assert!(world.conflist().is_some() && !world.ready_file().exists());
        world.set_unavailable("n1", "False").await;
        world
            .eventually("readiness again", || world.ready_file().exists())
            .await;
        assert!(world.terminate());
    });
}

#[test]
fn agent_gives_up_a_configuration_of_an_earlier_life() {
    in_namespace(async || {
        let mut world = World::start().await;
        world.publish(json!({})).await;
        fs::create_dir_all(world.folder.join("conf")).unwrap();
        let stale = json!({"plugins": [{"subnets": ["10.244.9.0/24"]}]}).to_string();
        fs::write(world.folder.join("conf/10-signpost.conflist"), stale).unwrap();
        world.logs("this machine's Node object").await;
        // As long as nothing is known of the node nothing is undone, but the file gets its present name.
        world
            .eventually("the stale conflist", || world.conflist().is_some())
            .await;
        world.create_node("n1", "192.0.2.1").await;
        world
            .eventually("no conflist", || world.conflist().is_none())
            .await;
        world.set_pod_cidrs("n1").await;
        world.set_unavailable("n1", "False").await;
        world
            .eventually("a conflist", || world.conflist().is_some())
            .await;
        world.a_small_subnet_is_told().await;
        assert!(world.terminate());
    });
}
