//! Whatever fails for minutes is told, once, in the words of who refused.

use std::time::Duration;

use super::driver::*;
use crate::{
    Action,
    action::Reason,
    cloud::{CloudErrorKind, RouteChange},
    event::ApiErrorKind,
    node::NetworkCondition,
    summary::Phase,
};

fn said(driver: &Driver, reason: Reason) -> Vec<String> {
    let said = driver.log.iter().filter_map(|action| match action {
        Action::Notify(notice) if notice.reason == reason => Some(notice.message.clone()),
        _ => None,
    });
    said.collect()
}

fn deletion(action: &Action) -> bool {
    let change = match action {
        Action::WriteRoute { change, .. } => Some(change),
        _ => None,
    };
    matches!(change, Some(RouteChange::Delete { .. }))
}

#[test]
fn a_deletion_that_is_denied_is_told_and_shown() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    driver.fault =
        Box::new(|action| deletion(action).then_some(Answer::Cloud(CloudErrorKind::Denied)));
    driver.delete("a");
    driver.pass(Duration::from_secs(500));
    let told = said(&driver, Reason::CloudDenied);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("deleting the route for 10.0.0.0/24"));
    assert!(told[0].contains("as told"));
    let shown = driver.engine.summary().deletion_error;
    assert_eq!(shown.as_ref(), Some(&told[0]));
    driver.fault = Box::new(|_| None);
    driver.pass(Duration::from_secs(400));
    assert_eq!(driver.engine.summary().deletion_error, None);
}

#[test]
fn a_deletion_that_keeps_failing_is_told() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[]), node("b", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.fault =
        Box::new(|action| deletion(action).then_some(Answer::Cloud(CloudErrorKind::Transient)));
    driver.delete("a");
    driver.pass(Duration::from_secs(120));
    assert_eq!(said(&driver, Reason::CloudUnavailable).len(), 1);
}

#[test]
fn pod_cidrs_that_are_refused_for_good_are_told() {
    for kind in [
        ApiErrorKind::Conflict,
        ApiErrorKind::Invalid,
        ApiErrorKind::Transient,
        ApiErrorKind::Unknown,
    ] {
        let mut driver = Driver::leading(LIMITS, config(16), vec![]);
        driver.fault = Box::new(move |action| {
            let set = matches!(action, Action::SetPodCidrs { .. });
            set.then_some(Answer::Api(kind))
        });
        driver.add(node("a", &[]));
        driver.pass(Duration::from_secs(120));
        let told = said(&driver, Reason::WriteRefused);
        assert_eq!(told.len(), 1, "{kind:?}");
        assert!(told[0].contains("as told"), "{}", told[0]);
        assert_eq!(driver.problem("a"), Some(Reason::WriteRefused));
        driver.pass(Duration::from_secs(4 * 3_600));
        assert_eq!(said(&driver, Reason::WriteRefused).len(), 1);
        driver.fault = Box::new(|_| None);
        driver.pass(Duration::from_secs(400));
        assert_eq!(driver.phase("a"), Some(Phase::Routed), "{kind:?}");
        assert_eq!(driver.problem("a"), None);
    }
}

#[test]
fn a_condition_that_cannot_be_written_is_told() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![]);
    driver.fault = Box::new(|action| {
        let set = matches!(action, Action::SetNetworkStatus { .. });
        set.then_some(Answer::Api(ApiErrorKind::Transient))
    });
    driver.add(node("a", &[]));
    driver.pass(Duration::from_secs(120));
    let told = said(&driver, Reason::WriteRefused);
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("NetworkUnavailable") && told[0].contains("as told"));
}

#[test]
fn two_writers_of_one_condition_are_told_of_and_do_not_fight_every_few_seconds() {
    let mut driver = Driver::leading(LIMITS, config(16), vec![node("a", &[])]);
    driver.pass(Duration::from_secs(60));
    driver.log.clear();
    for _ in 0..600 {
        driver.pass(Duration::from_secs(1));
        let mut node = driver.nodes["a"].clone();
        if node.network == NetworkCondition::Available {
            node.network = NetworkCondition::Unavailable;
            driver.pass(Duration::from_secs(6));
            driver.add(node);
        }
    }
    assert_eq!(driver.notices(Reason::ConditionContested), 1);
    let statuses = driver.statuses("a").len();
    assert!((4..30).contains(&statuses), "{statuses} in ten minutes");
}
