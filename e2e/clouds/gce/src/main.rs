//! An emulator of Compute Engine: prints its URL when it is ready, and runs until it gets SIGINT or
//! SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use signpost_emulator::{from_file, until_ended};
use signpost_gce::{Emulator, Options, Settings};

/// An emulator of the part of Compute Engine that route programming meets.
///
/// All durations are seconds of the emulator's clock. Everything from --rates on can be changed later
/// below URL/_control, where there are also faults, the log of calls and the state of the data plane.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Where the API listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where a metadata server listens; without it there is none
    #[arg(long, value_name = "ADDRESS")]
    metadata: Option<SocketAddr>,
    /// A project's id; several are possible
    #[arg(long = "project", default_value = "example", value_name = "ID")]
    projects: Vec<String>,
    /// A service project of a Shared VPC and its host project; several are possible
    #[arg(long = "shared", value_name = "SERVICE=HOST", value_parser = pair)]
    shared: Vec<(String, String)>,
    /// Repeats identifiers, delays and the luck of faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Refuse calls that come faster than Google allows
    #[arg(long)]
    rates: bool,
    /// The shortest and the longest time that an operation takes
    #[arg(long, num_args = 2, default_values_t = [0.0, 0.0], value_names = ["SECONDS", "SECONDS"])]
    operations: Vec<f64>,
    /// The longest time until readers see a write
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    propagation: f64,
    /// How far a listing can be behind what others see
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    staleness: f64,
    /// How long every call takes at least
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    latency: f64,
    /// How many times as fast as the machine's clock the emulator's runs; 0 freezes it
    #[arg(long, default_value_t = 1.0, value_name = "TIMES")]
    speed: f64,
    /// Log the bodies of requests and answers
    #[arg(long)]
    record_bodies: bool,
    /// A file with further settings, in JSON as `GET /_control/settings` shows them; they take precedence
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(service, host)| (service.to_owned(), host.to_owned()))
        .ok_or_else(|| "not of the form SERVICE=HOST".to_owned())
}

impl Cli {
    fn options(self) -> Result<Options, String> {
        let settings = Settings {
            rates: self.rates,
            operations: [self.operations[0], self.operations[1]],
            propagation: self.propagation,
            staleness: self.staleness,
            latency: self.latency,
            speed: self.speed,
            record_bodies: self.record_bodies,
            ..Settings::default()
        };
        let settings = match &self.settings {
            None => settings,
            Some(path) => from_file(path, |change| settings.merged(change))?,
        };
        let mut projects = self.projects;
        let named = self
            .shared
            .iter()
            .flat_map(|(service, host)| [service, host]);
        for name in named {
            if !projects.contains(name) {
                projects.push(name.clone());
            }
        }
        Ok(Options {
            listen: self.listen,
            metadata: self.metadata,
            projects,
            hosts: self.shared.into_iter().collect(),
            seed: self.seed,
            settings,
        })
    }
}

#[expect(
    clippy::print_stdout,
    reason = "whoever starts the program reads the URL from there"
)]
async fn run(options: Options) -> std::io::Result<()> {
    let emulator = Emulator::start(options).await?;
    println!("{}", emulator.url());
    if let Some(url) = emulator.metadata_url() {
        println!("metadata {url}");
    }
    until_ended().await
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().options() {
        Ok(options) => run(options).await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    signpost_emulator::main("gce-emulator", result)
}
