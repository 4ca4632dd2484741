//! Clients that know nothing of this emulator use it, and Amazon's model judges what passed.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::net::Ipv4Addr;

use signpost_ec2::{Emulator, Options, Settings};

#[path = "../../../common/testing/clients.rs"]
mod clients;

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
    let home = std::env::var("HOME").unwrap_or_default();
    let environment = [
        ("HOME", &*home),
        ("EC2_URL", &ec2.url()),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            &ec2.imds_url().unwrap(),
        ),
        ("AWS_CONFIG_FILE", "/dev/null"),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
    ];
    clients::run(script, arguments, &environment).await;
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
