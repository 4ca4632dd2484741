//! Programs of Kubernetes come from its release site if they have the checksum published there, and are built in
//! every other case. The site is a server on loopback and Go a script: nothing is fetched or built in truth.

#![expect(clippy::unwrap_used, reason = "a test fails where its set-up fails")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use sha2::{Digest, Sha256};
use signpost_testing::repository;

const PROGRAM: &str = "kube-proxy";
const FETCHED: &str = "as it was released";
const BUILT: &str = "as it was built";

/// Says that it is newer than any Go that could be wanted, and "builds" a file: `go build … -o FILE PACKAGE`.
const GO: &str = r#"#!/bin/sh
if [ "$1" = env ]; then echo go999.0; exit; fi
while [ "$1" != -o ]; do shift; done
printf 'as it was built' >"$2"
chmod +x "$2"
"#;

/// How a release site behaves.
#[derive(Clone, Copy)]
enum Site {
    Good,
    WrongChecksum,
    /// Ends the connection in the middle of the program.
    BreaksOff,
    /// Accepts connections and says nothing.
    Silent,
}

/// A release site on loopback, which lasts as long as the test's process.
struct Releases {
    address: String,
    /// The paths it was asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Releases {
    fn start(site: Site) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let log = Arc::clone(&log);
                thread::spawn(move || answer(stream.unwrap(), site, &log));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        let mut paths = self.asked.lock().unwrap().clone();
        paths.sort_unstable();
        paths.dedup();
        paths
    }
}

fn answer(mut stream: TcpStream, site: Site, log: &Mutex<Vec<String>>) {
    let request: Vec<String> = BufReader::new(&stream)
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .collect();
    let path = request[0].split(' ').nth(1).unwrap().to_owned();
    log.lock().unwrap().push(path.clone());
    let body = match site {
        // Until the client has gone.
        Site::Silent => return drop(stream.read(&mut [0])),
        Site::WrongChecksum if path.ends_with(".sha256") => {
            format!("{:x}", Sha256::digest("other"))
        }
        _ if path.ends_with(".sha256") => format!("{:x}", Sha256::digest(FETCHED)),
        _ => FETCHED.to_owned(),
    };
    let sent = match site {
        Site::BreaksOff if body == FETCHED => &body[..4],
        _ => &body,
    };
    let length = body.len();
    // A client that has gone is no failure.
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{sent}"
    );
}

/// What `build.sh` made of [`PROGRAM`], and what it said on the way.
struct Outcome {
    program: String,
    stderr: String,
}

/// More than a busy machine needs for an answer on loopback.
const PATIENT: (&str, &str) = ("SIGNPOST_PATIENCE", "60");

/// Asks `build.sh` for the program, with an empty cache in `dir` unless it has been asked before.
fn get(dir: &Path, releases: &str, settings: &[(&str, &str)]) -> Outcome {
    let go = dir.join("go");
    fs::write(&go, GO).unwrap();
    fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let output = Command::new(repository().unwrap().join("e2e/binaries/build.sh"))
        .arg(PROGRAM)
        .env("PATH", path)
        .env("SIGNPOST_CACHE", dir)
        .env("SIGNPOST_RELEASES", releases)
        .env("no_proxy", "127.0.0.1")
        .env_remove("SIGNPOST_BUILD")
        .env_remove("SIGNPOST_PATIENCE")
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");

    // Standard output is the folder and nothing else, and in it is nothing but the program and the lock.
    let stdout = String::from_utf8(output.stdout).unwrap();
    let folder = Path::new(stdout.trim_end());
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort_unstable();
    assert_eq!(names, [".lock", PROGRAM]);
    let program = folder.join(PROGRAM);
    let mode = program.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
    Outcome {
        program: fs::read_to_string(program).unwrap(),
        stderr,
    }
}

#[test]
fn a_program_with_the_right_checksum_is_taken_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let releases = Releases::start(Site::Good);
    assert_eq!(
        get(dir.path(), &releases.address, &[PATIENT]).program,
        FETCHED
    );

    let go_mod = fs::read_to_string(repository().unwrap().join("e2e/binaries/go.mod")).unwrap();
    let version = go_mod
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .unwrap();
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let path = format!("/release/{version}/bin/linux/{arch}/{PROGRAM}");
    assert_eq!(releases.asked(), [path.clone(), path + ".sha256"]);

    let silent = Releases::start(Site::Silent);
    let again = get(dir.path(), &silent.address, &[]);
    assert_eq!(
        (again.program.as_str(), again.stderr.as_str()),
        (FETCHED, "")
    );
    assert!(silent.asked().is_empty());
}

#[test]
fn a_program_with_another_checksum_is_refused_and_built() {
    let dir = tempfile::tempdir().unwrap();
    let releases = Releases::start(Site::WrongChecksum);
    let outcome = get(dir.path(), &releases.address, &[PATIENT]);
    assert_eq!(outcome.program, BUILT);
    let refusal = "kube-proxy does not have the checksum that is published beside it";
    assert!(outcome.stderr.contains(refusal), "{}", outcome.stderr);
}

#[test]
fn a_program_that_arrives_in_part_is_built() {
    let dir = tempfile::tempdir().unwrap();
    let releases = Releases::start(Site::BreaksOff);
    let outcome = get(dir.path(), &releases.address, &[PATIENT]);
    assert_eq!(outcome.program, BUILT);
    assert!(
        outcome.stderr.contains("could be fetched"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_site_that_does_not_answer_is_not_waited_for() {
    let silent = Releases::start(Site::Silent);
    // Nobody listens on a port that was given back.
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr();
    for address in [silent.address, format!("http://{}", closed.unwrap())] {
        let dir = tempfile::tempdir().unwrap();
        let outcome = get(dir.path(), &address, &[]);
        assert_eq!(outcome.program, BUILT);
        let reason = "does not answer within 3 s";
        assert!(outcome.stderr.contains(reason), "{}", outcome.stderr);
    }
}

#[test]
fn no_site_is_asked_by_who_wants_to_build() {
    let dir = tempfile::tempdir().unwrap();
    let releases = Releases::start(Site::Good);
    let outcome = get(dir.path(), &releases.address, &[("SIGNPOST_BUILD", "1")]);
    assert_eq!(outcome.program, BUILT);
    assert!(releases.asked().is_empty());
}
