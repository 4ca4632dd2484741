//! The unit for systemd: what the `DaemonSet` may, and no more. Needs systemd-analyze.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use clap::Parser as _;
use serde_yaml::Value;
use signpost_node::options::Arguments;

const UNIT: &str = include_str!("../signpost-node.service");
const DAEMON_SET: &str = include_str!("../../../manifests/programs/node.yaml");
/// What `systemd-analyze security` may find to be open, in tenths: 100 is all.
const EXPOSURE: &str = "25";

/// All words that the unit gives a key.
fn words(key: &str) -> BTreeSet<String> {
    let lines = UNIT.lines().filter_map(|line| line.split_once('='));
    let values = lines.filter(|(name, _)| *name == key);
    let words = values.flat_map(|(_, value)| value.split_whitespace());
    words.map(str::to_owned).collect()
}

fn set(words: impl IntoIterator<Item = impl Into<String>>) -> BTreeSet<String> {
    words.into_iter().map(Into::into).collect()
}

#[test]
fn service_may_do_what_the_daemon_set_may() {
    let daemon_set: Value = serde_yaml::from_str(DAEMON_SET).unwrap();
    let pod = &daemon_set["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let rights = &container["securityContext"];

    let added = rights["capabilities"]["add"].as_sequence().unwrap();
    let added = added
        .iter()
        .map(|it| format!("CAP_{}", it.as_str().unwrap()));
    assert_eq!(words("CapabilityBoundingSet"), set(added));
    assert_eq!(words("AmbientCapabilities"), set([""; 0]));
    for (restricted, key, value) in [
        (
            rights["allowPrivilegeEscalation"] == false,
            "NoNewPrivileges",
            "yes",
        ),
        (
            rights["readOnlyRootFilesystem"] == true,
            "ProtectSystem",
            "strict",
        ),
        (
            pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault",
            "SystemCallFilter",
            "@system-service",
        ),
    ] {
        assert!(restricted && words(key) == set([value]), "{key}");
    }
    let memory = container["resources"]["limits"]["memory"].as_str().unwrap();
    let memory = memory.trim_end_matches('i');
    assert_eq!(words("MemoryMax"), set([memory]));

    let volumes = pod["volumes"].as_sequence().unwrap();
    let paths = volumes
        .iter()
        .map(|it| it["hostPath"]["path"].as_str().unwrap())
        // Kubelet makes it where it is not there; systemd opens what is there.
        .map(|path| if path == "/opt/cni" { "/opt" } else { path });
    let mut writable = words("ReadWritePaths");
    for (key, folder) in [
        ("RuntimeDirectory", "/run"),
        ("ConfigurationDirectory", "/etc"),
    ] {
        let names = words(key).into_iter();
        writable.extend(names.map(|name| format!("{folder}/{name}")));
    }
    assert_eq!(writable, set(paths));
    // Pods do not start any more once it is gone.
    assert_eq!(words("RuntimeDirectoryPreserve"), set(["yes"]));
}

#[test]
fn service_calls_the_agent_with_flags_that_it_has() {
    let line = UNIT
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let call = line.unwrap().split_whitespace();
    let node = UNIT
        .contains("\nEnvironment=NODE_NAME=")
        .then_some("--node-name=n1");
    let arguments = Arguments::try_parse_from(call.chain(node)).unwrap();
    assert!(arguments.command.is_none() && !arguments.options.once);
}

#[test]
fn service_is_what_systemd_understands_and_exposes_little() {
    let folder = tempfile::tempdir().unwrap();
    let unit = folder.path().join("signpost-node.service");
    // It must be there.
    let program = env!("CARGO_BIN_EXE_signpost-node");
    fs::write(&unit, UNIT.replace("/usr/local/bin/signpost-node", program)).unwrap();
    let threshold = format!("--threshold={EXPOSURE}");
    for flags in [&["verify"][..], &["security", "--offline=true", &threshold]] {
        let (succeeded, said) = systemd_analyze(flags, &unit);
        assert!(succeeded, "systemd-analyze {flags:?}: {said}");
        // Of keys and values that it does not know it only warns.
        let warning = format!("{}:", unit.display());
        assert!(!said.contains(&warning), "{said}");
    }
}

fn systemd_analyze(flags: &[&str], unit: &Path) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    let called = command.args(flags).arg("--no-pager").arg(unit).output();
    let Ok(output) = called else {
        panic!("systemd-analyze is not there: `e2e/setup.sh lint` installs Debian's systemd");
    };
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
