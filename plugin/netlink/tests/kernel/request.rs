//! Requests that are sent together.

use signpost_netlink::{Family, Request, Route, RouteFilter};

use crate::{net, wired};

fn route(number: u8, third: u8, interface: u32) -> Route {
    Route {
        interface: Some(interface),
        protocol: 3,
        ..Route::to(net(&format!("10.{third}.{number}.0/24")))
    }
}

#[test]
fn requests_sent_together_have_each_their_outcome_in_order() {
    let (_netns, mut socket, index) = wired();
    let requests = vec![
        Request::add_route(&route(1, 0, index)),
        Request::add_address(index, net("192.0.2.1/24")),
        Request::add_route(&route(2, 0, index)),
        Request::add_route(&route(1, 0, index)),
        Request::set_link_up(4711),
        Request::add_route(&route(3, 0, index)),
    ];
    let outcomes = socket.make_all(requests).unwrap();
    let told: Vec<String> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(()) => "made".to_owned(),
            Err(error) => error.to_string(),
        })
        .collect();
    assert_eq!(told.len(), 6);
    assert_eq!([&told[0], &told[2], &told[5]], ["made"; 3]);
    let refused = format!("add address 192.0.2.1/24 to interface {index}");
    assert!(told[1].starts_with(&refused), "{told:?}");
    assert!(told[3].starts_with("add route 10.0.1.0/24: "), "{told:?}");
    assert!(outcomes[3].as_ref().unwrap_err().is_exists());
    assert!(told[4].starts_with("set interface 4711 up: "), "{told:?}");
    assert!(outcomes[4].as_ref().unwrap_err().is_not_found());
    // The socket is where it was.
    assert_eq!(socket.link_by_name("eth0").unwrap().unwrap().index, index);
}

#[test]
fn requests_of_which_the_last_is_refused_are_settled_by_that() {
    let (_netns, mut socket, index) = wired();
    let requests = vec![
        Request::set_link_up(index),
        Request::add_address(index, net("192.0.2.1/24")),
    ];
    let outcomes = socket.make_all(requests).unwrap();
    assert!(outcomes[0].is_ok());
    assert!(outcomes[1].as_ref().unwrap_err().is_exists());
    assert!(socket.make_all(Vec::new()).unwrap().is_empty());
}

#[test]
fn requests_that_do_not_fit_into_one_datagram_are_all_made() {
    let (_netns, mut socket, index) = wired();
    let numbers = || (0..4_u8).flat_map(|third| (0..=255).map(move |number| (number, third)));
    let requests = || {
        numbers()
            .map(|(number, third)| Request::add_route(&route(number, third, index)))
            .collect::<Vec<_>>()
    };
    let outcomes = socket.make_all(requests()).unwrap();
    assert_eq!(outcomes.len(), 1024);
    assert!(outcomes.iter().all(Result::is_ok));
    let filter = RouteFilter {
        protocol: Some(3),
        ..RouteFilter::default()
    };
    assert_eq!(socket.routes(Family::V4, filter).unwrap().len(), 1024);
    // A refusal of each, none of which is lost.
    let outcomes = socket.make_all(requests()).unwrap();
    for ((number, third), outcome) in numbers().zip(outcomes) {
        let error = outcome.unwrap_err();
        assert!(error.is_exists());
        let named = format!("add route 10.{third}.{number}.0/24: ");
        assert!(error.to_string().starts_with(&named), "{error}");
    }
}
