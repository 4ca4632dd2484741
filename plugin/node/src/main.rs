//! The program `signpost-node`.

use std::io::IsTerminal as _;

use clap::Parser as _;
use signpost_node::options::Options;
use tracing_subscriber::EnvFilter;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // The client library reports errors that we report too, without saying what to do.
    let quiet = "info,kube_client=off,kube_runtime=off";
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(quiet));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours belong on a terminal, not in a file.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    signpost_node::agent::run(options).await
}
