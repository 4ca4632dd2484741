//! A small network, built through the API alone.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use signpost_gce::{Client, Emulator, Options, Settings};

pub(crate) const REGION: &str = "europe-west3";
pub(crate) const ZONE: &str = "europe-west3-a";

/// A network of the project `example` with one subnetwork 10.0.0.0/24, in which the project `service`
/// may have instances too.
pub(crate) struct Scene {
    pub(crate) gce: Emulator,
    pub(crate) client: Client,
    pub(crate) network: String,
    pub(crate) subnetwork: String,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// The settings hold only after the scene was built.
    pub(crate) async fn with(settings: Settings) -> Self {
        let gce = Emulator::start(Options {
            projects: ["example", "service", "stranger"].map(str::to_owned).into(),
            hosts: BTreeMap::from([("service".to_owned(), "example".to_owned())]),
            ..Options::default()
        });
        let gce = gce.await.unwrap();
        let client = Client::new(&gce.url());
        let network = client.network("example", "net").await.unwrap();
        let subnetwork = client.subnetwork(&network, REGION, "sub", "10.0.0.0/24");
        let subnetwork = subnetwork.await.unwrap();
        gce.configure(|all| *all = settings).unwrap();
        gce.clear_calls();
        Self {
            gce,
            client,
            network,
            subnetwork,
        }
    }

    pub(crate) async fn instance(&self, name: &str) -> String {
        let made = self
            .client
            .instance("example", ZONE, name, &self.subnetwork);
        made.await.unwrap()
    }

    /// The body of a route of the scene's network.
    pub(crate) fn route(&self, name: &str, to: &str, hop: (&str, &str)) -> Value {
        json!({
            "name": name,
            "network": self.network,
            "destRange": to,
            "priority": 1000,
            hop.0: hop.1,
        })
    }

    /// Asks for a route, which is then being created.
    pub(crate) async fn begin(&self, route: &Value) -> Value {
        let answer = self.client.post("projects/example/global/routes", route);
        answer.await.unwrap()
    }

    /// The status and reason with which a route is refused.
    pub(crate) async fn refusal(&self, route: &Value) -> (u16, String) {
        let answer = self.client.post("projects/example/global/routes", route);
        let error = answer.await.unwrap_err();
        (error.status(), error.reason().to_owned())
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.client.get(path).await.unwrap()
    }

    /// The names of the routes that a list has, without those that came with the network.
    pub(crate) async fn names(&self, query: &str) -> Vec<String> {
        let path = format!("projects/example/global/routes{query}");
        let list = self.get(&path).await;
        let items = list["items"].as_array().into_iter().flatten();
        items
            .map(|route| route["name"].as_str().unwrap().to_owned())
            .filter(|name| !name.starts_with("default-route-"))
            .collect()
    }

    /// The codes of a route's warnings.
    pub(crate) async fn warnings(&self, name: &str) -> Vec<String> {
        let path = format!("projects/example/global/routes/{name}");
        let route = self.get(&path).await;
        let warnings = route["warnings"].as_array().into_iter().flatten();
        warnings
            .map(|of| of["code"].as_str().unwrap().to_owned())
            .collect()
    }
}
