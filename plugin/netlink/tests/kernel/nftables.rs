//! nftables.

use std::net::Ipv4Addr;
use std::process::Command;

use ipnet::IpNet;
use serde_json::json;
use signpost_netlink::nftables::{
    AddressRanges, BaseChain, Batch, Chain, ChainKind, Content, Direction, Expression, Family,
    Hook, Policy, Rule, Set, Socket, Table,
};
use signpost_netlink::{Family as AddressFamily, Netns};

use crate::{json, net, run};

pub(crate) fn rule(expressions: Vec<Expression>, comment: &str) -> Rule {
    Rule {
        expressions,
        comment: comment.into(),
    }
}

fn masquerade_table(networks: &[IpNet]) -> Table {
    let set = |name: &str, family| Set {
        name: name.into(),
        content: Content::Ranges(AddressRanges::new(family, networks)),
    };
    let source = |network: &str| Expression::InNetwork(Direction::Source, net(network));
    let exempt =
        |family, name: &str| Expression::NotInSet(Direction::Destination, family, name.into());
    Table {
        family: Family::Inet,
        name: "signpost".into(),
        comment: "revision 1".into(),
        sets: vec![
            set("exempt4", AddressFamily::V4),
            set("exempt6", AddressFamily::V6),
        ],
        chains: vec![Chain {
            name: "postrouting".into(),
            base: Some(BaseChain {
                kind: ChainKind::Nat,
                hook: Hook::Postrouting,
                priority: 100,
                policy: Policy::Accept,
            }),
            rules: vec![
                rule(
                    vec![
                        source("10.244.1.0/24"),
                        exempt(AddressFamily::V4, "exempt4"),
                        Expression::Masquerade,
                    ],
                    "pods to the world",
                ),
                rule(
                    vec![
                        source("fd00:1::/64"),
                        exempt(AddressFamily::V6, "exempt6"),
                        Expression::Masquerade,
                    ],
                    "",
                ),
            ],
        }],
    }
}

pub(crate) fn commit(netns: &Netns, fill: impl FnOnce(&mut Batch)) -> signpost_netlink::Result<()> {
    let mut batch = Batch::new();
    fill(&mut batch);
    Socket::open_in(netns)?.commit(batch)
}

/// Runs commands of `nft`, separated by semicolons, as one batch.
pub(crate) fn nft(netns: &Netns, commands: &str) {
    let mut program = Command::new("nft");
    program.arg(commands);
    let output = netns.run(move || program.output()).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{commands}: {errors}");
}

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| net(text)).collect()
}

#[test]
fn a_table_reads_in_nft_as_it_was_meant() {
    let netns = Netns::create().unwrap();
    let exempt = networks(&["10.244.0.0/16", "10.0.0.0/24", "10.0.1.0/24", "fd00::/16"]);
    commit(&netns, |batch| {
        batch.replace_table(&masquerade_table(&exempt));
    })
    .unwrap();
    let text = run(&netns, "nft -n list table inet signpost");
    for line in [
        "type nat hook postrouting priority 100; policy accept;",
        "ip saddr 10.244.1.0/24 ip daddr != @exempt4 masquerade fully-random comment \"pods to the world\"",
        "ip6 saddr fd00:1::/64 ip6 daddr != @exempt6 masquerade fully-random",
        "elements = { 10.0.0.0/23, 10.244.0.0/16 }",
        "elements = { fd00::/16 }",
        "comment \"revision 1\"",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn a_table_is_replaced_as_a_whole_and_removed() {
    let netns = Netns::create().unwrap();
    let mut table = masquerade_table(&networks(&["10.244.0.0/16"]));
    commit(&netns, |batch| batch.replace_table(&table)).unwrap();
    table.chains[0].rules.truncate(1);
    table.comment = "revision 2".into();
    commit(&netns, |batch| batch.replace_table(&table)).unwrap();
    let listed = json(&netns, "nft --json list table inet signpost");
    let rules = listed["nftables"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["rule"].is_object());
    assert_eq!(rules.count(), 1);

    commit(&netns, |batch| batch.remove_table(Family::Inet, "signpost")).unwrap();
    commit(&netns, |batch| batch.remove_table(Family::Inet, "signpost")).unwrap();
    assert_eq!(run(&netns, "nft list ruleset"), "");
}

#[test]
fn what_stands_is_read_back() {
    let netns = Netns::create().unwrap();
    let table = masquerade_table(&networks(&["10.244.0.0/16", "10.9.0.0/16", "fd00::/16"]));
    commit(&netns, |batch| batch.replace_table(&table)).unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    let tables = socket.tables().unwrap();
    assert_eq!(tables.len(), 1);
    assert_eq!(
        (tables[0].name.as_str(), tables[0].comment.as_str()),
        ("signpost", "revision 1")
    );
    let chains = socket.chains().unwrap();
    assert_eq!(chains.len(), 1);
    assert_eq!(
        (chains[0].hook, chains[0].policy),
        (Some(4), Some(Policy::Accept))
    );
    let rules = socket
        .rules(Family::Inet, "signpost", "postrouting")
        .unwrap();
    let comments: Vec<_> = rules.iter().map(|rule| rule.comment.as_str()).collect();
    assert_eq!(comments, ["pods to the world", ""]);
    assert!(
        socket
            .rules(Family::Inet, "absent", "chain")
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_table_stands_only_as_it_was_written() {
    let netns = Netns::create().unwrap();
    let table = masquerade_table(&networks(&["10.244.0.0/16", "10.9.0.0/16", "fd00::/16"]));
    let mut socket = Socket::open_in(&netns).unwrap();
    assert!(!socket.stands(&table).unwrap(), "there is none");
    for damage in [
        "add table inet signpost { flags dormant; }",
        "add chain inet signpost postrouting { policy drop; }",
        "add chain inet signpost more { type filter hook forward priority 0; policy drop; }",
        "add set inet signpost more { type ipv4_addr; }",
        "flush chain inet signpost postrouting",
        "insert rule inet signpost postrouting accept",
        "flush set inet signpost exempt6",
        "delete element inet signpost exempt4 { 10.9.0.0/16 }; \
         add element inet signpost exempt4 { 10.8.0.0/16 }",
        "delete table inet signpost",
        "delete chain inet signpost postrouting; \
         add chain inet signpost postrouting { type nat hook postrouting priority 100; }; \
         add rule inet signpost postrouting ip saddr 10.244.1.0/24 ip daddr != @exempt4 \
         masquerade comment \"pods to the world\"; \
         add rule inet signpost postrouting ip6 saddr fd00:1::/64 ip6 daddr != @exempt6 \
         masquerade fully-random",
    ] {
        commit(&netns, |batch| batch.replace_table(&table)).unwrap();
        assert!(socket.stands(&table).unwrap(), "before {damage}");
        nft(&netns, damage);
        assert!(!socket.stands(&table).unwrap(), "{damage}");
    }
    let mut other = table.clone();
    other.chains[0].base.as_mut().unwrap().priority = 99;
    commit(&netns, |batch| batch.replace_table(&other)).unwrap();
    assert!(socket.stands(&other).unwrap());
    assert!(!socket.stands(&table).unwrap(), "earlier at its hook");
}

#[test]
fn a_failing_batch_changes_nothing_and_says_why() {
    let netns = Netns::create().unwrap();
    let mut table = masquerade_table(&networks(&["10.244.0.0/16"]));
    commit(&netns, |batch| batch.replace_table(&table)).unwrap();
    let before = run(&netns, "nft list ruleset");
    table.sets.clear();
    let mut socket = Socket::open_in(&netns).unwrap();
    let mut batch = Batch::new();
    batch.replace_table(&table);
    let error = socket.commit(batch).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(run(&netns, "nft list ruleset"), before);
    // The socket is still in step with its answers.
    assert_eq!(socket.tables().unwrap().len(), 1);
}

#[test]
fn a_set_of_five_thousand_addresses_fits_one_batch() {
    let netns = Netns::create().unwrap();
    let many: Vec<IpNet> = (0..5000_u32)
        .map(|number| {
            IpNet::from(std::net::IpAddr::V4(Ipv4Addr::from_bits(
                0x0a00_0000 + 2 * number,
            )))
        })
        .collect();
    let table = masquerade_table(&many);
    commit(&netns, |batch| batch.replace_table(&table)).unwrap();
    let mut socket = Socket::open_in(&netns).unwrap();
    assert!(socket.stands(&table).unwrap());
    let listed = json(&netns, "nft --json list set inet signpost exempt4");
    let elements = listed["nftables"][1]["set"]["elem"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(json!(elements), json!(5000));
}
