//! The control plane of tests for programs in other languages: prints where it is as a line of JSON, and
//! ends with its standard input. Beside the administrator the service accounts of controller and agents are known.
#![allow(
    clippy::print_stdout,
    reason = "who started it reads its standard output"
)]

use std::io;

use anyhow::{Context, Result};
use serde_json::json;
use signpost_testing::{ControlPlane, Options};

const NAMESPACE: &str = "signpost-system";
const CONTROLLER: &str = "signpost-controller";
const NODE: &str = "signpost-node";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::default()
        .service_account(NAMESPACE, CONTROLLER)
        .service_account(NAMESPACE, NODE);
    let control_plane = ControlPlane::start_with(options).await?;
    let account =
        |name| control_plane.kubeconfig_for(&format!("system:serviceaccount:{NAMESPACE}:{name}"));
    let place = json!({
        "kubeconfig": control_plane.kubeconfig()?,
        "controllerKubeconfig": account(CONTROLLER)?,
        "nodeKubeconfig": account(NODE)?,
        "kubectl": control_plane.kubectl()?,
    });
    println!("{place}");
    io::copy(&mut io::stdin(), &mut io::sink()).context("cannot read standard input")?;
    Ok(())
}
