//! The chart on a real API server: installed, upgraded, and removed only after the network.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::Client;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use signpost_api::{NAME, PodNetwork};
use signpost_testing::{ControlPlane, eventually};

use crate::support::{NAMESPACE, RELEASE, chart, helm, kubectl, objects};

const CONTROLLER: &str = "signpost-controller";
const NETWORK: &str =
    r#"podNetwork={"pools":[{"name":"main","cidr":"10.244.0.0/16","nodePrefixLength":24}]}"#;

struct World {
    control_plane: ControlPlane,
    client: Client,
}

impl World {
    async fn start() -> Self {
        let control_plane = ControlPlane::start().await.unwrap();
        let client = control_plane.client().await.unwrap();
        Self {
            control_plane,
            client,
        }
    }

    fn helm(&self, arguments: &[&str]) -> Result<String, String> {
        helm(Some(&self.control_plane), arguments)
    }

    fn install(&self, options: &[&str]) -> String {
        let arguments = ["install", RELEASE, &chart(), "--create-namespace"];
        self.helm(&[&arguments, options].concat()).unwrap()
    }

    fn upgrade(&self, options: &[&str]) -> String {
        self.helm(&[&["upgrade", RELEASE, &chart()], options].concat())
            .unwrap()
    }

    /// How many objects of a manifest the API server has.
    fn present(&self, manifest: &str) -> usize {
        let file = self.control_plane.dir().join("manifest.yaml");
        std::fs::write(&file, manifest).unwrap();
        let file = file.display().to_string();
        let arguments = [
            "-n",
            NAMESPACE,
            "get",
            "-o=name",
            "--ignore-not-found",
            "-f",
            &file,
        ];
        kubectl(&self.control_plane, &arguments)
            .unwrap()
            .lines()
            .count()
    }

    fn networks(&self) -> Api<PodNetwork> {
        Api::all(self.client.clone())
    }

    /// As a controller does that works, and that has taken its last route away.
    async fn set_finalizers(&self, finalizers: Value) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
        let params = PatchParams::default();
        let networks = self.networks();
        networks.patch(NAME, &params, &patch).await.unwrap();
    }

    fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }
}

#[tokio::test]
async fn an_uninstallation_is_refused_until_the_network_is_gone_and_then_leaves_nothing() {
    let world = World::start().await;
    let notes = world.install(&["--set-json", NETWORK]);
    assert!(
        notes.contains("kubectl delete podnetwork default"),
        "{notes}"
    );
    assert!(!notes.contains("WARNING"), "{notes}");
    let manifest = world.helm(&["get", "manifest", RELEASE]).unwrap();
    let all = objects(&manifest).len();
    assert_eq!(world.present(&manifest), all);

    let merge = PatchParams::default();
    world.set_finalizers(json!(["signpost.dev/routes"])).await;
    let held = Patch::Merge(json!({"spec": {"holderIdentity": "a", "leaseDurationSeconds": 15}}));
    world
        .leases()
        .patch(CONTROLLER, &merge, &held)
        .await
        .unwrap();
    let dry = DeleteParams::default().dry_run();
    let bindings: Api<RoleBinding> = Api::namespaced(world.client.clone(), NAMESPACE);
    eventually("its rights are kept", async || {
        bindings.delete(CONTROLLER, &dry).await.is_err()
    })
    .await;

    let said = world.helm(&["uninstall", RELEASE]).unwrap_err();
    assert!(said.contains("kubectl delete podnetwork default"), "{said}");
    assert_eq!(world.present(&manifest), all, "nothing was deleted");
    assert_eq!(holder(&world).await.as_deref(), Some("a"));
    // It can still be upgraded, and a value that was lost takes no network away.
    world.upgrade(&["--reset-values"]);
    let network = world.networks().get(NAME).await.unwrap();
    assert!(network.metadata.deletion_timestamp.is_none());
    assert!(world.helm(&["uninstall", RELEASE]).is_err());

    world
        .networks()
        .delete(NAME, &DeleteParams::default())
        .await
        .unwrap();
    assert!(
        world.helm(&["uninstall", RELEASE]).is_err(),
        "its routes are still there"
    );
    world.set_finalizers(json!(null)).await;
    eventually("the network is gone", async || {
        world.networks().get(NAME).await.is_err()
    })
    .await;
    world.helm(&["uninstall", RELEASE]).unwrap();
    assert_eq!(world.present(&manifest), 0);
    assert!(world.helm(&["status", RELEASE]).is_err());
}

/// Whoever applied the overlay may go on with the chart: nothing is made anew, and no program stops.
#[tokio::test]
async fn what_an_overlay_installed_goes_over_to_helm() {
    let world = World::start().await;
    world.control_plane.apply("linux").await.unwrap();
    let network = NETWORK.split_once('=').unwrap().1;
    let spec: Value = serde_json::from_str(network).unwrap();
    let object = json!({
        "apiVersion": "signpost.dev/v1alpha1", "kind": "PodNetwork",
        "metadata": {"name": NAME}, "spec": {"pools": spec["pools"], "cloud": {"provider": "linux"}},
    });
    let applied = PatchParams::apply("test");
    let networks = world.networks();
    networks
        .patch(NAME, &applied, &Patch::Apply(object))
        .await
        .unwrap();
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), NAMESPACE);
    let before = deployments.get(CONTROLLER).await.unwrap();

    let theirs = world.helm(&[
        "install",
        RELEASE,
        &chart(),
        "--set",
        "cloud.provider=linux",
    ]);
    assert!(theirs.unwrap_err().contains("ownership"), "not by accident");
    world.install(&[
        "--take-ownership",
        "--force-conflicts",
        "--set",
        "cloud.provider=linux",
    ]);
    let after = deployments.get(CONTROLLER).await.unwrap();
    assert_eq!(after.metadata.uid, before.metadata.uid);
    let template = |deployment: Deployment| deployment.spec.unwrap().template;
    assert_eq!(template(after), template(before), "no new pods");
    assert!(networks.get(NAME).await.is_ok());
}

async fn holder(world: &World) -> Option<String> {
    let lease = world.leases().get(CONTROLLER).await.unwrap();
    lease.spec.and_then(|spec| spec.holder_identity)
}

#[tokio::test]
async fn an_upgrade_changes_the_image_and_leaves_what_others_wrote() {
    let world = World::start().await;
    world.install(&["--set-json", NETWORK, "--set", "cloud.provider=linux"]);
    let merge = PatchParams::default();
    let held = Patch::Merge(json!({"spec": {"holderIdentity": "a"}}));
    world
        .leases()
        .patch(CONTROLLER, &merge, &held)
        .await
        .unwrap();
    world.set_finalizers(json!(["signpost.dev/routes"])).await;

    let tags = ["controller.image.tag=9.9.9", "node.image.tag=9.9.8"];
    world.upgrade(&["--reuse-values", "--set", tags[0], "--set", tags[1]]);
    let deployments: Api<Deployment> = Api::namespaced(world.client.clone(), NAMESPACE);
    let deployment = deployments.get(CONTROLLER).await.unwrap();
    let image = &deployment.spec.unwrap().template.spec.unwrap().containers[0].image;
    assert_eq!(
        image.as_deref(),
        Some("localhost/signpost-controller:9.9.9")
    );
    let daemons: Api<DaemonSet> = Api::namespaced(world.client.clone(), NAMESPACE);
    let daemon = daemons.get("signpost-node").await.unwrap();
    let image = &daemon.spec.unwrap().template.spec.unwrap().containers[0].image;
    assert_eq!(image.as_deref(), Some("localhost/signpost-node:9.9.8"));
    assert_eq!(holder(&world).await.as_deref(), Some("a"));
    let network = world.networks().get(NAME).await.unwrap();
    assert_eq!(
        network.metadata.finalizers.unwrap(),
        ["signpost.dev/routes"]
    );
}

#[tokio::test]
async fn a_definition_of_another_version_is_told_with_the_remedy() {
    let world = World::start().await;
    let notes = world.install(&["--set", "cloud.provider=aws"]);
    assert!(notes.contains("kind: PodNetwork"), "{notes}");
    assert!(!notes.contains("WARNING"), "{notes}");
    let patch = r#"[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"}]"#;
    let arguments = [
        "patch",
        "crd",
        "podnetworks.signpost.dev",
        "--type=json",
        "-p",
        patch,
    ];
    kubectl(&world.control_plane, &arguments).unwrap();
    let notes = world.upgrade(&["--reuse-values"]);
    assert!(
        notes.contains("WARNING") && notes.contains("helm show crds"),
        "{notes}"
    );

    let file = world.control_plane.dir().join("crd.yaml");
    std::fs::write(&file, world.helm(&["show", "crds", &chart()]).unwrap()).unwrap();
    let file = file.display().to_string();
    let remedy = ["apply", "--server-side", "--force-conflicts", "-f", &file];
    kubectl(&world.control_plane, &remedy).unwrap();
    let notes = world.upgrade(&["--reuse-values"]);
    assert!(!notes.contains("WARNING"), "{notes}");
}
