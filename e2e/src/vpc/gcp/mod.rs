//! A VPC network of Google Cloud: of the routes that hold for an instance the most specific one decides, then
//! the lowest priority, and those of the same spread packets; what is neither from nor for an instance's
//! own addresses is dropped unless it may forward; a next hop that does not run or does not exist drops
//! ("Routes" and "Static routes" in the documents on VPC).
//!
//! | question | file |
//! |---|---|
//! | which network do clusters have | `scene` |
//! | what does a state of the network mean for packets | `plan` |
//! | are its routes those that nodes need | [`routes`] |

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::Value;
use signpost_gce::{Client, Emulator, Options, Settings};

use super::fabric::Setup;
use super::place::{Place, api_address, metadata_address};
use super::{CLUSTER_NAME, Instance, settled};
use crate::addresses::Link;
use crate::machine::Machine;

mod plan;
pub mod routes;
mod scene;

use scene::Scene;
pub use scene::{NETWORK, PROJECT, SERVICE_PROJECT};

/// What kind of network a cluster is in.
#[derive(Clone, Debug, Default)]
pub struct GcpOptions {
    /// How the emulated Compute Engine behaves: how long operations take, quotas, rates.
    pub settings: Settings,
    /// Whether nodes are instances of a service project, and the network is shared with it.
    pub shared: bool,
    /// Whether nodes' instances are launched without IP forwarding, and the `PodNetwork` says that it is to
    /// be switched on.
    pub without_forwarding: bool,
}

/// A VPC network with a subnet for each of two zones.
pub struct Network {
    place: Place<Emulator>,
    scene: Scene,
}

impl Network {
    /// Starts the emulator on the router, and builds the scene.
    pub(super) async fn start(router: &Machine, setup: Setup, options: GcpOptions) -> Result<Self> {
        let dual_stack = setup.dual_stack;
        let settings = options.settings.clone();
        let begin = async || {
            let options = Options {
                listen: api_address(),
                metadata: Some(metadata_address()),
                projects: vec![PROJECT.to_owned(), SERVICE_PROJECT.to_owned()],
                hosts: [(SERVICE_PROJECT.to_owned(), PROJECT.to_owned())].into(),
                ..Options::default()
            };
            let started = Emulator::start(options).await;
            started.context("starting the GCE emulator")
        };
        let place = Place::start(router.pid(), setup, begin).await?;
        let scene = Scene::build(&place, dual_stack, &options).await?;
        let network = Self { place, scene };
        // What a scene is made from is there at once.
        network.configure(|all| *all = settings)?;
        Ok(network)
    }

    /// The emulator: its true state, its log of calls, faults and settings.
    pub fn emulator(&self) -> &Emulator {
        &self.place.emulator
    }

    /// Makes something as somebody who is not Signpost, with a path below `/compute/v1/` such as
    /// [`NETWORK`]'s, and returns when it is there and packets go accordingly.
    pub async fn make(&self, path: &str, body: Value) -> Result<()> {
        let shown = path.to_owned();
        let made = self.place.call(shown, async move |client, path| {
            client.make(&path, &body).await
        });
        made.await?;
        self.settled().await
    }

    /// Deletes something as somebody who is not Signpost, as [`make`](Self::make) makes it.
    pub async fn end(&self, path: &str) -> Result<()> {
        let ended = self.place.call(path.to_owned(), async |client, path| {
            client.end(&path).await
        });
        ended.await?;
        self.settled().await
    }

    /// Calls a method with a body that may be null, such as `…/instances/N/stop`, as
    /// [`make`](Self::make) does.
    pub async fn act(&self, path: &str) -> Result<()> {
        self.make(path, Value::Null).await
    }

    /// Changes an instance as somebody who is not Signpost, as [`make`](Self::make) makes one.
    pub async fn change(&self, path: &str, change: impl FnOnce(&mut Value)) -> Result<()> {
        let read = self.place.call(path.to_owned(), async |client, path| {
            client.get(&path).await
        });
        let mut instance = read.await?;
        change(&mut instance);
        let path = format!("{path}?mostDisruptiveAllowedAction=REFRESH");
        let changed = self.place.call(path, async move |client, path| {
            let operation = client.put(&path, &instance).await?;
            client.finish(&operation).await
        });
        changed.await?;
        self.settled().await
    }

    /// Changes how the emulator behaves.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        self.emulator()
            .configure(change)
            .map_err(anyhow::Error::msg)
    }

    /// Waits until packets go as the emulator's state says.
    pub async fn settled(&self) -> Result<()> {
        let version = self.emulator().snapshot().version;
        settled(self.place.followed.clone(), version).await
    }

    /// Launches the instance of a link's node.
    pub(crate) async fn launch(&self, link: Link, name: &str) -> Result<Instance> {
        let instance = self.scene.launch(&self.place, link, name).await?;
        self.settled().await?;
        Ok(instance)
    }

    /// Launches an instance that no machine stands behind.
    pub(crate) async fn launch_bare(&self, address: Ipv4Addr, name: &str) -> Result<Instance> {
        self.scene.launch_bare(&self.place, address, name).await
    }

    /// Deletes an instance.
    pub async fn terminate(&self, instance: &Instance) -> Result<()> {
        self.end(&instance.interface).await
    }

    /// Completes the `spec` of a `PodNetwork` so that it means this network.
    pub(crate) fn complete(&self, spec: &mut Value) {
        let cloud = &mut spec["cloud"];
        cloud["provider"] = "gcp".into();
        let gcp = &mut cloud["gcp"];
        gcp["clusterName"] = CLUSTER_NAME.into();
        gcp["endpoint"] = self.emulator().url().into();
        if self.scene.without_forwarding {
            gcp["enableIPForwarding"] = true.into();
        }
        if self.scene.shared {
            // The metadata would do; that of a Shared VPC is seldom left to them.
            gcp["project"] = PROJECT.into();
            gcp["network"] = scene::NAME.into();
        }
    }

    /// What has to be in a program's environment so that it finds the emulator, and nothing else.
    pub(crate) fn environment() -> [(&'static str, String); 1] {
        [("GCE_METADATA_HOST", metadata_address().to_string())]
    }
}

impl Place<Emulator> {
    /// Calls the API from within the router's network.
    async fn call<T: Send + 'static, F>(
        &self,
        path: String,
        work: impl FnOnce(Client, String) -> F + Send + 'static,
    ) -> Result<T>
    where
        F: Future<Output = Result<T, signpost_gce::CallError>> + Send + 'static,
    {
        let client = Client::new(&self.emulator.url()).with_token("harness");
        let shown = path.clone();
        let call = self.handle.spawn(work(client, path));
        let answer = call.await.context("the network's thread has ended")?;
        answer.with_context(|| shown)
    }
}
