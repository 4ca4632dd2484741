//! What the conditions say of given figures.

use std::{collections::BTreeMap, time::Duration};

use signpost_core::{
    PoolConfig,
    cloud::TableId,
    summary::{PoolUse, QuotaLevel, QuotaUse, TableUse},
};

use super::*;

fn config() -> Config {
    Config {
        generation: 2,
        pools: vec![PoolConfig {
            name: "main".into(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            node_prefix_length: 24,
            node_selector: BTreeMap::new(),
            state: PoolState::Active,
        }],
        reserved: Vec::new(),
        check_period: Duration::from_secs(30),
        max_deletion_percent: 30,
        teardown: false,
    }
}

fn healthy() -> Summary {
    Summary {
        generation: 2,
        pools: vec![PoolUse {
            name: "main".into(),
            total: 256,
            allocated: 3,
            quarantined: 0,
            blocked: 0,
            reserved: 0,
            free: 253,
            problem: None,
        }],
        tables: vec![TableUse {
            table: TableId("t".into()),
            desired: 3,
            programmed: 3,
            missing: 0,
            stale: 0,
            foreign: 0,
            v4: None,
            v6: None,
        }],
        nodes_total: 3,
        nodes_routed: 3,
        recovered: true,
        ..Summary::default()
    }
}

/// With routes, and none that were left.
const ROUTES: Judging<'static> = Judging {
    routes: true,
    left: None,
};

fn said(summary: &Summary, config: &Config) -> Vec<(Option<bool>, &'static str)> {
    judge(summary, config, ROUTES)
        .into_iter()
        .map(|judged| (judged.status, judged.reason))
        .collect()
}

#[test]
fn all_is_well() {
    let expected = [
        (Some(true), "AllNodesRouted"),
        (Some(true), "BlocksFree"),
        (Some(true), "Synced"),
        (Some(true), "QuotaAmple"),
        (Some(true), "Listed"),
    ];
    assert_eq!(said(&healthy(), &config()), expected);
}

#[test]
fn each_fault_shows_in_its_condition_and_in_ready() {
    type Fault = fn(&mut Summary);
    let faults: [(usize, &str, Fault); 8] = [
        (1, "PoolExhausted", |summary| summary.pools[0].free = 0),
        (1, "PoolNeedsAttention", |summary| {
            summary.pools[0].problem = Some("10.0.0.0/16 is the VPC's own".to_owned());
        }),
        (1, "PoolRemoved", |summary| {
            let mut old = summary.pools[0].clone();
            old.name = "old".into();
            old.problem = Some("nodes a and b have blocks of it".to_owned());
            summary.pools.push(old);
        }),
        (2, "CloudDenied", |summary| {
            summary.deletion_error = Some("no ec2:DeleteRoute".to_owned());
        }),
        (2, "RoutePending", |summary| summary.tables[0].missing = 1),
        (2, "DeletionsHeld", |summary| summary.deletions_held = 9),
        (3, "QuotaExceeded", |summary| {
            summary.tables[0].v4 = Some(quota(50, QuotaLevel::Full));
        }),
        (4, "CloudUnavailable", |summary| {
            summary.cloud_error = Some("no".to_owned());
        }),
    ];
    for (position, reason, fault) in faults {
        let mut summary = healthy();
        fault(&mut summary);
        let said = said(&summary, &config());
        assert_eq!(said[position], (Some(false), reason));
        assert_eq!(said[0], (Some(false), reason));
    }
}

fn quota(used: u32, level: QuotaLevel) -> QuotaUse {
    let limit = Some(50);
    QuotaUse { used, limit, level }
}

#[test]
fn a_quota_that_is_nearly_used_up_is_told_before_it_is_a_fault() {
    let mut summary = healthy();
    summary.tables[0].v6 = Some(quota(41, QuotaLevel::Low));
    let judged = judge(&summary, &config(), ROUTES);
    assert_eq!(
        (judged[0].status, judged[3].status),
        (Some(true), Some(true))
    );
    assert_eq!(judged[3].reason, "QuotaLow");
    assert_eq!(
        judged[3].message,
        "t has 41 of 50 IPv6 routes: raise the quota"
    );
}

#[test]
fn a_full_pool_that_drains_is_no_fault() {
    let mut summary = healthy();
    summary.pools[0].free = 0;
    let mut config = config();
    config.pools[0].state = PoolState::Draining;
    assert_eq!(said(&summary, &config)[1].0, Some(true));
}

#[test]
fn nothing_is_claimed_before_everything_was_read() {
    let summary = Summary::default();
    let expected = [
        (Some(false), "Recovering"),
        (None, "Recovering"),
        (None, "Recovering"),
        (None, "Recovering"),
        (None, "Recovering"),
    ];
    assert_eq!(said(&summary, &config()), expected);
}

#[test]
fn transition_times_move_only_with_the_status() {
    let judged = judge(&healthy(), &config(), ROUTES);
    let mut before = write(&judged, 1, &[]);
    let old = Time(Timestamp::from_second(1_000).unwrap());
    for condition in &mut before {
        condition.last_transition_time = old.clone();
    }
    before[2].status = "False".to_owned();
    let after = write(&judged, 2, &before);
    assert_eq!(after[0].last_transition_time, old);
    assert_ne!(after[2].last_transition_time, old);
    assert_eq!(after[0].observed_generation, Some(2));
}

#[test]
fn an_invalid_object_keeps_the_figures() {
    let before = PodNetworkStatus {
        conditions: write(&judge(&healthy(), &config(), ROUTES), 2, &[]),
        nodes: Some(signpost_api::NodeCounts {
            total: 3,
            routed: 3,
        }),
        ..PodNetworkStatus::default()
    };
    let status = invalid("Invalid", "spec.pools[0].cidr: wrong", 5, &before);
    assert_eq!(status.conditions.len(), 5);
    assert_eq!(status.conditions[0].reason, "Invalid");
    assert_eq!(status.observed_generation, Some(5));
    assert_eq!(status.nodes, before.nodes);
}

#[test]
fn routes_that_nobody_looks_after_are_named_whatever_the_provider() {
    for routes in [true, false] {
        let judging = Judging {
            routes,
            left: Some("3 in main"),
        };
        let judged = judge(&healthy(), &config(), judging);
        assert_eq!(judged[2].status, Some(false));
        assert_eq!(judged[2].reason, "TableForgotten");
        assert_eq!(judged[0].message, "3 in main");
    }
}
