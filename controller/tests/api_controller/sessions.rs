//! Leaderships over a cloud that is a list in memory: one provider after another, and changes that the cloud
//! carries out after it accepted them.

use std::{collections::BTreeMap, sync::Arc};

use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use signpost_controller::{
    health::Health,
    ledger::Ledger,
    network::{self, Valid, Wish},
    session::{Ended, Inputs, Left, Session},
};
use signpost_core::{Handover, lease::Terms};
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinHandle},
};
use tokio_util::sync::CancellationToken;

use crate::{
    memory::Memory,
    support::{World, eventually, world},
};

fn spec(cloud: &Value) -> Value {
    json!({
        "pools": [{"name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24}],
        "cloud": cloud,
    })
}

async fn read(world: &World) -> Arc<Valid> {
    match network::read(&world.networks.get("default").await.unwrap()) {
        Wish::Valid(valid) => valid,
        other => panic!("{other:?}"),
    }
}

/// A leadership.
struct Leading {
    term: watch::Sender<Option<u64>>,
    session: JoinHandle<(Ended, Left)>,
    watching: AbortHandle,
}

impl Leading {
    /// How it ends by itself.
    async fn ended(self) -> (Ended, Left) {
        let ended = self.session.await.unwrap();
        self.watching.abort();
        drop(self.term);
        ended
    }

    /// The lease is lost.
    async fn depose(self) {
        self.term.send_replace(None);
        assert_eq!(self.ended().await.0, Ended::Deposed);
    }
}

/// Leads for the object as it is.
async fn lead(world: &World, cloud: &Arc<Memory>) -> Leading {
    let (api, _fence) = world.controller_api().await;
    let valid = read(world).await;
    let (sender_of_term, term) = watch::channel(Some(1));
    let (sender, wishes) = watch::channel(Wish::Valid(Arc::clone(&valid)));
    let ledger = Ledger::default();
    ledger.elected(Handover::Clean);
    let mut inputs = Inputs {
        namespace: "signpost-system".to_owned(),
        term,
        wishes,
        stop: CancellationToken::new(),
        ledger,
        left: Left::default(),
    };
    let watching = tokio::spawn(network::watch(api.clone(), sender)).abort_handle();
    let cloud = Arc::clone(cloud);
    let session = tokio::spawn(async move {
        let health = Arc::new(Health::new(Terms::default().duration));
        let ended = Session::lead(api, health, valid, cloud, &mut inputs).await;
        (ended, inputs.left)
    });
    Leading {
        term: sender_of_term,
        session,
        watching,
    }
}

/// Leads for the object as it is, with a table of its own, until it is changed to `cloud`.
async fn changed_to(world: &World, cloud: &Value) -> (Ended, Left, Arc<Memory>) {
    let table = Arc::<Memory>::default();
    let leading = lead(world, &table).await;
    eventually("both nodes have their routes", 20, async || {
        table.state().routes.len() == 2
    })
    .await;
    // Only once the status says so does the session know.
    eventually("the routes are read back", 20, async || {
        world.network().await["status"]["routes"]["programmed"] == 2
    })
    .await;
    let change = Patch::Merge(json!({"spec": {"cloud": cloud}}));
    let none = PatchParams::default();
    let patch = world.networks.patch("default", &none, &change);
    patch.await.unwrap();
    let (ended, left) = leading.ended().await;
    (ended, left, table)
}

#[tokio::test]
async fn another_provider_begins_once_the_routes_of_the_old_one_are_gone() {
    let world = world().await;
    world
        .create_network(spec(&json!({"provider": "linux"})))
        .await;
    world.add_node("a").await;
    world.add_node("b").await;
    let (ended, _, table) = changed_to(&world, &json!({"provider": "none"})).await;
    assert_eq!(ended, Ended::Replaced);
    assert_eq!(table.state().routes, BTreeMap::new());
    let finalizers = world.network().await["metadata"]["finalizers"].clone();
    assert_eq!(
        finalizers,
        json!(["signpost.dev/routes"]),
        "the object stays"
    );
    assert_eq!(world.pod_cidrs("a").await.len(), 1);
}

#[tokio::test]
async fn other_tables_of_the_same_provider_keep_their_routes() {
    let world = world().await;
    let aws = |table: &str| json!({"clusterName": "c", "routeTableIDs": [table]});
    let cloud = |table: &str| json!({"provider": "aws", "aws": aws(table)});
    world.create_network(spec(&cloud("rtb-1"))).await;
    world.add_node("a").await;
    world.add_node("b").await;
    let (ended, left, table) = changed_to(&world, &cloud("rtb-2")).await;
    assert_eq!(ended, Ended::Replaced);
    assert_eq!(table.state().routes.len(), 2);
    assert!(format!("{left:?}").contains("\"t\": 2"), "{left:?}");
}

#[tokio::test]
async fn what_the_cloud_carries_out_outlives_the_leader_and_is_not_asked_for_again() {
    let world = world().await;
    world
        .create_network(spec(&json!({"provider": "linux"})))
        .await;
    world.add_node("a").await;
    let cloud = Arc::new(Memory::slow());
    let first = lead(&world, &cloud).await;
    eventually("a route is begun", 20, async || cloud.state().begun == 1).await;
    first.depose().await;
    assert_eq!(cloud.state().waiting, 0, "nobody hears of its end");

    let second = lead(&world, &cloud).await;
    let listed = cloud.state().listed;
    eventually("it was looked at", 20, async || {
        cloud.state().listed > listed + 2
    })
    .await;
    assert_eq!(cloud.state().begun, 1, "it was not begun again");
    cloud.carry_out();
    eventually("the route is read back", 20, async || {
        world.network().await["status"]["routes"]["programmed"] == 1
    })
    .await;
    assert_eq!(cloud.state().begun, 1);
    second.depose().await;
}

#[tokio::test]
async fn a_node_is_routed_when_the_cloud_has_carried_out_its_route() {
    let world = world().await;
    world
        .create_network(spec(&json!({"provider": "linux"})))
        .await;
    let cloud = Arc::new(Memory::slow());
    let leading = lead(&world, &cloud).await;
    world.add_node("a").await;
    eventually("its route is begun", 20, async || cloud.state().begun == 1).await;
    cloud.carry_out();
    eventually("the node is in service", 20, async || {
        let node = world.nodes.get("a").await.unwrap();
        let conditions = node.status.and_then(|it| it.conditions).unwrap_or_default();
        let mut conditions = conditions.iter();
        conditions.any(|it| it.type_ == "NetworkUnavailable" && it.status == "False")
    })
    .await;
    assert_eq!(cloud.state().begun, 1);
    leading.depose().await;
}
