//! Who Signpost's programs are: service accounts, roles and tokens from `manifests/`, as a cluster's
//! administrator would apply them.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, PostParams};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::cluster::{Cluster, Parts};
use crate::wait;

/// The namespace of Signpost's programs.
pub const NAMESPACE: &str = "signpost-system";
/// The controller's service account, and its program.
pub const CONTROLLER: &str = "signpost-controller";
/// The agents' service account, and their program.
pub const AGENT: &str = "signpost-node";

/// The CNI plugin, which the agents install from the folder that they are in.
pub const PLUGIN: &str = "signpost-cni";

/// As long as anybody may explore a cluster that is left running.
const TOKEN_SECONDS: i64 = 7 * 24 * 3600;
const LIMIT: Duration = Duration::from_secs(30);

/// Applies the overlay, whose folder it gives, and creates the `PodNetwork`. Does nothing without one.
pub(crate) async fn set_up(
    cluster: &Cluster,
    pod_network: Option<&Value>,
) -> Result<Option<PathBuf>> {
    let Some(spec) = pod_network else {
        return Ok(None);
    };
    let applied = cluster.install().await?;
    cluster.create_pod_network(spec.clone()).await?;
    Ok(Some(applied))
}

/// Creates the one `PodNetwork`.
pub(crate) async fn create_pod_network(client: &kube::Client, spec: &Value) -> Result<()> {
    let kind = GroupVersionKind::gvk("signpost.dev", "v1alpha1", "PodNetwork");
    let kind = ApiResource::from_gvk(&kind);
    let object = DynamicObject::new("default", &kind).data(json!({"spec": spec}));
    let networks: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
    // A fresh definition takes a moment until objects of it are accepted.
    let created = wait::until("the PodNetwork to be accepted", LIMIT, async || {
        match networks.create(&PostParams::default(), &object).await {
            // Waiting would not make it valid.
            Err(kube::Error::Api(status)) if status.code == 422 => Ok(Err(status)),
            other => Ok(Ok(other?)),
        }
    });
    created.await?.context("creating the PodNetwork")?;
    Ok(())
}

/// Waits until pods can be created: every namespace needs the account that the manager makes.
pub(crate) async fn wait_for_default_account(client: &kube::Client) -> Result<()> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    wait::until("the default service account", LIMIT, async || {
        accounts.get("default").await.map(drop).map_err(Into::into)
    })
    .await
}

/// A token of one of the service accounts.
pub(crate) async fn token(client: &kube::Client, account: &str) -> Result<String> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    let spec = TokenRequestSpec {
        expiration_seconds: Some(TOKEN_SECONDS),
        ..TokenRequestSpec::default()
    };
    let request = TokenRequest {
        spec: Some(spec),
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .with_context(|| format!("asking for a token of {NAMESPACE}/{account}"))?;
    let token = answer.status.and_then(|status| status.token);
    token.context("the API server answered without a token")
}

/// Runs kubectl outside the cluster's namespaces.
pub(crate) async fn kubectl(
    parts: &Parts,
    kubeconfig: &Path,
    arguments: &[&str],
    input: &str,
) -> Result<String> {
    let mut child = Command::new(parts.binaries.path("kubectl")?)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .arg("--cache-dir")
        .arg(parts.dir.join("kubectl-cache"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("starting kubectl")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(input.as_bytes())
            .await
            .context("writing to kubectl")?;
    }
    let output = child
        .wait_with_output()
        .await
        .context("waiting for kubectl")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("kubectl {} failed: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
