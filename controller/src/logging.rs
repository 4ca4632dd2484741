//! Logs on standard error: one line for each thing that happened.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `level` is a level, or directives such as `info,signpost_cloud=debug`.
///
/// Fails if `level` is neither.
pub fn start(format: Format, level: &str) -> Result<()> {
    // The client library reports errors that we report too, without saying what to do.
    let directives = format!("kube_client=off,kube_runtime=off,{level}");
    let filter = EnvFilter::try_new(directives).with_context(|| {
        format!("--log-level {level}: write error, warn, info, debug or trace, or directives such as info,signpost_cloud=debug")
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours belong on a terminal, not in a file.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        Format::Text => builder.with_target(false).init(),
        Format::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
