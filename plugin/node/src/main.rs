//! The program `signpost-node`.

use clap::Parser as _;
use signpost_node::options::Options;

#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    signpost_node::logging::start(options.log_format);
    signpost_node::agent::run(options).await
}
