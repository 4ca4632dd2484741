//! etcd, API server, controller manager (without node IPAM) and scheduler, on the router machine.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use crate::addresses::{API_SERVICE_V4, API_SERVICE_V6, API_V4, SERVICES_V4, SERVICES_V6};
use crate::binaries::Binaries;
use crate::cluster::Parts;
use crate::machine::{Machine, Service};
use crate::pki::Pki;
use crate::wait;

/// Names and addresses under which the API server is asked.
pub(crate) fn api_names() -> Vec<String> {
    let addresses = [API_V4, API_SERVICE_V4].map(|address| address.to_string());
    let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"].map(str::to_owned);
    names
        .into_iter()
        .chain(addresses)
        .chain([API_SERVICE_V6.to_string()])
        .collect()
}

/// Where programs in the cluster find the API server.
pub(crate) fn api_url() -> String {
    format!("https://{API_V4}:6443")
}

/// Starts all four and returns when the API server is ready.
pub(crate) async fn start(client: &kube::Client, parts: &Parts) -> Result<()> {
    let Parts {
        router,
        binaries,
        pki,
        dual_stack,
        ..
    } = parts;
    let services = if *dual_stack {
        format!("{SERVICES_V4},{SERVICES_V6}")
    } else {
        SERVICES_V4.to_owned()
    };
    pki.client("apiserver-kubelet", "apiserver", &["system:masters"])?;
    let url = api_url();
    // With all rights, rather than one service account for each of its controllers.
    let manager = "system:kube-controller-manager";
    let manager = pki.kubeconfig(
        "kube-controller-manager",
        &url,
        manager,
        &["system:masters"],
    )?;
    let scheduler = pki.kubeconfig("kube-scheduler", &url, "system:kube-scheduler", &[])?;

    let argv = [
        binaries.path("etcd")?,
        format!("--data-dir={}", etcd_folder(parts).display()),
        // Nothing of a test's cluster is worth waiting for a disk.
        "--unsafe-no-fsync".into(),
        "--listen-client-urls=http://127.0.0.1:2379".into(),
        "--advertise-client-urls=http://127.0.0.1:2379".into(),
        "--listen-peer-urls=http://127.0.0.1:2380".into(),
        "--log-level=warn".into(),
    ];
    router.start(Service::new("etcd", argv)).await?;
    router
        .start(Service::new(
            "kube-apiserver",
            api_server(router, binaries, pki, &services)?,
        ))
        .await?;
    ready(client, router).await?;

    let key = pki.path("service-accounts.key");
    let argv = [
        binaries.path("kube-controller-manager")?,
        format!("--kubeconfig={}", manager.display()),
        // Node subnets are Signpost's.
        "--controllers=*,-node-ipam-controller".into(),
        "--allocate-node-cidrs=false".into(),
        // Without this its many controllers take five seconds to start one after the other.
        "--kube-api-qps=500".into(),
        "--kube-api-burst=500".into(),
        format!("--service-account-private-key-file={key}"),
        format!("--root-ca-file={}", pki.path("ca.crt")),
        "--leader-elect=false".into(),
        "--bind-address=127.0.0.1".into(),
    ];
    router
        .start(Service::new("kube-controller-manager", argv))
        .await?;
    let argv = [
        binaries.path("kube-scheduler")?,
        format!("--kubeconfig={}", scheduler.display()),
        "--leader-elect=false".into(),
        "--bind-address=127.0.0.1".into(),
    ];
    router.start(Service::new("kube-scheduler", argv)).await
}

/// Waits until the API server is ready.
pub(crate) async fn ready(client: &kube::Client, router: &Machine) -> Result<()> {
    let ready = wait::until(
        "the API server to be ready",
        Duration::from_secs(60),
        async || {
            let request = http::Request::get("/readyz").body(Vec::new())?;
            Ok(client.request_text(request).await?)
        },
    );
    ready
        .await
        .map(drop)
        .map_err(|error| router.with_log(&error, "kube-apiserver"))
}

/// The folder of etcd's data.
pub(crate) fn etcd_folder(parts: &Parts) -> PathBuf {
    parts.pki.dir().join("etcd")
}

fn api_server(
    router: &Machine,
    binaries: &Binaries,
    pki: &Pki,
    services: &str,
) -> Result<Vec<String>> {
    let policy = pki.dir().join("audit-policy.json");
    // Only what Signpost does: tests compare it with what its roles grant, and ask who held the lease.
    let signpost = ["system:serviceaccounts:signpost-system"];
    let leases = json!([{"group": "coordination.k8s.io", "resources": ["leases"]}]);
    let policy_text = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "Request", "userGroups": signpost, "resources": leases},
            {"level": "Metadata", "userGroups": signpost},
            {"level": "None"},
        ],
    });
    fs::write(&policy, policy_text.to_string())
        .with_context(|| format!("writing {}", policy.display()))?;
    Ok(vec![
        binaries.path("kube-apiserver")?,
        "--etcd-servers=http://127.0.0.1:2379".into(),
        format!("--advertise-address={API_V4}"),
        "--secure-port=6443".into(),
        format!("--service-cluster-ip-range={services}"),
        "--authorization-mode=Node,RBAC".into(),
        "--enable-admission-plugins=NodeRestriction".into(),
        format!("--client-ca-file={}", pki.path("ca.crt")),
        format!("--tls-cert-file={}", pki.path("apiserver.crt")),
        format!("--tls-private-key-file={}", pki.path("apiserver.key")),
        format!(
            "--kubelet-client-certificate={}",
            pki.path("apiserver-kubelet.crt")
        ),
        format!("--kubelet-client-key={}", pki.path("apiserver-kubelet.key")),
        // No name server knows the nodes' names.
        "--kubelet-preferred-address-types=InternalIP".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!(
            "--service-account-key-file={}",
            pki.path("service-accounts.pub")
        ),
        format!(
            "--service-account-signing-key-file={}",
            pki.path("service-accounts.key")
        ),
        format!("--audit-policy-file={}", policy.display()),
        format!("--audit-log-path={}", router.log("audit").display()),
        // The router has no kube-proxy that would lead to cluster IPs.
        "--enable-aggregator-routing".into(),
    ])
}
