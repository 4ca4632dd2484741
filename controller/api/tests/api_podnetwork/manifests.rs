//! The manifests and examples, applied as people do.

use std::path::PathBuf;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};
use signpost_api::PodNetwork;

use crate::support::{CONTROLLER, NODE_AGENT, World, world};

fn manifests() -> PathBuf {
    signpost_testing::repository().unwrap().join("manifests")
}

/// Whether `user` may do `verb` with `resource`, as `group/resource/subresource` in `namespace`.
async fn may(world: &World, user: &str, verb: &str, resource: &str, namespace: &str) -> bool {
    let mut parts = resource.split('/').map(str::to_owned);
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(user.to_owned()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.to_owned()),
                group: parts.next(),
                resource: parts.next(),
                subresource: parts.next(),
                namespace: Some(namespace.to_owned()),
                name: Some(signpost_name(resource).to_owned()),
                ..Default::default()
            }),
            ..Default::default()
        },
        ..Default::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(world.client.clone());
    let review = api.create(&PostParams::default(), &review).await.unwrap();
    review.status.unwrap().allowed
}

fn signpost_name(resource: &str) -> &str {
    match resource {
        "coordination.k8s.io/leases" => "signpost-controller",
        "/configmaps" => "signpost-node",
        _ => "default",
    }
}

#[tokio::test]
async fn the_accounts_may_do_their_work_and_no_more() {
    let world = world().await;
    world.control_plane.apply("base").await.unwrap();
    let allowed = [
        (CONTROLLER, "watch", "/nodes", ""),
        (CONTROLLER, "patch", "/nodes", ""),
        (CONTROLLER, "patch", "/nodes/status", ""),
        (CONTROLLER, "patch", "signpost.dev/podnetworks", ""),
        (CONTROLLER, "patch", "signpost.dev/podnetworks/status", ""),
        (CONTROLLER, "create", "events.k8s.io/events", "default"),
        (
            CONTROLLER,
            "create",
            "coordination.k8s.io/leases",
            "signpost-system",
        ),
        (
            CONTROLLER,
            "update",
            "coordination.k8s.io/leases",
            "signpost-system",
        ),
        (CONTROLLER, "create", "/configmaps", "signpost-system"),
        (CONTROLLER, "patch", "/configmaps", "signpost-system"),
        (NODE_AGENT, "watch", "/nodes", ""),
        (NODE_AGENT, "watch", "/configmaps", "signpost-system"),
    ];
    for (user, verb, resource, namespace) in allowed {
        assert!(
            may(&world, user, verb, resource, namespace).await,
            "{user}: {verb} {resource}"
        );
    }
    let denied = [
        (CONTROLLER, "delete", "/nodes", ""),
        (CONTROLLER, "create", "signpost.dev/podnetworks", ""),
        (CONTROLLER, "delete", "signpost.dev/podnetworks", ""),
        (
            CONTROLLER,
            "update",
            "coordination.k8s.io/leases",
            "kube-system",
        ),
        (CONTROLLER, "get", "/secrets", "signpost-system"),
        (CONTROLLER, "patch", "/configmaps", "kube-system"),
        (NODE_AGENT, "patch", "/nodes", ""),
        (NODE_AGENT, "patch", "/nodes/status", ""),
        (NODE_AGENT, "watch", "signpost.dev/podnetworks", ""),
        (NODE_AGENT, "patch", "/configmaps", "signpost-system"),
        (NODE_AGENT, "watch", "/configmaps", "kube-system"),
        (NODE_AGENT, "get", "/secrets", "signpost-system"),
    ];
    for (user, verb, resource, namespace) in denied {
        assert!(
            !may(&world, user, verb, resource, namespace).await,
            "{user}: {verb} {resource}"
        );
    }
}

#[tokio::test]
async fn examples_are_accepted_and_can_be_parsed() {
    let world = world().await;
    let mut count = 0;
    for entry in manifests().join("examples").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let example: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let stored: PodNetwork = serde_json::from_value(world.accepted(&example).await).unwrap();
        stored
            .spec
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        count += 1;
    }
    assert!(count > 0, "no examples in {}", manifests().display());
}
