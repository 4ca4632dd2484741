//! Clients that know nothing of an emulator, run by scripts: part of the tests of each.

use std::path::{Path, PathBuf};
use std::process::Output;

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

/// Runs a script that knows only its environment and where programs are.
pub(crate) async fn run(script: &str, arguments: &[&str], environment: &[(&str, &str)]) {
    let output = Command::new(python().await)
        .arg("-B")
        .arg(clients().join(script))
        .args(arguments)
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| name == "PATH"))
        .envs(environment.iter().copied())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{script}\n{}", told(&output));
}
