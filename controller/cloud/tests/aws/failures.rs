//! What goes wrong on the way to EC2 and back.

use std::sync::Arc;

use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future,
};
use signpost_cloud::{Cloud, aws::AwsVpc};
use signpost_core::cloud::{CloudError, CloudErrorKind};
use signpost_ec2::{Fault, FaultKind};

use crate::scene::{Log, Scene, TAG, config, create, make, pools, sdk_at};

const BLOCK: &str = "10.244.1.0/24";

/// How the creation of a route ends with this fault, and whether the route exists then.
async fn creation_with(kind: FaultKind) -> (CloudError, bool) {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    scene.read(&instances).await;
    let one = scene.primary(&instances[0]);
    scene
        .ec2
        .add_fault(Fault::next(1, kind, &["CreateRoute"]))
        .unwrap();
    let table = &scene.tables[0];
    let change = create(table, BLOCK, &one);
    let error = make(&scene.cloud, &change).await.unwrap_err();
    assert_eq!(scene.calls("CreateRoute"), 1, "one attempt");
    let exists = scene.truth(table, BLOCK).is_some();
    // Whatever it was, it can be repeated.
    assert_eq!(scene.change(&change).await, Ok(()));
    (error, exists)
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_it_open_what_happened() {
    for (fault, happened) in [
        (FaultKind::LostAfterCommit, true),
        (FaultKind::ResetBefore, false),
        (FaultKind::SlowAnswer { seconds: 2.5 }, true),
        (FaultKind::Error500, false),
    ] {
        let (error, exists) = creation_with(fault.clone()).await;
        assert_eq!(error.kind, CloudErrorKind::Unknown, "{fault:?}: {error}");
        assert_eq!(exists, happened, "{fault:?}");
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let (error, _) = creation_with(FaultKind::Unauthorized).await;
    assert_eq!(error.kind, CloudErrorKind::Denied);
    for part in [
        "ec2:CreateRoute",
        "rtb-",
        TAG,
        "manifests/aws/iam-policy.json",
    ] {
        assert!(error.detail.contains(part), "{error}");
    }
}

#[tokio::test]
async fn expired_credentials_come_with_a_remedy() {
    let (error, _) = creation_with(FaultKind::Expired).await;
    assert_eq!(error.kind, CloudErrorKind::Denied);
    assert!(error.detail.contains("hop limit"), "{error}");
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_sent_again() {
    let scene = Scene::new().await;
    for kind in [FaultKind::ResetBefore, FaultKind::Error500] {
        scene
            .ec2
            .add_fault(Fault::next(1, kind, &["DescribeRouteTables"]))
            .unwrap();
    }
    assert_eq!(scene.list().await.len(), 2);
    assert_eq!(scene.calls("DescribeRouteTables"), 3);
}

#[tokio::test]
async fn without_the_owners_nobody_says_whose_routes_are() {
    let scene = Scene::new().await;
    let instances = scene.launch(1, &[]).await;
    let one = scene.primary(&instances[0]);
    scene
        .by_hand("CreateRoute", &scene.tables[0], BLOCK, &one)
        .await;
    let denied = Fault::always(FaultKind::Unauthorized, &["DescribeNetworkInterfaces"]);
    scene.ec2.add_fault(denied).unwrap();
    for listing in scene.list().await {
        let concerned = *listing.table.0 == *scene.tables[0];
        assert_eq!(listing.routes.is_err(), concerned, "{listing:?}");
    }
}

fn unreachable(credentials: bool) -> AwsVpc {
    // A port on which nobody listens: it was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut sdk = sdk_at(&format!("http://127.0.0.1:{port}"), "eu-central-1").into_builder();
    if !credentials {
        sdk.set_credentials_provider(Some(SharedCredentialsProvider::new(NoCredentials)));
    }
    let log = Arc::<Log>::default();
    AwsVpc::with_sdk(config(), &sdk.build(), Some("vpc-1".to_owned()), log)
}

/// As where the instance metadata does not answer.
#[derive(Debug)]
struct NoCredentials;

impl ProvideCredentials for NoCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let why = "could not communicate with IMDS";
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(why)))
    }
}

#[tokio::test]
async fn a_write_that_was_never_sent_certainly_did_not_happen() {
    let cloud = unreachable(true);
    let error = make(&cloud, &create("rtb-1", BLOCK, "eni-1"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn missing_credentials_come_with_a_remedy() {
    let cloud = unreachable(false);
    let error = cloud.list_routes(&pools()).await.unwrap_err();
    assert_eq!(error.kind, CloudErrorKind::Denied, "{error}");
    for part in ["Pod Identity", "IRSA", "hop limit", "IMDS"] {
        assert!(error.detail.contains(part), "{part} is not in {error}");
    }
}
