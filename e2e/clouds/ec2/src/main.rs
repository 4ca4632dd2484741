//! An EC2 emulator: prints its URL when it is ready, and runs until it gets SIGINT or SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use signpost_ec2::{Emulator, Options, Quotas, Settings};
use signpost_emulator::{from_file, until_ended};

/// An emulator of the part of EC2 that route programming meets.
///
/// All durations are seconds of the emulator's clock. Everything from --rates on can be changed later
/// below URL/_control, where there are also faults, the log of calls and the state of the data plane.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Where the API listens; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where an instance metadata service listens; without it there is none
    #[arg(long, value_name = "ADDRESS")]
    imds: Option<SocketAddr>,
    /// The region that requests have to be signed for
    #[arg(long, default_value = "eu-central-1")]
    region: String,
    /// The account's number
    #[arg(long, default_value = "123456789012")]
    account: String,
    /// Repeats identifiers, delays and the luck of faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Refuse calls that come faster than EC2 allows
    #[arg(long)]
    rates: bool,
    /// The longest time until readers see a write
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    propagation: f64,
    /// How far a listing can be behind what others see
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    staleness: f64,
    /// How long every call takes at least
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    latency: f64,
    /// How long instances take to start, stop and terminate, and interfaces to come and go
    #[arg(long, default_value_t = 0.0, value_name = "SECONDS")]
    transition: f64,
    /// How many times as fast as the machine's clock the emulator's runs; 0 freezes it
    #[arg(long, default_value_t = 1.0, value_name = "TIMES")]
    speed: f64,
    /// How many routes a table may have, of each family
    #[arg(long, default_value_t = Quotas::default().routes_per_table, value_name = "ROUTES")]
    route_quota: usize,
    /// Log the bodies of requests and answers
    #[arg(long)]
    record_bodies: bool,
    /// A file with further settings, in JSON as `GET /_control/settings` shows them; they take precedence
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

impl Cli {
    fn options(&self) -> Result<Options, String> {
        let settings = Settings {
            rates: self.rates,
            propagation: self.propagation,
            staleness: self.staleness,
            latency: self.latency,
            transition: self.transition,
            speed: self.speed,
            record_bodies: self.record_bodies,
            quotas: Quotas {
                routes_per_table: self.route_quota,
                ..Quotas::default()
            },
            ..Settings::default()
        };
        let settings = match &self.settings {
            None => settings,
            Some(path) => from_file(path, |change| settings.merged(change))?,
        };
        Ok(Options {
            listen: self.listen,
            imds: self.imds,
            region: self.region.clone(),
            account: self.account.clone(),
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
    if let Some(url) = emulator.imds_url() {
        println!("imds {url}");
    }
    until_ended().await
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Cli::parse().options() {
        Ok(options) => run(options).await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    signpost_emulator::main("ec2-emulator", result)
}
