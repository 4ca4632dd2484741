//! The emulator as a program of its own.

use std::process::Stdio;

use signpost_gce::Client;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn the_program_prints_its_url_when_it_is_ready() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gce-emulator"))
        .args(["--listen", "127.0.0.1:0", "--metadata", "127.0.0.1:0"])
        .args([
            "--project",
            "one",
            "--project",
            "two",
            "--shared",
            "two=one",
        ])
        .args(["--operations", "2", "30", "--rates", "--speed", "10"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let url = lines.next_line().await.unwrap().unwrap();
    let metadata = lines.next_line().await.unwrap().unwrap();
    assert!(
        metadata.starts_with("metadata http://127.0.0.1:"),
        "{metadata}"
    );
    let client = Client::new(&url);
    let host = client.get("projects/two/getXpnHost").await.unwrap();
    assert_eq!(host["name"], "one");
    let path = format!("{url}/_control/settings");
    let (_, _, settings) = crate::http::send("GET", &path, &[], "").await;
    let settings: serde_json::Value = serde_json::from_str(&settings).unwrap();
    assert_eq!(settings["operations"], serde_json::json!([2.0, 30.0]));
    let pid = program.id().unwrap().to_string();
    let ended = Command::new("kill").arg(&pid).status().await.unwrap();
    assert!(ended.success());
    assert!(program.wait().await.unwrap().success());
}

#[tokio::test]
async fn impossible_settings_end_the_program_with_a_reason() {
    let output = Command::new(env!("CARGO_BIN_EXE_gce-emulator"))
        .args(["--propagation=-1"])
        .output()
        .await
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("propagation -1"), "{error}");
}
