//! Clients that know nothing of this emulator use it, and Google's discovery document judges what
//! passed.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::io::Write;
use std::net::Ipv4Addr;

use signpost_gce::{Emulator, Options, Settings};
use tokio::process::Command;

#[path = "../../../common/testing/clients.rs"]
mod clients;

async fn emulator() -> Emulator {
    let settings = Settings {
        record_bodies: true,
        ..Settings::default()
    };
    let metadata = Some((Ipv4Addr::LOCALHOST, 0).into());
    Emulator::start(Options {
        settings,
        metadata,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Runs a script that knows only where the emulator is, whatever the machine's own settings are.
async fn run(gce: &Emulator, script: &str, arguments: &[&str]) {
    let metadata = gce.metadata_url().unwrap();
    let metadata = metadata.trim_start_matches("http://");
    let environment = [
        // Credentials of the machine's user are looked for there.
        ("HOME", "/nonexistent"),
        ("GCE_URL", &gce.url()),
        ("GCE_METADATA_HOST", metadata),
        // Whether this is an instance, google-auth asks another address.
        ("GCE_METADATA_IP", metadata),
    ];
    clients::run(script, arguments, &environment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_of_the_discovery_document_calls_every_method() {
    let gce = emulator().await;
    run(&gce, "api_client.py", &[]).await;
    run(&gce, "discovery.py", &[&gce.url(), "--complete"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_client_builds_and_reads_scenes() {
    let gce = emulator().await;
    run(&gce, "cloud_client.py", &[]).await;
    run(&gce, "discovery.py", &[&gce.url()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gcloud_command_builds_and_reads_a_scene() {
    if Command::new("gcloud")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        // Past the test's capture, so that somebody reads it.
        let note = "skipped: the_gcloud_command_builds_and_reads_a_scene: there is no gcloud. Remedy: install the Google Cloud CLI\n";
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return;
    }
    let gce = emulator().await;
    run(&gce, "gcloud_command.py", &[]).await;
    run(&gce, "discovery.py", &[&gce.url()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_finds_project_and_token_on_an_instance() {
    let gce = emulator().await;
    run(&gce, "metadata_client.py", &[]).await;
    run(&gce, "discovery.py", &[&gce.url()]).await;
}
