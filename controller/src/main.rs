//! Allocates node subnets and programs the routes that lead to them.

use std::process::ExitCode;

use clap::Parser;
use signpost_controller::{cli::Cli, errors};

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signpost-controller: {}", errors::chain(&error));
            ExitCode::FAILURE
        }
    }
}
