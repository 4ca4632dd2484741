//! From one provider to another, with a cloud that is a list in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use ipnet::IpNet;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use signpost_cloud::Cloud;
use signpost_controller::{
    health::Health,
    ledger::Ledger,
    network::{self, Valid, Wish},
    session::{Ended, Inputs, Left, Session},
};
use signpost_core::{
    Handover, Limits, NodeKey,
    cloud::{
        CloudError, CloudErrorKind, Instance, InstanceQuery, InstanceState, NextHop, ObservedRoute,
        Ownership, Range, RouteChange, TableId, TableListing, TableUsage,
    },
    lease::Terms,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::support::{World, eventually, world};

type Routes = Arc<Mutex<BTreeMap<IpNet, NextHop>>>;

/// One table, read and written at once.
struct Memory(Routes);

#[async_trait]
impl Cloud for Memory {
    fn provider(&self) -> &'static str {
        "linux"
    }

    fn limits(&self) -> Limits {
        Limits::LOCAL
    }

    async fn read_instances(
        &self,
        queries: &[InstanceQuery],
    ) -> Vec<(NodeKey, Result<InstanceState, CloudError>)> {
        let found = queries.iter().map(|query| {
            let instance = Instance {
                id: query.node.name.clone(),
                next_hop_v4: query.internal_ips.first().copied().map(NextHop::Address),
                next_hop_v6: None,
                forwarding: true,
            };
            (query.node.clone(), Ok(InstanceState::Found(instance)))
        });
        found.collect()
    }

    async fn enable_forwarding(&self, _query: &InstanceQuery) -> Result<(), CloudError> {
        Ok(())
    }

    async fn list_routes(&self, _ranges: &[Range]) -> Result<Vec<TableListing>, CloudError> {
        let routes = self.0.lock().unwrap();
        let routes = routes.iter().map(|(destination, next_hop)| ObservedRoute {
            destination: *destination,
            next_hop: Some(next_hop.clone()),
            ownership: Ownership::Ours,
            blackhole: None,
            handle: None,
        });
        Ok(vec![TableListing {
            table: TableId("t".into()),
            routes: Ok(routes.collect()),
            usage: TableUsage::default(),
            barred: Vec::new(),
            pending: Vec::new(),
        }])
    }

    async fn write_route(&self, change: &RouteChange) -> Result<(), CloudError> {
        let mut routes = self.0.lock().unwrap();
        match change {
            RouteChange::Create { route, .. } | RouteChange::Replace { route, .. } => {
                routes.insert(route.destination, route.next_hop.clone());
            }
            RouteChange::Delete { route, .. } => {
                let gone = CloudError::new(CloudErrorKind::NotFound, "no such route");
                routes.remove(&route.destination).ok_or(gone)?;
            }
        }
        Ok(())
    }

    async fn missing_permissions(&self, _ranges: &[Range]) -> Vec<CloudError> {
        Vec::new()
    }

    fn changes(&self) -> Option<mpsc::Receiver<()>> {
        None
    }
}

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

/// Leads for the object as it is, with a table of its own, until it is changed to `cloud`.
async fn changed_to(world: &World, cloud: &Value) -> (Ended, Left, Routes) {
    let (api, _fence) = world.controller_api().await;
    let routes = Routes::default();
    let valid = read(world).await;
    let (_term, term) = watch::channel(Some(1));
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
    let watching = tokio::spawn(network::watch(api.clone(), sender));
    let table = Arc::new(Memory(Arc::clone(&routes)));
    let session = tokio::spawn(async move {
        let health = Arc::new(Health::new(Terms::default().duration));
        let ended = Session::lead(api, health, valid, table, &mut inputs).await;
        (ended, inputs.left)
    });
    eventually("both nodes have their routes", 20, async || {
        routes.lock().unwrap().len() == 2
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
    let (ended, left) = session.await.unwrap();
    watching.abort();
    (ended, left, routes)
}

#[tokio::test]
async fn another_provider_begins_once_the_routes_of_the_old_one_are_gone() {
    let world = world().await;
    world
        .create_network(spec(&json!({"provider": "linux"})))
        .await;
    world.add_node("a").await;
    world.add_node("b").await;
    let (ended, _, routes) = changed_to(&world, &json!({"provider": "none"})).await;
    assert_eq!(ended, Ended::Replaced);
    assert_eq!(*routes.lock().unwrap(), BTreeMap::new());
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
    let (ended, left, routes) = changed_to(&world, &cloud("rtb-2")).await;
    assert_eq!(ended, Ended::Replaced);
    assert_eq!(routes.lock().unwrap().len(), 2);
    assert!(format!("{left:?}").contains("\"t\": 2"), "{left:?}");
}
