//! Which API credentials are for.

use std::sync::Arc;

use google_cloud_auth::credentials::Credentials;
use signpost_cloud::{Cloud as _, gcp::GcpNetwork};

use crate::scene::{Scene, Token, config, listing};

/// A cloud of its own that Google runs for others ("universe domain" in AIP-4238 and in the documentation of
/// the client libraries): its credentials are good for its own endpoints only.
#[tokio::test]
async fn the_api_is_that_of_the_credentials_universe() {
    let scene = Scene::new().await;
    let of_others = || Credentials::from(Token(Some("example-universe.test")));
    let log = Arc::clone(&scene.log);
    let there = GcpNetwork::with_credentials(config(&scene.gce), of_others(), log).await;
    assert_eq!(listing(&there.unwrap()).await.pending, []);

    // Where no endpoint is given it is theirs.
    let mut config = config(&scene.gce);
    config.endpoint = None;
    let log = Arc::clone(&scene.log);
    let theirs = GcpNetwork::with_credentials(config, of_others(), log).await;
    let error = theirs.unwrap().list_routes(&[]).await.unwrap_err();
    let detail = error.to_string();
    assert!(detail.contains("compute.example-universe.test"), "{detail}");
}
