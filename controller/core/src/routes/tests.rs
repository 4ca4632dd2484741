use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use super::*;
use crate::Time;
use crate::cloud::{NextHop, ObservedRoute, Ownership};

const SETTLE: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Stamp {
    Stamp {
        at: Time(seconds * 1_000),
        seq: seconds,
    }
}

fn block() -> IpNet {
    "10.0.0.0/24".parse().expect("a network")
}

fn hop(name: &str) -> NextHop {
    NextHop::Target(name.into())
}

fn ours(name: &str) -> ObservedRoute {
    ObservedRoute {
        destination: block(),
        next_hop: Some(hop(name)),
        ownership: Ownership::Ours,
        blackhole: false,
        handle: None,
    }
}

fn one(route: &ObservedRoute) -> SmallVec<[OurRoute; 1]> {
    smallvec![route.into()]
}

fn named(name: &str, route: ObservedRoute) -> ObservedRoute {
    ObservedRoute {
        handle: Some(name.into()),
        ..route
    }
}

fn foreign() -> ObservedRoute {
    ObservedRoute {
        ownership: Ownership::Foreign,
        ..ours("somebody")
    }
}

/// One table; a route to `a` that was written at 20 s.
fn written() -> Routes {
    let mut routes = Routes::new(at(0));
    routes.set_tables([TableId("main".into())].iter());
    routes.apply(0, Vec::new(), at(10), SETTLE);
    routes.update(block(), |it| {
        it.claimed = true;
        it.want = Some(hop("a"));
        let cell = it.cell_mut(0);
        cell.ours = one(&ours("a"));
        cell.written = Some(at(20));
        cell.attempts = 1;
    });
    routes
}

fn read_back(routes: &Routes) -> bool {
    routes.get(block()).is_some_and(|it| it.read_back(0))
}

fn right(routes: &Routes) -> bool {
    routes.get(block()).is_some_and(|it| it.right(0))
}

#[test]
fn a_listing_begun_before_the_write_ended_proves_nothing() {
    let mut routes = written();
    let applied = routes.apply(0, vec![ours("a")], at(19), SETTLE);
    assert!(applied.touched.is_empty());
    assert!(!read_back(&routes));
}

#[test]
fn a_listing_begun_after_the_write_proves_what_it_shows() {
    let mut routes = written();
    let applied = routes.apply(0, vec![ours("a")], at(21), SETTLE);
    assert_eq!(applied.touched, [block()]);
    assert!(read_back(&routes));
    let again = routes.apply(0, vec![ours("a")], at(22), SETTLE);
    assert!(again.touched.is_empty());
}

#[test]
fn a_fresh_route_is_missing_only_in_a_listing_that_had_to_show_it() {
    let mut routes = written();
    let early = routes.apply(0, Vec::new(), at(29), SETTLE);
    assert!(early.unproven && early.touched.is_empty());
    assert!(right(&routes));
    let settled = routes.apply(0, Vec::new(), at(30), SETTLE);
    assert_eq!(settled.touched, [block()]);
    assert!(settled.drifted.is_empty(), "it never was proven");
    assert!(!right(&routes));
}

#[test]
fn a_proven_route_that_vanishes_has_drifted() {
    let mut routes = written();
    routes.apply(0, vec![ours("a")], at(31), SETTLE);
    let applied = routes.apply(0, vec![ours("b")], at(40), SETTLE);
    assert_eq!(applied.drifted, [block()]);
    let mut hole = ours("a");
    hole.blackhole = true;
    let mut routes = written();
    routes.apply(0, vec![ours("a")], at(31), SETTLE);
    let applied = routes.apply(0, vec![hole], at(40), SETTLE);
    assert!(applied.drifted.is_empty(), "nobody changed it");
    assert!(!right(&routes));
}

#[test]
fn a_foreign_route_in_its_place_is_believed_at_once() {
    let mut routes = written();
    routes.apply(0, vec![foreign()], at(19), SETTLE);
    assert!(!right(&routes));
    assert_eq!(routes.tally().ours, 0);
    assert!(routes.tables[0].foreign.contains(&block()));
}

#[test]
fn an_uncertain_write_is_settled_by_the_first_listing_after_it() {
    for (shown, landed) in [(vec![ours("a")], true), (Vec::new(), false)] {
        let mut routes = written();
        routes.update(block(), |it| {
            let cell = it.cell_mut(0);
            cell.ours.clear();
            cell.step = Step::Uncertain;
        });
        routes.apply(0, shown, at(21), SETTLE);
        assert_eq!(read_back(&routes), landed);
        let step = routes
            .get(block())
            .and_then(|it| it.cell(0))
            .map(|it| it.step);
        assert_eq!(step, Some(Step::Idle));
    }
}

#[test]
fn what_nobody_claims_is_counted_for_the_guard_unless_it_leads_nowhere() {
    let mut routes = written();
    let counts = |routes: &Routes| (routes.tally().ours, routes.tally().unclaimed);
    assert_eq!(counts(&routes), (1, 0));
    routes.update(block(), |it| {
        it.claimed = false;
        it.set_want(None);
    });
    assert_eq!(counts(&routes), (1, 1));
    assert!(routes.unclaimed().contains(&block()));
    routes.update(block(), |it| it.dead = true);
    assert_eq!(counts(&routes), (1, 0));
    routes.update(block(), |it| it.cell_mut(0).ours = one(&ours("elsewhere")));
    assert_eq!(counts(&routes), (1, 1), "it does not lead to what is gone");
    routes.remove(block());
    assert_eq!(counts(&routes), (0, 0));
    assert!(routes.unclaimed().is_empty());
}

#[test]
fn a_table_that_is_no_longer_named_is_forgotten() {
    let mut routes = written();
    let both = [TableId("main".into()), TableId("second".into())];
    assert!(routes.set_tables(both.iter()));
    routes.apply(1, vec![ours("a")], at(40), SETTLE);
    assert!(routes.set_tables(both[1..].iter()));
    assert_eq!(routes.tables.len(), 1);
    assert!(read_back(&routes), "what was the second table is the first");
    assert!(!routes.set_tables(both[1..].iter()));
}

#[test]
fn a_second_route_of_ours_that_leads_elsewhere_is_no_proof() {
    let mut routes = written();
    let [first, second] = [named("1", ours("elsewhere")), named("2", ours("a"))];
    routes.apply(0, vec![first.clone(), second.clone()], at(40), SETTLE);
    assert!(!right(&routes) && !read_back(&routes));
    let kept = |routes: &Routes| {
        let cell = routes.get(block()).and_then(|it| it.cell(0));
        cell.map(|cell| cell.ours[0].to(block()))
    };
    assert_eq!(kept(&routes), Some(second.clone()));
    let applied = routes.apply(0, vec![second.clone(), first], at(41), SETTLE);
    assert!(applied.touched.is_empty(), "only the order is another");
    routes.apply(0, vec![second], at(42), SETTLE);
    assert!(read_back(&routes));
}
