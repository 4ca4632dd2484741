//! One look at the node, in earnest and on trial.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::world::{World, agent, in_namespace, run};

/// What a run of the program that ends by itself had to say.
struct Look {
    code: Option<i32>,
    said: String,
    log: String,
}

fn run_agent(world: &World, flags: &[&str]) -> Look {
    let mut agent = agent(&world.folder, &world.kubeconfig);
    let output = agent.args(flags).output().unwrap();
    Look {
        code: output.status.code(),
        said: String::from_utf8(output.stdout).unwrap(),
        log: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A node that forwards nothing, and of which the controller has told everything.
async fn world() -> World {
    let world = World::without_agent().await;
    for command in [
        "busybox sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0",
        "iptables-nft -P FORWARD DROP",
    ] {
        run(command);
    }
    world.publish(json!({})).await;
    world.create_node("n1", "192.0.2.1").await;
    world
}

/// All of the node that an agent may change, by name.
fn state(world: &World) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for command in ["nft --stateless list ruleset", "ip route", "ip link"] {
        state.insert(command.to_owned(), run(command));
    }
    let own = ["bin", "conf", "run"].map(|name| world.folder.join(name));
    let settings = ["ipv4/ip_forward", "ipv4/conf", "ipv6/conf"]
        .map(|name| Path::new("/proc/sys/net").join(name));
    for path in own.iter().chain(&settings) {
        add_files(&mut state, path);
    }
    state
}

fn add_files(state: &mut BTreeMap<String, String>, path: &Path) {
    if path.is_dir() {
        state.insert(path.display().to_string(), String::new());
        let entries = fs::read_dir(path).unwrap();
        entries.for_each(|entry| add_files(state, &entry.unwrap().path()));
    } else if let Ok(text) = fs::read_to_string(path) {
        state.insert(path.display().to_string(), text);
    }
}

/// Looks without changing anything.
fn look_on_trial(world: &World) -> Look {
    let before = state(world);
    let look = run_agent(world, &["--dry-run"]);
    assert_eq!(state(world), before, "{}", look.said);
    look
}

#[test]
fn once_sets_the_node_up_and_tells_by_its_code_what_is_missing() {
    in_namespace(async || {
        let mut world = world().await;
        let look = run_agent(&world, &["--once"]);
        assert_eq!(look.code, Some(3), "{}", look.log);
        let reason = "Not as planned: waiting for pod CIDRs";
        assert!(look.log.contains(reason), "{}", look.log);
        assert!(world.folder.join("bin/signpost-cni").exists());
        assert_eq!(world.conflist(), None);

        world.set_pod_cidrs("n1").await;
        world.set_unavailable("n1", "False").await;
        fs::remove_file(world.folder.join("bin/signpost-cni")).unwrap();
        let plugin = world.folder.join("plugin");
        fs::rename(&plugin, world.folder.join("elsewhere")).unwrap();
        let look = run_agent(&world, &["--once"]);
        assert_eq!(look.code, Some(1), "{}", look.log);
        let reason = format!(
            "Not as planned: the plugin {} cannot be read",
            plugin.display()
        );
        assert!(look.log.contains(&reason), "{}", look.log);
        assert_eq!(world.conflist(), None);
        fs::rename(world.folder.join("elsewhere"), plugin).unwrap();

        // An agent that runs is not in its way.
        world.start_again();
        world.logs("the node is set up").await;
        for _ in 0..2 {
            let look = run_agent(&world, &["--once"]);
            assert_eq!(
                (look.code, look.said.as_str()),
                (Some(0), ""),
                "{}",
                look.log
            );
        }
        assert!(world.conflist().is_some() && world.ready_file().exists());
        assert!(world.terminate());

        let nobody = world.folder.join("nobody.kubeconfig");
        let there = fs::read_to_string(&world.kubeconfig).unwrap();
        let url = world.control_plane.url();
        fs::write(&nobody, there.replace(&url, "https://127.0.0.1:1")).unwrap();
        world.kubeconfig = nobody;
        let look = run_agent(&world, &["--once", "--once-timeout", "1"]);
        assert_eq!(look.code, Some(4), "{}", look.log);
        assert!(look.log.contains("within 1 s") && look.log.contains("--once-timeout"));
    });
}

#[test]
fn a_dry_run_says_what_the_agent_would_do_and_changes_nothing() {
    in_namespace(async || {
        let world = world().await;
        let look = look_on_trial(&world);
        assert_eq!(look.code, Some(3), "{}", look.log);
        assert!(
            look.said.contains("would install the plugin"),
            "{}",
            look.said
        );

        world.set_pod_cidrs("n1").await;
        world.set_unavailable("n1", "False").await;
        run("ip link add cni0 type bridge");
        run("ip address add 10.244.1.1/24 dev cni0");
        let look = look_on_trial(&world);
        let leftover = "interface cni0 has 10.244.1.1/24 within this node's pod CIDRs";
        assert!(look.log.contains(leftover), "{}", look.log);
        assert_eq!(look.code, Some(0), "{}", look.log);
        for line in [
            "would install the plugin",
            "would set net.ipv4.ip_forward from 0 to 1\n",
            "would write the nftables table inet signpost with its chains prerouting and postrouting\n",
            "would in the nftables chain ip filter FORWARD, add rules that accept packets (from \
             10.244.0.0/16, to 10.244.0.0/16, translated destinations)\n",
            "conf/00-signpost.conflist\n+{\n",
            "+        \"10.244.1.0/24\"\n",
        ] {
            assert!(look.said.contains(line), "{line} is not in\n{}", look.said);
        }

        // The kernel turns that on with the whole.
        assert!(!look.said.contains("conf.uplink"), "{}", look.said);

        // A former version's file, and a half-written one.
        let conf = world.folder.join("conf");
        fs::create_dir(&conf).unwrap();
        for name in ["10-signpost.conflist", ".00-signpost.conflist.aB3.tmp"] {
            fs::write(conf.join(name), "{}\n").unwrap();
        }
        let look = look_on_trial(&world);
        assert!(look.said.contains("would rename ") && look.said.contains("\n-{}\n"));

        assert_eq!(run_agent(&world, &["--once"]).code, Some(0));
        let look = look_on_trial(&world);
        assert_eq!(look.said, "nothing would be changed\n");
        assert_eq!(look.code, Some(0), "{}", look.log);
        world.publish(json!({"mtu": 1400})).await;
        let look = look_on_trial(&world);
        let change = "-      \"mtu\": 1460,\n+      \"mtu\": 1400,\n";
        assert!(look.said.contains(change), "{}", look.said);
        assert_eq!(look.said.matches("would ").count(), 1, "{}", look.said);
    });
}
