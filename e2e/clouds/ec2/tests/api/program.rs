//! The emulator as a program of its own.

use std::process::Stdio;

use signpost_ec2::Client;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn the_program_prints_its_url_when_it_is_ready() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ec2-emulator"))
        .args([
            "--listen",
            "127.0.0.1:0",
            "--imds",
            "127.0.0.1:0",
            "--region",
            "eu-west-1",
        ])
        .args([
            "--rates",
            "--propagation",
            "2",
            "--route-quota",
            "50",
            "--speed",
            "10",
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let imds = lines.next_line().await.unwrap().unwrap();
    assert!(imds.starts_with("imds http://127.0.0.1:"), "{imds}");
    let client = Client::new(&url, "eu-west-1");
    client.call("DescribeVpcs", &[]).await.unwrap();
    let (_, _, settings) =
        crate::http::send("GET", &format!("{url}/_control/settings"), &[], "").await;
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    assert_eq!(settings["rates"], true);
    assert_eq!(settings["quotas"]["routesPerTable"], 50);
    let pid = program.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .arg(&pid)
            .status()
            .await
            .unwrap()
            .success()
    );
    assert!(program.wait().await.unwrap().success());
}

#[tokio::test]
async fn impossible_settings_end_the_program_with_a_reason() {
    let output = Command::new(env!("CARGO_BIN_EXE_ec2-emulator"))
        .args(["--propagation=-1"])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("propagation -1"), "{error}");
}
