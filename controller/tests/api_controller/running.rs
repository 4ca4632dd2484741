//! The program as a process.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;

use crate::support::eventually;

/// A running controller; it is killed with the value.
pub(crate) struct Running {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Running {
    pub(crate) fn start(kubeconfig: &Path) -> Self {
        Self::start_in(kubeconfig, &[])
    }

    /// With these environment variables too.
    pub(crate) fn start_in(kubeconfig: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_signpost-controller"))
            .args(["run", "--http-address=127.0.0.1:0", "--log-format=json"])
            .args(["--lease-duration=6", "--log-level=info"])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            // Nothing of the machine that the tests run on, where that is one of Google's.
            .env("GCE_METADATA_HOST", "127.0.0.1:1")
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let sink = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sink.lock().unwrap().push(line);
            }
        });
        Self { child, log }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) async fn says(&self, words: &str, seconds: u64) {
        eventually(words, seconds, async || self.log().contains(words)).await;
    }

    fn address(&self) -> Option<String> {
        let log = self.log.lock().unwrap();
        let starting = log
            .iter()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .find(|line| line["message"] == "starting")?;
        Some(starting["http"].as_str()?.to_owned())
    }

    /// Status line and body.
    pub(crate) async fn get(&self, path: &str) -> (String, String) {
        eventually("it listens", 10, async || self.address().is_some()).await;
        let mut stream = TcpStream::connect(self.address().unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap().to_owned(), body.to_owned())
    }

    /// Sends SIGTERM and waits for the end.
    pub(crate) async fn stop(mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        for _ in 0..400 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.log());
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it did not stop within 10 s\n{}", self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("log of the controller:\n{}", self.log());
        }
    }
}
