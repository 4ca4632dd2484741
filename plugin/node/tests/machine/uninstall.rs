//! The node as it was before the agent.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use signpost_node::plan::Plan;

use crate::whole::{machine, settings};
use crate::{World, run};

/// A node that forwards nothing but from one interface, and drops what is forwarded.
fn world() -> World {
    let world = World::new();
    run(&world.node, "ip link set lo up");
    run(&world.node, "ip route add default via 192.0.2.9");
    run(&world.node, "ip route add default via 2001:db8::9");
    run(
        &world.node,
        "busybox sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 \
         net.ipv4.conf.all.accept_redirects=0 net.ipv4.conf.pod0.forwarding=1 \
         net.ipv6.conf.uplink.accept_ra=1 net.ipv6.conf.pod0.accept_ra=0",
    );
    for program in ["iptables-nft", "ip6tables-nft", "iptables-legacy"] {
        run(&world.node, &format!("{program} -P FORWARD DROP"));
        run(&world.node, &format!("{program} -A FORWARD -p 47 -j DROP"));
    }
    world
}

/// All of the node that an agent may change, by name.
fn state(world: &World, folder: &Path) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for command in ["nft --stateless list ruleset", "iptables-legacy -S"] {
        state.insert(command.to_owned(), run(&world.node, command));
    }
    let settings = ["ipv4/ip_forward", "ipv4/conf", "ipv6/conf"];
    for name in settings.map(|name| format!("/proc/sys/net/{name}")) {
        let read = || add_files(&mut state, Path::new(&name));
        world.node.run(read).unwrap();
    }
    add_files(&mut state, folder);
    state
}

fn add_files(state: &mut BTreeMap<String, String>, path: &Path) {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        entries.for_each(|entry| add_files(state, &entry.unwrap().path()));
    } else if let Ok(text) = fs::read_to_string(path) {
        state.insert(path.display().to_string(), text);
    }
}

/// What the program says, and what is wrong.
fn uninstall(world: &World, folder: &Path, flags: &[&str]) -> (String, Result<(), String>) {
    let path = |name: &str| folder.join(name).into_os_string();
    let mut program = Command::new(env!("CARGO_BIN_EXE_signpost-node"));
    program
        .arg("uninstall")
        .args(["--cni-bin-dir".into(), path("bin")])
        .args(["--cni-conf-dir".into(), path("conf")])
        .args(["--run-dir".into(), path("run")])
        .args(flags);
    let output = world.node.run(move || program.output()).unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (said, error) = (text(output.stdout), text(output.stderr));
    match output.status.code() {
        Some(0) => {
            assert_eq!(error, "");
            (said, Ok(()))
        }
        code => {
            assert_eq!(code, Some(1), "{error}");
            (said, Err(error))
        }
    }
}

/// Sets the node up, with all that plugin and agent leave in the course of time.
fn set_up(world: &World, folder: &Path) {
    let mut machine = machine(folder);
    let plan = Plan::Apply(settings());
    world
        .node
        .run(|| machine.carry_out(&plan))
        .unwrap()
        .unwrap();
    assert_eq!(world.pings(), (true, true));
    for name in [
        "conf/10-signpost.conflist",
        "conf/.00-signpost.conflist.aB3.tmp",
        "run/signpost/last-ipv4",
        "run/signpost/last-ipv6",
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
}

#[test]
fn uninstall_leaves_the_node_as_it_was() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("conf")).unwrap();
    fs::write(folder.join("conf/10-flannel.conflist"), "{}").unwrap();
    let before = state(&world, folder);
    set_up(&world, folder);
    let set_up = state(&world, folder);

    let (planned, outcome) = uninstall(&world, folder, &["--dry-run"]);
    assert_eq!(outcome, Ok(()));
    assert_eq!(state(&world, folder), set_up, "a dry run changes nothing");

    let (said, outcome) = uninstall(&world, folder, &[]);
    assert_eq!(outcome, Ok(()), "{said}");
    let mut after = state(&world, folder);
    // Both came with the test's agent.
    for mine in ["plugin", "bin/portmap"] {
        after
            .remove(&folder.join(mine).display().to_string())
            .unwrap();
    }
    assert_eq!(after, before, "{said}");
    assert!(!folder.join("run").exists());
    assert_eq!(
        planned.replace("would ", ""),
        said,
        "what was planned is done"
    );
    for line in [
        "set net.ipv4.ip_forward from 1 to 0",
        "set net.ipv6.conf.uplink.accept_ra from 2 to 1",
        "remove the nftables table inet signpost",
        "bin/portmap, not Signpost's",
        "conf/10-flannel.conflist, another network's",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }

    let (said, outcome) = uninstall(&world, folder, &[]);
    assert_eq!(outcome, Ok(()));
    assert!(said.contains("there is nothing of Signpost's"), "{said}");
    let mut again = state(&world, folder);
    again.retain(|name, _| !name.ends_with("/plugin") && !name.ends_with("/portmap"));
    assert_eq!(again, before);
}

#[test]
fn uninstall_keeps_settings_that_somebody_else_has_changed_and_those_it_knows_nothing_of() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    run(
        &world.node,
        "busybox sysctl -qw net.ipv6.conf.all.forwarding=1",
    );
    set_up(&world, folder);
    run(
        &world.node,
        "busybox sysctl -qw net.ipv4.conf.all.accept_redirects=1",
    );
    let (said, outcome) = uninstall(&world, folder, &[]);
    assert_eq!(outcome, Ok(()), "{said}");
    let values = run(
        &world.node,
        "busybox sysctl -n net.ipv4.ip_forward net.ipv6.conf.all.forwarding",
    );
    assert_eq!(values, "0\n1\n");
    for line in [
        "stays: net.ipv6.conf.all.forwarding: it is 1",
        "stays: net.ipv4.conf.all.accept_redirects: it was 0",
    ] {
        assert!(said.contains(line), "{line} is not in\n{said}");
    }
}

#[test]
fn uninstall_refuses_while_pods_live_or_an_agent_runs() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    set_up(&world, folder);
    run(
        &world.node,
        "ip link add sgnaaaaaaaaaaaa type veth peer name far",
    );
    run(
        &world.node,
        "ip link property add dev sgnaaaaaaaaaaaa altname 10.244.1.7",
    );
    let agent = world
        .node
        .run(|| TcpListener::bind("127.0.0.1:9451"))
        .unwrap();
    let before = state(&world, folder);
    for flags in [&[][..], &["--dry-run"]] {
        let (said, outcome) = uninstall(&world, folder, flags);
        let error = outcome.unwrap_err();
        for word in [
            "sgnaaaaaaaaaaaa (10.244.1.7)",
            "kubectl drain",
            "127.0.0.1:9451",
            "--force",
        ] {
            assert!(error.contains(word), "{word} is not in {error}");
        }
        assert_eq!((said.as_str(), state(&world, folder)), ("", before.clone()));
    }
    let (_, outcome) = uninstall(&world, folder, &["--force"]);
    assert!(outcome.is_err(), "an agent would set up all again");
    drop(agent);

    let (said, outcome) = uninstall(&world, folder, &["--force"]);
    assert_eq!(outcome, Ok(()), "{said}");
    run(&world.node, "ip link show sgnaaaaaaaaaaaa");
    assert!(
        said.contains("stays: the interface of a pod, sgnaaaaaaaaaaaa"),
        "{said}"
    );
    assert!(
        folder.join("bin/signpost-cni").exists(),
        "the runtime needs it yet"
    );
    assert!(!folder.join("conf/00-signpost.conflist").exists());
    assert!(!run(&world.node, "nft list tables").contains("signpost"));
    run(&world.node, "ip link delete sgnaaaaaaaaaaaa");
    let (said, outcome) = uninstall(&world, folder, &[]);
    assert_eq!(outcome, Ok(()), "{said}");
    assert!(!folder.join("bin/signpost-cni").exists());
}

#[test]
fn uninstall_goes_on_after_what_fails_and_names_it() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    set_up(&world, folder);
    // Neither a folder nor nonsense is what an agent writes.
    fs::remove_file(folder.join("run/ready")).unwrap();
    fs::create_dir(folder.join("run/ready")).unwrap();
    fs::write(folder.join("run/former-settings.json"), "{").unwrap();
    let (said, outcome) = uninstall(&world, folder, &[]);
    let error = outcome.unwrap_err();
    for words in [
        "run/ready cannot be removed: check that",
        "former-settings.json does not say what the kernel's settings were: remove it",
    ] {
        assert!(error.contains(words), "{words} is not in {error}");
    }
    assert!(
        !run(&world.node, "nft list tables").contains("signpost"),
        "{said}"
    );
    assert!(!folder.join("bin/signpost-cni").exists());
    // As the remedies say.
    fs::remove_dir(folder.join("run/ready")).unwrap();
    fs::remove_file(folder.join("run/former-settings.json")).unwrap();
    let (said, outcome) = uninstall(&world, folder, &[]);
    assert_eq!(outcome, Ok(()), "{said}");
    assert!(
        said.contains("stays: net.ipv4.ip_forward: it is 1"),
        "{said}"
    );
}
