//! The program `signpost-node`.

use std::process::ExitCode;

use clap::Parser as _;
use signpost_node::options::Arguments;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    signpost_node::command::run(Arguments::parse()).await
}
