//! Rules of nftables beside those of iptables and of others.

use signpost_netlink::Netns;
use signpost_netlink::nftables::{
    Direction, Expression, Family, Policy, RuleEntry, Socket, Verdict,
};

use crate::nftables::{commit, nft, rule};
use crate::{net, run};

#[test]
fn rules_in_the_iptables_forward_chain_are_legible_to_iptables() {
    let netns = Netns::create().unwrap();
    run(&netns, "iptables-nft -P FORWARD DROP");
    run(
        &netns,
        "iptables-nft -A FORWARD -p tcp --dport 25 -m comment --comment mail -j DROP",
    );
    let accept = |direction, network: &str| {
        let network = Expression::InNetwork(direction, net(network));
        rule(
            vec![network, Expression::Counter, Expression::Accept],
            "signpost",
        )
    };
    commit(&netns, |batch| {
        for rule in [
            accept(Direction::Source, "10.244.0.0/16"),
            accept(Direction::Destination, "10.244.0.0/16"),
            accept(Direction::Source, "10.96.0.0/12"),
            accept(Direction::Source, "10.0.0.7/32"),
            rule(
                vec![
                    Expression::DestinationTranslated,
                    Expression::Counter,
                    Expression::Accept,
                ],
                "signpost",
            ),
        ] {
            batch.add_rule(Family::Ip, "filter", "FORWARD", &rule, None);
        }
    })
    .unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    let forward = socket
        .chains()
        .unwrap()
        .into_iter()
        .find(|chain| chain.name == "FORWARD")
        .unwrap();
    assert_eq!(
        (forward.hook, forward.policy),
        (Some(2), Some(Policy::Drop))
    );
    let listed = run(&netns, "iptables-nft -S FORWARD");
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(
        lines,
        [
            "-P FORWARD DROP",
            "-A FORWARD -p tcp -m tcp --dport 25 -m comment --comment mail -j DROP",
            "-A FORWARD -s 10.244.0.0/16 -m comment --comment signpost -j ACCEPT",
            "-A FORWARD -d 10.244.0.0/16 -m comment --comment signpost -j ACCEPT",
            "-A FORWARD -s 10.96.0.0/12 -m comment --comment signpost -j ACCEPT",
            "-A FORWARD -s 10.0.0.7/32 -m comment --comment signpost -j ACCEPT",
            "-A FORWARD -m conntrack --ctstate DNAT -m comment --comment signpost -j ACCEPT",
        ]
    );
    for listing in ["iptables-nft -L FORWARD -n", "iptables-nft-save -t filter"] {
        assert!(run(&netns, listing).contains("DNAT"), "{listing}");
    }
    let rules = socket.rules(Family::Ip, "filter", "FORWARD").unwrap();
    let comments: Vec<_> = rules.iter().map(|rule| rule.comment.as_str()).collect();
    assert_eq!(
        comments,
        [
            "mail", "signpost", "signpost", "signpost", "signpost", "signpost"
        ]
    );

    commit(&netns, |batch| {
        for rule in rules.iter().filter(|rule| rule.comment == "signpost") {
            batch.delete_rule(Family::Ip, "filter", "FORWARD", rule.handle);
        }
    })
    .unwrap();
    assert_eq!(run(&netns, "iptables-nft -S FORWARD").lines().count(), 2);
}

#[test]
fn rules_of_others_tell_what_they_do_with_every_packet() {
    let netns = Netns::create().unwrap();
    run(&netns, "iptables-nft -N OTHER");
    for rule in [
        "-s 10.1.0.0/16 -j ACCEPT",
        "-s 10.2.0.0/20 -j DROP",
        "-d 10.3.0.1 -j ACCEPT",
        "-p tcp -j REJECT",
        "-j LOG",
        "-j OTHER",
        "-g OTHER",
        "-j RETURN",
        "-m comment --comment noted -j DROP",
        "-j REJECT --reject-with icmp-host-prohibited",
        "-j ACCEPT",
    ] {
        run(&netns, &format!("iptables-nft -A FORWARD {rule}"));
    }
    nft(
        &netns,
        "add table inet own; add chain inet own routed; \
                 add rule inet own routed counter reject with icmpx admin-prohibited; \
                 add rule inet own routed ip6 saddr fd00::/16 accept; \
                 add rule inet own routed ip saddr != 10.4.0.0/16 drop",
    );
    let mut socket = Socket::open_in(&netns).unwrap();
    let rules = socket.rules(Family::Ip, "filter", "FORWARD").unwrap();
    let verdicts: Vec<_> = rules.iter().map(RuleEntry::verdict).collect();
    let other = "OTHER".to_owned();
    assert_eq!(
        verdicts,
        [
            None,
            None,
            None,
            None,
            None,
            Some(Verdict::Jump(other.clone())),
            Some(Verdict::Goto(other)),
            Some(Verdict::Return),
            Some(Verdict::Drop),
            Some(Verdict::Reject),
            Some(Verdict::Accept),
        ]
    );
    assert_eq!(rules[8].comment, "noted");
    let asked = |rules: &[RuleEntry], text: &str| -> Vec<usize> {
        let asks = |(_, rule): &(usize, &RuleEntry)| rule.asks_for(&net(text));
        rules
            .iter()
            .enumerate()
            .filter(asks)
            .map(|(index, _)| index)
            .collect()
    };
    assert_eq!(asked(&rules, "10.1.0.0/16"), [0]);
    assert_eq!(asked(&rules, "10.2.0.0/20"), [1]);
    assert_eq!(asked(&rules, "10.3.0.1/32"), [2]);
    for other in ["10.1.0.0/17", "10.2.0.0/16", "10.3.0.0/24", "fd00::/16"] {
        assert!(asked(&rules, other).is_empty(), "{other}");
    }
    let rules = socket.rules_of_table(Family::Inet, "own").unwrap();
    let verdicts: Vec<_> = rules.iter().map(RuleEntry::verdict).collect();
    assert_eq!(verdicts, [Some(Verdict::Reject), None, None]);
    assert_eq!(asked(&rules, "fd00::/16"), [1]);
    assert!(
        asked(&rules, "10.4.0.0/16").is_empty(),
        "that is the opposite"
    );
}
