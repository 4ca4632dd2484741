//! One API server for all tests of this program, and questions to it.

use std::time::Duration;

use kube::api::{Api, DeleteParams, PostParams};
use kube::client::Body;
use kube::core::{ApiResource, DynamicObject};
use kube::{Client, CustomResourceExt};
use serde_json::{Value, json};
use signpost_api::{CRD_NAME, NAME, PodNetwork};
use signpost_testing::{ControlPlane, Options};
use tokio::sync::{Mutex, MutexGuard, OnceCell};

pub(crate) const CONTROLLER: &str = "system:serviceaccount:signpost-system:signpost-controller";
pub(crate) const NODE_AGENT: &str = "system:serviceaccount:signpost-system:signpost-node";

/// Ends with the process.
static CONTROL_PLANE: OnceCell<ControlPlane> = OnceCell::const_new();

/// There is one object, so one test at a time has it.
static TURN: Mutex<()> = Mutex::const_new(());

/// The API server without a `PodNetwork`, for one test.
pub(crate) struct World {
    pub(crate) control_plane: &'static ControlPlane,
    pub(crate) client: Client,
    pub(crate) api: Api<DynamicObject>,
    _turn: MutexGuard<'static, ()>,
}

pub(crate) async fn world() -> World {
    let turn = TURN.lock().await;
    let control_plane = CONTROL_PLANE.get_or_init(start).await;
    let client = control_plane.client().await.unwrap();
    let api = Api::all_with(client.clone(), &resource());
    match api.delete(NAME, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        result => drop(result.unwrap()),
    }
    World {
        control_plane,
        client,
        api,
        _turn: turn,
    }
}

async fn start() -> ControlPlane {
    let options = Options::default()
        .service_account("signpost-system", "signpost-controller")
        .service_account("signpost-system", "signpost-node");
    let control_plane = ControlPlane::start_with(options).await.unwrap();
    let client = control_plane.client().await.unwrap();

    // By hand, since kube hides what the API server warns of.
    let request = http::Request::post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        .header("content-type", "application/yaml")
        .body(Body::from(signpost_api::crd_yaml().unwrap().into_bytes()))
        .unwrap();
    let answer = client.send(request).await.unwrap();
    let warnings: Vec<_> = answer
        .headers()
        .get_all("warning")
        .iter()
        .cloned()
        .collect();
    assert!(answer.status().is_success(), "{}", text(answer).await);
    assert!(warnings.is_empty(), "{warnings:?}");

    let served = async {
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource());
        while api.list(&kube::api::ListParams::default()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), served)
        .await
        .unwrap_or_else(|_| panic!("{CRD_NAME} is not served"));
    control_plane
}

async fn text(answer: http::Response<Body>) -> String {
    let bytes = answer.into_body().collect_bytes().await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn resource() -> ApiResource {
    PodNetwork::api_resource()
}

impl World {
    /// The object as the API server would store it.
    pub(crate) async fn accepted(&self, object: &Value) -> Value {
        let parameters = PostParams {
            dry_run: true,
            ..Default::default()
        };
        match self.api.create(&parameters, &dynamic(object)).await {
            Ok(stored) => serde_json::to_value(stored).unwrap(),
            Err(error) => panic!("refused: {error}\n{object:#}"),
        }
    }

    /// Asserts that the API server refuses to create the object, names `field` and says `words`.
    #[track_caller]
    pub(crate) fn refused(
        &self,
        object: Value,
        field: &str,
        words: &str,
    ) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        let (field, words) = (field.to_owned(), words.to_owned());
        async move {
            let parameters = PostParams {
                dry_run: true,
                ..Default::default()
            };
            let result = self.api.create(&parameters, &dynamic(&object)).await;
            assert_refusal(result, &field, &words, caller);
        }
    }

    /// Stores the object.
    pub(crate) async fn store(&self, object: &Value) -> DynamicObject {
        self.api
            .create(&PostParams::default(), &dynamic(object))
            .await
            .unwrap()
    }

    /// What the API server says to a change of the stored object; nothing is stored.
    pub(crate) async fn change(
        &self,
        stored: &DynamicObject,
        change: impl FnOnce(&mut Value),
    ) -> kube::Result<DynamicObject> {
        let mut object = serde_json::to_value(stored).unwrap();
        change(&mut object);
        let parameters = PostParams {
            dry_run: true,
            ..Default::default()
        };
        self.api.replace(NAME, &parameters, &dynamic(&object)).await
    }
}

/// Asserts that an answer is a refusal that names `field` and says `words`.
pub(crate) fn assert_refusal(
    result: kube::Result<DynamicObject>,
    field: &str,
    words: &str,
    caller: &std::panic::Location<'_>,
) {
    let status = match result {
        Ok(_) => panic!("accepted, at {caller}"),
        Err(kube::Error::Api(status)) => status,
        Err(error) => panic!("{error}, at {caller}"),
    };
    let causes = status
        .details
        .as_ref()
        .map(|details| details.causes.as_slice());
    let found = causes
        .unwrap_or_default()
        .iter()
        .any(|cause| cause.field == field && cause.message.contains(words));
    assert!(found, "no {field}: {words:?} in {status:#?}, at {caller}");
}

fn dynamic(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).unwrap()
}

/// A small object that is accepted.
pub(crate) fn good() -> Value {
    json!({
        "apiVersion": "signpost.dev/v1alpha1",
        "kind": "PodNetwork",
        "metadata": { "name": "default" },
        "spec": {
            "pools": [{ "name": "main", "cidr": "10.244.0.0/16", "nodePrefixLength": 24 }],
            "cloud": { "provider": "linux" },
        },
    })
}

/// [`good`] with the value at a JSON pointer set.
pub(crate) fn with(pointer: &str, value: Value) -> Value {
    let mut object = good();
    set(&mut object, pointer, value);
    object
}

/// Sets the value at a JSON pointer below `/spec`; missing objects on the way are made.
pub(crate) fn set(object: &mut Value, pointer: &str, value: Value) {
    let mut place = &mut object["spec"];
    for key in pointer.trim_start_matches('/').split('/') {
        place = match key.parse::<usize>() {
            Ok(index) => &mut place[index],
            Err(_) => &mut place[key],
        };
    }
    *place = value;
}
