//! CNI plugin that wires a pod: a veth pair, its addresses and its routes.
//!
//! A container runtime runs it with the verb and the attachment in `CNI_*` environment variables and
//! the network configuration on standard input. Standard output carries the result or the error as
//! JSON and nothing else; the log goes to standard error or to the configured file.

mod add;
mod address;
mod asked;
mod attachment;
mod carrier;
mod check;
mod config;
mod cursor;
mod datapath;
mod del;
mod dns;
mod environment;
mod error;
mod gc;
mod host;
mod host_local;
mod input;
mod log;
mod panics;
mod pod;
mod ready;
mod removal;
mod request;
mod result;
mod status;
mod subnets;
mod sysctl;
mod version;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use serde_json::Value;

use crate::attachment::Attachment;
use crate::config::Config;
use crate::environment::{Environment, Verb};
use crate::error::Result;
use crate::input::Input;
use crate::log::Log;
use crate::request::Request;
use crate::version::Version;

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

const HELP: &str = "\
signpost-cni wires pods: the container runtime calls it, people rarely do.

Usage: the verb and the attachment come in environment variables, the network configuration on
standard input, the result leaves on standard output (https://www.cni.dev/docs/spec):

  CNI_COMMAND      ADD, DEL, CHECK, GC, STATUS or VERSION
  CNI_CONTAINERID  the container (this and the following not for GC, STATUS and VERSION)
  CNI_NETNS        path of its network namespace (optional for DEL)
  CNI_IFNAME       name of the interface in the pod
  CNI_ARGS         optional: IP=ADDRESS[,ADDRESS] and MAC=ADDRESS, separated by semicolons; other keys
                   are refused unless IgnoreUnknown=1 is among them

  echo '{\"cniVersion\":\"1.0.0\"}' | CNI_COMMAND=VERSION signpost-cni

Configuration:

  cniVersion  0.3.0, 0.3.1, 0.4.0, 1.0.0 or 1.1.0
  name        name of the network
  type        signpost-cni
  mode        ptp (default): a veth pair and a host route for each pod; bridge: the node's ends of the
              pairs are ports of one bridge, sgnbr0, which has the gateways' addresses
  subnets     the node's pod CIDRs, at most one of each address family
  mtu         MTU of the pod's interface; 0 (default) takes the smallest of all ways that the node's
              default routes lead
  nodeAddresses  addresses from which the node talks to its pods (default: what the kernel
              chooses)
  dns         name service of pods, passed on in the result: nameservers, domain, search, options
  runDir      where the last address given out is remembered (default /run/signpost)
  hostLocalDirs  folders in which host-local keeps the addresses of an earlier network's pods, which
              are not given out (default /var/lib/cni/networks and /run/cni-ipam-state)
  readyFile   file that says for which subnets the node is ready since it booted: without it ADD
              fails, to be tried again (default: none, always ready)
  fullIsUnavailable  whether STATUS says no while no address is free (default: false, since
              runtimes take such a node out of service)
  logFile     regular file to append the log to (default: standard error)
  runtimeConfig, args.cni  what the runtime asks for this pod, rather than in CNI_ARGS:
    ips       addresses of the node's subnets, at most one of each family
    mac       hardware address of the pod's interface

A key whose value is null counts as one that is not there.

Options:

  --help      this text
  --version   the program's version
";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("--help" | "-h") => return exit_code(print(HELP)),
        Some("--version" | "-V") => {
            let text = concat!("signpost-cni ", env!("CARGO_PKG_VERSION"), "\n");
            return exit_code(print(text));
        }
        Some(removal::OPTION) => {
            let outcome = removal::serve(std::env::args().nth(2).as_deref());
            return exit_code(outcome.is_ok());
        }
        _ => {}
    }
    let stdin = std::io::stdin();
    if stdin.is_terminal() && std::env::var_os("CNI_COMMAND").is_none() {
        // Standard output is for results alone.
        let _ = std::io::stderr().write_all(HELP.as_bytes());
        return ExitCode::from(2);
    }
    let input = input::read(stdin.lock());
    let spoken = Version::requested(input.as_ref().ok().and_then(Option::as_ref));
    panics::answer(&spoken);
    match run(input) {
        Ok(Some(answer)) => exit_code(print(&format!("{answer}\n"))),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            print(&format!("{}\n", error.to_json(&spoken)));
            ExitCode::FAILURE
        }
    }
}

/// Serves the verb; the value is what standard output gets.
fn run(input: Result<Option<Input>>) -> Result<Option<Value>> {
    let variable = |name: &str| std::env::var_os(name).map(|it| it.to_string_lossy().into_owned());
    let environment = Environment::read(variable)?;
    let input = input?;
    if environment.verb == Verb::Version {
        return Ok(Some(version::answer(input.as_ref())));
    }
    let input = input.ok_or_else(|| input::no_object(&"it is empty"))?;
    let version = Version::of_config(&input)?;
    let log = Log::open(&input);
    let outcome = serve(&environment, version, &input, &log);
    log.outcome(&environment, outcome.as_ref().err());
    outcome
}

fn serve(
    environment: &Environment,
    version: Version,
    input: &Input,
    log: &Log,
) -> Result<Option<Value>> {
    let mut attachment = Attachment::new(&config::network_name(input)?, environment);
    match environment.verb {
        Verb::Add => {
            let config = Config::parse(input, version)?;
            let request = Request::parse(input, &environment.args, &config.subnets)?;
            attachment.mac = request.mac.unwrap_or(attachment.mac);
            add::add(&attachment, &config, &request.ips, log)
                .map(|result| Some(result.to_json(version)))
        }
        Verb::Check => {
            version.has("CHECK", Version::V0_4_0)?;
            let config = Config::parse(input, version)?;
            let request = Request::parse(input, &environment.args, &config.subnets)?;
            attachment.mac = request.mac.unwrap_or(attachment.mac);
            check::check(&attachment, &config).map(|()| None)
        }
        // Only what it takes to find the interface is read, so that a pod can be removed however its
        // configuration has become invalid meanwhile.
        Verb::Del => {
            del::del(&attachment)?;
            let folders = host_local::folders(input)?;
            if let Err(error) = host_local::release(&folders, &attachment) {
                log.warn(&format!("an address of host-local stays in use: {error}"));
            }
            Ok(None)
        }
        Verb::Gc => {
            version.has("GC", Version::V1_1_0)?;
            gc::gc(input, log).map(|()| None)
        }
        Verb::Status => {
            version.has("STATUS", Version::V1_1_0)?;
            let config = Config::parse(input, version)?;
            status::status(&config).map(|()| None)
        }
        Verb::Version => Ok(None),
    }
}

/// Tells whether standard output took it.
fn print(text: &str) -> bool {
    std::io::stdout().write_all(text.as_bytes()).is_ok()
}

fn exit_code(is_success: bool) -> ExitCode {
    if is_success {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
