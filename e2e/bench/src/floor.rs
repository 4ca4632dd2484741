//! The floor: what remains when there is nothing to decide. A bare loop lists the nodes once and
//! sends the same patches as the controller, as many at once, and does not look back.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use futures::{StreamExt, TryStreamExt, stream};
use http::{Request, header};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;
use signpost_core::{IpNet, Limits};

/// Nodes on a page, as in a watch of the `kube` crate.
const PAGE: u32 = 500;

#[derive(Debug, Args)]
pub(crate) struct FloorArgs {
    #[arg(long)]
    kubeconfig: PathBuf,
    /// How many nodes there are.
    #[arg(long)]
    nodes: usize,
    /// Blocks of length 24 are taken from here.
    #[arg(long)]
    pods: IpNet,
}

pub(crate) fn main(args: &FloorArgs) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        // As many as the controller has.
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting threads")?
        .block_on(run(args))
}

async fn run(args: &FloorArgs) -> Result<()> {
    let kubeconfig = Kubeconfig::read_from(&args.kubeconfig)?;
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await?;
    let client = Client::try_from(config)?;
    let nodes = list(&client).await?;
    anyhow::ensure!(nodes.len() == args.nodes, "{} nodes are there", nodes.len());
    let blocks = args.pods.subnets(24).context("a range shorter than /24")?;
    stream::iter(nodes.into_iter().zip(blocks))
        .map(|(node, block)| patch(&client, node.metadata, block))
        .buffer_unordered(Limits::LOCAL.api_writes)
        .try_collect::<()>()
        .await?;
    // What it used is read from outside.
    std::future::pending().await
}

async fn list(client: &Client) -> Result<Vec<Node>> {
    let mut nodes = Vec::new();
    let mut after = String::new();
    loop {
        let uri = format!("/api/v1/nodes?limit={PAGE}&continue={after}");
        let list: List = client.request(Request::get(uri).body(Vec::new())?).await?;
        nodes.extend(list.items);
        match list.metadata.next {
            Some(next) if !next.is_empty() => after = next,
            _ => return Ok(nodes),
        }
    }
}

async fn patch(client: &Client, node: Metadata, block: IpNet) -> Result<()> {
    let body = json!({
        "metadata": {"uid": node.uid},
        "spec": {"podCIDR": block, "podCIDRs": [block]},
    });
    let metadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
    let query = "fieldManager=floor&fieldValidation=Ignore";
    let request = Request::patch(format!("/api/v1/nodes/{}?{query}", node.name))
        .header(header::CONTENT_TYPE, "application/merge-patch+json")
        .header(header::ACCEPT, metadata)
        .body(serde_json::to_vec(&body)?)?;
    let _: IgnoredAny = client.request(request).await?;
    Ok(())
}

#[derive(Deserialize)]
struct List {
    metadata: ListMetadata,
    items: Vec<Node>,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(rename = "continue")]
    next: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
    uid: String,
}
