//! Hands what libFuzzer makes up to the parts of the plugin that read what others write: the environment and standard input of
//! a call, and answers of the kernel. `scripts/fuzz.sh` runs it.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "the plugin's own main is not here"
)]

#[path = "../../src/add.rs"]
mod add;
#[path = "../../src/address.rs"]
mod address;
#[path = "../../src/asked.rs"]
mod asked;
#[path = "../../src/attachment.rs"]
mod attachment;
#[path = "../../src/carrier.rs"]
mod carrier;
#[path = "../../src/check.rs"]
mod check;
#[path = "../../src/config.rs"]
mod config;
#[path = "../../src/cursor.rs"]
mod cursor;
#[path = "../../src/datapath/mod.rs"]
mod datapath;
#[path = "../../src/del.rs"]
mod del;
#[path = "../../src/dns.rs"]
mod dns;
#[path = "../../src/environment.rs"]
mod environment;
#[path = "../../src/error.rs"]
mod error;
#[path = "../../src/gc.rs"]
mod gc;
#[path = "../../src/host.rs"]
mod host;
#[path = "../../src/host_local.rs"]
mod host_local;
#[path = "../../src/input.rs"]
mod input;
#[path = "../../src/log.rs"]
mod log;
#[path = "../../src/panics.rs"]
mod panics;
#[path = "../../src/pod.rs"]
mod pod;
#[path = "../../src/ready.rs"]
mod ready;
#[path = "../../src/removal.rs"]
mod removal;
#[path = "../../src/request.rs"]
mod request;
#[path = "../../src/result.rs"]
mod result;
#[path = "../../src/status.rs"]
mod status;
#[path = "../../src/subnets.rs"]
mod subnets;
#[path = "../../src/sysctl.rs"]
mod sysctl;
#[path = "../../src/version.rs"]
mod version;

use libfuzzer_sys::fuzz_target;

use crate::attachment::Attachment;
use crate::config::Config;
use crate::environment::{Environment, Verb};
use crate::error::Result;
use crate::request::Request;
use crate::version::Version;

/// Standard output is libFuzzer's.
fn print(_: &str) -> bool {
    true
}

/// In the order in which they are in the data, each ended by a zero byte; standard input is the rest.
const VARIABLES: [&str; 6] = [
    "CNI_COMMAND",
    "CNI_CONTAINERID",
    "CNI_NETNS",
    "CNI_IFNAME",
    "CNI_ARGS",
    "CNI_PATH",
];

fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((b'n', bytes)) => signpost_netlink::fuzzing::answers(bytes),
        Some((b'c', call)) => called(call),
        _ => {}
    }
});

/// As `main` does before it touches the node.
fn called(data: &[u8]) {
    let mut parts = data.splitn(VARIABLES.len() + 1, |byte| *byte == 0);
    let values: Vec<String> = VARIABLES
        .iter()
        .map(|_| String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned())
        .collect();
    let stdin = parts.next().unwrap_or_default();
    let variable = |name: &str| {
        let index = VARIABLES.iter().position(|it| *it == name)?;
        Some(values[index].clone()).filter(|value| !value.is_empty())
    };
    let input = input::read(stdin);
    let spoken = Version::requested(input.as_ref().ok().and_then(Option::as_ref));
    if let Err(error) = read(variable, input) {
        // What a runtime reads is whole, and has a code that is not success.
        let said = error.to_json(&spoken);
        assert!(said["code"].as_u64().is_some_and(|code| code > 0), "{said}");
        assert!(
            said["msg"].as_str().is_some_and(|text| !text.is_empty()),
            "{said}"
        );
    }
}

fn read(
    variable: impl Fn(&str) -> Option<String>,
    input: Result<Option<input::Input>>,
) -> Result<()> {
    let environment = Environment::read(variable)?;
    let input = input?;
    if environment.verb == Verb::Version {
        version::answer(input.as_ref());
        return Ok(());
    }
    let input = input.ok_or_else(|| input::no_object(&"it is empty"))?;
    let version = Version::of_config(&input)?;
    let attachment = Attachment::new(&config::network_name(&input)?, &environment);
    host_local::folders(&input)?;
    let config = Config::parse(&input, version)?;
    assert!(config.subnets.len() <= 2, "{:?}", config.subnets);
    let request = Request::parse(&input, &environment.args, &config.subnets)?;
    assert!(
        request
            .ips
            .iter()
            .all(|ip| config.subnets.iter().any(|net| net.contains(ip))),
        "{request:?} of {:?}",
        config.subnets
    );
    drop(attachment);
    Ok(())
}
