//! Services in mode `bridge`, where the node may see bridged packets a second time or not at all.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use crate::bridge::node;
use crate::node::{Pod, addresses, run};

const PATIENCE: Duration = Duration::from_secs(10);

/// Says its pod's name to everybody who connects, as long as the test lives.
fn serve(pod: &Pod) {
    let listen = || TcpListener::bind("[::]:80");
    let listener = pod.netns.run(listen).unwrap().unwrap();
    let name = pod.id.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(name.as_bytes()).unwrap();
        }
    });
}

/// What a server says to the pod.
fn hears(pod: &Pod, address: &str) -> std::io::Result<String> {
    let address = SocketAddr::new(address.parse().unwrap(), 80);
    let connect = || TcpStream::connect_timeout(&address, PATIENCE);
    let mut stream = pod.netns.run(connect).unwrap()?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut said = String::new();
    stream.read_to_string(&mut said)?;
    Ok(said)
}

/// Packets to a Service are translated on the node, and the answer too, though both pods are on the bridge:
/// whether or not netfilter sees what the bridge forwards, for others and for the pod behind it itself.
#[test]
fn a_service_on_the_same_node_answers_with_and_without_br_netfilter() {
    for shown in [0, 1] {
        let node = node();
        let (one, two) = (Pod::new("client"), Pod::new("server"));
        node.add(&one);
        let server = addresses(&node.add(&two));
        serve(&two);
        for setting in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
            run(
                &node.netns,
                &format!("busybox sysctl -qw net.bridge.{setting}={shown}"),
            );
        }
        for (family, service, pod) in [
            ("ip", "10.96.0.10", server[0].clone()),
            ("ip6", "fd96::10", format!("[{}]", server[1])),
        ] {
            let plain = pod.trim_matches(['[', ']']);
            let rules = format!(
                "add table {family} services
                 add chain {family} services to {{ type nat hook prerouting priority -100; }}
                 add chain {family} services from {{ type nat hook postrouting priority 100; }}
                 add rule {family} services to {family} daddr {service} tcp dport 80 dnat to {pod}:80
                 add rule {family} services from {family} saddr {plain} {family} daddr {plain} masquerade"
            );
            for rule in rules.lines() {
                run(&node.netns, &format!("nft {rule}"));
            }
            for client in [&one, &two] {
                let heard = hears(client, service);
                let client = &client.id;
                assert!(
                    heard.as_ref().is_ok_and(|said| said == "server"),
                    "{client} at {service} with br_netfilter {shown}: {heard:?}"
                );
            }
        }
    }
}

#[test]
fn a_name_server_on_the_same_node_answers_with_and_without_br_netfilter() {
    for shown in [0, 1] {
        let node = node();
        let (one, two) = (Pod::new("client"), Pod::new("server"));
        node.add(&one);
        let server = addresses(&node.add(&two));
        let bind = || UdpSocket::bind("[::]:53");
        let socket = two.netns.run(bind).unwrap().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 64];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                socket.send_to(&bytes[..length], from).unwrap();
            }
        });
        for setting in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
            run(
                &node.netns,
                &format!("busybox sysctl -qw net.bridge.{setting}={shown}"),
            );
        }
        run(&node.netns, "iptables-nft -P FORWARD DROP");
        run(
            &node.netns,
            "iptables-nft -A FORWARD -s 10.244.0.0/16 -j ACCEPT",
        );
        run(
            &node.netns,
            "iptables-nft -A FORWARD -d 10.244.0.0/16 -j ACCEPT",
        );
        let dnat = format!(
            "iptables-nft -t nat -A PREROUTING -d 10.96.0.10 -p udp --dport 53 -j DNAT --to {}:53",
            server[0]
        );
        run(&node.netns, &dnat);
        for attempt in 0..200 {
            let ask = || {
                let socket = UdpSocket::bind("0.0.0.0:0")?;
                socket.set_read_timeout(Some(Duration::from_secs(2)))?;
                socket.connect("10.96.0.10:53")?;
                socket.send(b"who")?;
                socket.recv(&mut [0; 64])
            };
            let answered = one.netns.run(ask).unwrap();
            assert!(
                answered.is_ok(),
                "br_netfilter {shown}, {attempt}: {answered:?}"
            );
        }
    }
}
