//! One API server with the manifests applied, for all tests of this program.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::{
    admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding},
    core::v1::{ConfigMap, Node},
    events::v1::Event,
};
use kube::{
    Client, Config, CustomResourceExt,
    api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, from_value, json};
use signpost_api::{NAME, NodeNetwork, PodNetwork};
use signpost_controller::{
    api::{Bounds, KubeApi},
    clock, connect,
    fence::Fence,
    metrics::Metrics,
};
use signpost_core::{NodeKey, lease::Terms};
use signpost_testing::{ControlPlane, Options};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

pub(crate) const CONTROLLER: &str = "system:serviceaccount:signpost-system:signpost-controller";
pub(crate) const NOBODY: &str = "system:serviceaccount:signpost-system:nobody";

const POLICY: &str = "refuse";

/// Ends with the process.
static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

/// Nodes, the lease and the `PodNetwork` are shared, so one test at a time has them.
static TURN: Mutex<()> = Mutex::const_new(());

/// The API server without nodes and without a `PodNetwork`, for one test.
pub(crate) struct World {
    pub(crate) control_plane: &'static ControlPlane,
    /// The administrator's.
    pub(crate) client: Client,
    pub(crate) nodes: Api<Node>,
    pub(crate) networks: Api<DynamicObject>,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) async fn world() -> World {
    let turn = TURN.lock().await;
    let control_plane = CONTROL_PLANE.get_or_init(start).await;
    let client = control_plane.client().await.unwrap();
    let networks = Api::all_with(client.clone(), &PodNetwork::api_resource());
    let world = World {
        control_plane,
        nodes: Api::all(client.clone()),
        networks,
        client,
        _turn: turn,
    };
    world.clean().await;
    world
}

async fn start() -> ControlPlane {
    let options = Options::default()
        .service_account("signpost-system", "signpost-controller")
        .service_account("signpost-system", "nobody");
    let control_plane = ControlPlane::start_with(options).await.unwrap();
    control_plane.apply("base").await.unwrap();
    control_plane
}

impl World {
    /// The events of that reason that were told of nodes and the network.
    pub(crate) async fn events(&self, reason: &str) -> Vec<Event> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let mut events = events.list(&ListParams::default()).await.unwrap().items;
        events.retain(|event| event.reason.as_deref() == Some(reason));
        events
    }

    async fn clean(&self) {
        self.refuse_nothing().await;
        let none = DeleteParams::default();
        self.nodes
            .delete_collection(&none, &ListParams::default())
            .await
            .unwrap();
        let unkept = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        // There may be none.
        let _ = self
            .networks
            .patch(NAME, &PatchParams::default(), &unkept)
            .await;
        let _ = self.networks.delete(NAME, &none).await;
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), "signpost-system");
        // There may be none.
        let _ = maps.delete(NodeNetwork::CONFIG_MAP, &none).await;
        self.set_lease(json!({"holderIdentity": ""})).await;
    }

    /// Has the API server refuse each update of `resource` (group and plural) for which `expression` is
    /// false, in these words; until the next test.
    pub(crate) async fn refuse(&self, resource: [&str; 2], expression: &str, words: &str) {
        let [group, plural] = resource;
        let rule = json!({
            "apiGroups": [group], "apiVersions": ["*"], "operations": ["UPDATE"],
            "resources": [plural],
        });
        let policy = json!({
            "metadata": {"name": POLICY},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": expression, "message": words}],
            },
        });
        let binding = json!({
            "metadata": {"name": POLICY},
            "spec": {"policyName": POLICY, "validationActions": ["Deny"]},
        });
        let none = PostParams::default();
        let policy = from_value(policy).unwrap();
        self.policies().create(&none, &policy).await.unwrap();
        let binding = from_value(binding).unwrap();
        self.bindings().create(&none, &binding).await.unwrap();
    }

    /// Lets pass again what was refused.
    pub(crate) async fn refuse_nothing(&self) {
        let none = DeleteParams::default();
        // There may be none.
        let _ = self.bindings().delete(POLICY, &none).await;
        let _ = self.policies().delete(POLICY, &none).await;
    }

    fn policies(&self) -> Api<ValidatingAdmissionPolicy> {
        Api::all(self.client.clone())
    }

    fn bindings(&self) -> Api<ValidatingAdmissionPolicyBinding> {
        Api::all(self.client.clone())
    }

    /// Writes the lease's spec, whoever holds it.
    pub(crate) async fn set_lease(&self, spec: Value) {
        let leases = self.leases();
        let patch = Patch::Merge(json!({"spec": spec}));
        leases
            .patch("signpost-controller", &PatchParams::default(), &patch)
            .await
            .unwrap();
    }

    pub(crate) fn leases(&self) -> Api<k8s_openapi::api::coordination::v1::Lease> {
        Api::namespaced(self.client.clone(), "signpost-system")
    }

    pub(crate) async fn add_node(&self, name: &str) -> NodeKey {
        let node = serde_json::from_value(json!({
            "metadata": {"name": name},
            "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
        }))
        .unwrap();
        let node = self
            .nodes
            .create(&PostParams::default(), &node)
            .await
            .unwrap();
        NodeKey::new(name, node.metadata.uid.unwrap())
    }

    /// A node that says which instance it is.
    #[cfg(any(feature = "aws", feature = "gcp"))]
    pub(crate) async fn add_instance(&self, name: &str, provider_id: &str) {
        let node = serde_json::from_value(json!({
            "metadata": {"name": name},
            "spec": {"providerID": provider_id},
        }))
        .unwrap();
        self.nodes
            .create(&PostParams::default(), &node)
            .await
            .unwrap();
    }

    pub(crate) async fn pod_cidrs(&self, name: &str) -> Vec<String> {
        let spec = self.nodes.get(name).await.unwrap().spec;
        spec.unwrap_or_default().pod_cidrs.unwrap_or_default()
    }

    pub(crate) async fn create_network(&self, spec: Value) {
        let object = serde_json::from_value(json!({
            "apiVersion": "signpost.dev/v1alpha1", "kind": "PodNetwork",
            "metadata": {"name": NAME}, "spec": spec,
        }))
        .unwrap();
        self.networks
            .create(&PostParams::default(), &object)
            .await
            .unwrap();
    }

    pub(crate) async fn network(&self) -> Value {
        let object = self.networks.get_opt(NAME).await.unwrap();
        serde_json::to_value(object).unwrap()
    }

    /// A client as the controller makes it.
    pub(crate) async fn connect(&self, user: &str) -> Client {
        let path = self.control_plane.kubeconfig_for(user).unwrap();
        let file = Kubeconfig::read_from(path).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(file, &options);
        connect::client(config.await.unwrap()).unwrap()
    }

    /// The API as the controller uses it under its own account.
    pub(crate) async fn controller_api(&self) -> (KubeApi, Fence) {
        let client = self.connect(CONTROLLER).await;
        let fence = Fence::default();
        fence.set(Some(clock::now().after(Duration::from_secs(600))));
        let metrics = Arc::new(Metrics::new().unwrap());
        let bounds = Bounds::of(Terms::default());
        let api = KubeApi::new(client, bounds, fence.clone(), metrics);
        (api, fence)
    }
}

/// How much longer things may take where others use processors and disk too.
const BUSY: u64 = 3;

/// Waits until `condition` is true; panics with `what` where that takes much longer than `seconds`, as it does
/// on a machine that does nothing else.
pub(crate) async fn eventually<F>(what: &str, seconds: u64, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    let waited = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(seconds * BUSY), waited)
        .await
        .is_err()
    {
        panic!("not within {} s: {what}", seconds * BUSY);
    }
}
