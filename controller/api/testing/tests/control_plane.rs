//! The control plane starts, keeps its data over a restart, authorises, and ends completely.

use std::net::TcpStream;

use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, ObjectMeta, PostParams};
use signpost_testing::{ControlPlane, Options};

#[tokio::test]
async fn api_lives_as_long_as_its_value() {
    let options = Options::default().service_account("kube-system", "nobody");
    let mut control_plane = ControlPlane::start_with(options).await.unwrap();
    let api: Api<Namespace> = Api::all(control_plane.client().await.unwrap());
    let namespace = Namespace {
        metadata: ObjectMeta {
            name: Some("kept".to_owned()),
            ..Default::default()
        },
        ..Default::default()
    };
    api.create(&PostParams::default(), &namespace)
        .await
        .unwrap();

    control_plane.restart_apiserver().await.unwrap();
    api.get("kept").await.unwrap();

    let nobody = control_plane
        .client_for("system:serviceaccount:kube-system:nobody")
        .await
        .unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(nobody, "default");
    let refused = maps
        .list(&kube::api::ListParams::default())
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );

    let address = control_plane.url().replace("https://", "");
    let folder = control_plane.dir().to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    drop(control_plane);
    assert!(
        TcpStream::connect(&address).is_err(),
        "the API server outlived its value"
    );
    assert!(!folder.exists(), "{} was left behind", folder.display());
}
