//! Command line.

use std::{io::Write, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use signpost_core::lease::Terms;

use crate::{logging, run};

/// Gives each node its pod ranges and programs the routes that lead there.
#[derive(Debug, Parser)]
#[command(name = "signpost-controller", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the controller until it is told to stop (SIGTERM or SIGINT).
    Run(RunArgs),
    /// Print the `CustomResourceDefinition` of `PodNetwork` as YAML, for `kubectl apply -f -`.
    Crd,
}

impl Cli {
    /// Does what the command says; the error says what is wrong and what to do.
    pub fn execute(self) -> Result<()> {
        match self.command {
            Command::Run(args) => {
                logging::start(args.log_format, &args.log_level)?;
                tokio::runtime::Builder::new_multi_thread()
                    // Work and lease on two threads, so that neither waits for the other.
                    .worker_threads(2)
                    .enable_all()
                    .build()
                    .context("cannot start threads")?
                    .block_on(run::run(args))
            }
            Command::Crd => std::io::stdout()
                .write_all(signpost_api::crd_yaml()?.as_bytes())
                .context("cannot write to standard output"),
        }
    }
}

/// Flags of `run`. Everything about the network itself is in the `PodNetwork` object.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Reach the cluster as this file says. Default: the service account of the pod, or else the
    /// file in the environment variable KUBECONFIG, or else ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// Where /metrics, /healthz and /readyz are served, without authentication. Use
    /// 0.0.0.0:9450 to be reached from elsewhere; port 0 takes a free one.
    #[arg(
        long,
        env = "SIGNPOST_HTTP_ADDRESS",
        value_name = "ADDRESS:PORT",
        default_value = "127.0.0.1:9450"
    )]
    pub http_address: SocketAddr,

    /// Name of the Lease that elects the one controller that works.
    #[arg(
        long,
        env = "SIGNPOST_LEASE_NAME",
        value_name = "NAME",
        default_value = "signpost-controller"
    )]
    pub lease_name: String,

    /// Namespace of the Lease, and of the config map that node agents follow.
    #[arg(
        long,
        env = "POD_NAMESPACE",
        value_name = "NAME",
        default_value = "signpost-system"
    )]
    pub lease_namespace: String,

    /// Who this is in the Lease, for those who read it; what tells it from others is added.
    /// Default: the host's name and the process's number.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub identity: Option<String>,

    /// Seconds after which another controller takes over from one that died. A controller that
    /// cannot renew stops writing after two thirds of them.
    #[arg(
        long,
        env = "SIGNPOST_LEASE_DURATION",
        value_name = "SECONDS",
        default_value_t = 15,
        value_parser = clap::value_parser!(u32).range(6..=300)
    )]
    pub lease_duration: u32,

    /// How log lines look.
    #[arg(
        long,
        env = "SIGNPOST_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub log_format: logging::Format,

    /// error, warn, info, debug or trace, or directives such as `info,signpost_cloud=debug`.
    #[arg(
        long,
        env = "SIGNPOST_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log_level: String,
}

impl RunArgs {
    /// The spans of the election that follow from `--lease-duration`.
    pub fn terms(&self) -> Terms {
        let duration = Duration::from_secs(self.lease_duration.into());
        Terms {
            duration,
            deadline: duration * 2 / 3,
            renew_every: duration / 5,
            look_every: duration * 2 / 15,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_args(args: &[&str]) -> Result<RunArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["signpost-controller", "run"], args].concat())?;
        match cli.command {
            Command::Run(args) => Ok(args),
            Command::Crd => panic!("asked for run"),
        }
    }

    #[test]
    fn default_terms_are_those_of_the_core() {
        assert_eq!(run_args(&[]).unwrap().terms(), Terms::default());
    }

    #[test]
    fn every_lease_duration_leaves_room_for_renewals_and_for_a_last_write() {
        for seconds in 6..=300 {
            let terms = run_args(&["--lease-duration", &seconds.to_string()])
                .unwrap()
                .terms();
            assert!(terms.renew_every * 3 < terms.deadline, "{terms:?}");
            assert!(terms.longest_write() >= Duration::from_secs(2), "{terms:?}");
        }
    }

    #[test]
    fn refuses_a_lease_duration_out_of_bounds() {
        for seconds in ["5", "301", "0"] {
            let error = run_args(&["--lease-duration", seconds]).unwrap_err();
            assert!(error.to_string().contains("6..=300"), "{error}");
        }
    }
}
