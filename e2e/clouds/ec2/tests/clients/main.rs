//! Clients that know nothing of this emulator use it, and Amazon's model judges what passed.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Output;

use signpost_ec2::{Emulator, Options, Settings};
use tokio::process::Command;
use tokio::sync::OnceCell;

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

/// The Python that has the clients. Installing them says the remedy where it fails.
async fn python() -> &'static Path {
    static PYTHON: OnceCell<PathBuf> = OnceCell::const_new();
    PYTHON
        .get_or_init(|| async {
            let setup = Command::new(clients().join("../../common/clients.sh"))
                .arg(clients().join("requirements.txt"))
                .output()
                .await
                .unwrap();
            assert!(setup.status.success(), "{}", told(&setup));
            let folder = String::from_utf8(setup.stdout).unwrap();
            Path::new(folder.trim_end()).join("bin/python")
        })
        .await
}

fn told(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

async fn emulator() -> Emulator {
    let settings = Settings {
        record_bodies: true,
        ..Settings::default()
    };
    let imds = Some((Ipv4Addr::LOCALHOST, 0).into());
    Emulator::start(Options {
        settings,
        imds,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Runs a script that knows only where the emulator is, whatever the machine's own AWS settings are.
async fn run(ec2: &Emulator, script: &str, arguments: &[&str]) {
    let output = Command::new(python().await)
        .arg("-B")
        .arg(clients().join(script))
        .args(arguments)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"))
        .env("EC2_URL", ec2.url())
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", ec2.imds_url().unwrap())
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{script}\n{}", told(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_builds_and_reads_scenes_out_of_every_action() {
    let ec2 = emulator().await;
    run(&ec2, "boto3_client.py", &[]).await;
    run(&ec2, "service_model.py", &[&ec2.url(), "--complete"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_command_builds_and_reads_a_scene() {
    let ec2 = emulator().await;
    run(&ec2, "aws_command.py", &[]).await;
    run(&ec2, "service_model.py", &[&ec2.url()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn boto3_finds_region_and_credentials_on_an_instance() {
    let ec2 = emulator().await;
    run(&ec2, "metadata_client.py", &[]).await;
    run(&ec2, "service_model.py", &[&ec2.url()]).await;
}
