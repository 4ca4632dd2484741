//! Clients that know nothing of this emulator use it, and Google's discovery document judges what
//! passed.

#![expect(clippy::unwrap_used, reason = "helpers of tests panic as tests do")]

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Output;

use signpost_gce::{Emulator, Options, Settings};
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
    let output = Command::new(python().await)
        .arg("-B")
        .arg(clients().join(script))
        .args(arguments)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
        // Credentials of the machine's user are looked for there.
        .env("HOME", "/nonexistent")
        .env("GCE_URL", gce.url())
        .env("GCE_METADATA_HOST", metadata)
        // Whether this is an instance, google-auth asks another address.
        .env("GCE_METADATA_IP", metadata)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{script}\n{}", told(&output));
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
