use std::time::Duration;

use signpost_ec2::{CallError, Fault, FaultKind};

use crate::scene::Scene;

#[tokio::test]
async fn refusals_on_demand_do_nothing() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    let own = FaultKind::Error {
        status: 400,
        code: "RouteLimitExceeded".to_owned(),
    };
    for (kind, status, code) in [
        (FaultKind::Throttle, 503, "RequestLimitExceeded"),
        (FaultKind::Error500, 500, "InternalError"),
        (FaultKind::Unauthorized, 403, "UnauthorizedOperation"),
        (FaultKind::Expired, 400, "RequestExpired"),
        (own, 400, "RouteLimitExceeded"),
    ] {
        scene
            .ec2
            .add_fault(Fault::next(1, kind.clone(), &["CreateRoute"]))
            .unwrap();
        let error = scene.client.call("CreateRoute", &route).await.unwrap_err();
        let CallError::Refused(refusal) = error else {
            panic!("{error}")
        };
        assert_eq!(
            (refusal.status.as_u16(), refusal.code.as_str()),
            (status, code)
        );
        let call = scene.ec2.calls().pop().unwrap();
        assert_eq!(call.fault.as_deref(), Some(kind.name()));
        assert_eq!(
            (call.status, call.error.as_deref()),
            (Some(status), Some(code))
        );
    }
    assert!(scene.listed().await.is_empty());
    scene.ok("CreateRoute", &route).await;
}

#[tokio::test]
async fn an_answer_can_be_lost_after_the_route_is_there() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    let lost = Fault::next(1, FaultKind::LostAfterCommit, &["CreateRoute"]);
    scene.ec2.add_fault(lost).unwrap();
    let error = scene.client.call("CreateRoute", &route).await.unwrap_err();
    assert!(matches!(error, CallError::NoAnswer(_)), "{error}");
    assert_eq!(scene.ec2.calls().pop().unwrap().status, Some(200));
    assert_eq!(scene.listed_destinations().await, ["10.1.0.0/24"]);
}

#[tokio::test]
async fn a_connection_can_end_before_anything_is_done() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    scene
        .ec2
        .add_fault(Fault::next(1, FaultKind::ResetBefore, &["CreateRoute"]))
        .unwrap();
    let error = scene.client.call("CreateRoute", &route).await.unwrap_err();
    assert!(matches!(error, CallError::NoAnswer(_)), "{error}");
    assert_eq!(scene.ec2.calls().pop().unwrap().status, None);
    assert!(scene.listed().await.is_empty());
}

#[tokio::test]
async fn a_slow_write_happens_although_nobody_waits_for_it() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
    let slow = Fault::next(1, FaultKind::Slow { seconds: 30.0 }, &["CreateRoute"]);
    scene.ec2.add_fault(slow).unwrap();
    let before = scene.ec2.snapshot().version;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    let arrived = async {
        while scene.ec2.calls().last().unwrap().action != "CreateRoute" {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        answer = scene.client.call("CreateRoute", &route) => panic!("{answer:?}"),
        // The client gives up.
        () = arrived => {}
    }
    assert!(scene.listed().await.is_empty());
    scene.ec2.configure(|all| all.speed = 1e4).unwrap();
    scene.ec2.changed(before).await;
    assert_eq!(scene.listed_destinations().await, ["10.1.0.0/24"]);
}

#[tokio::test]
async fn a_slow_answer_comes_long_after_the_route() {
    let scene = Scene::new().await;
    let instances = scene.launch(1).await;
    scene.ec2.configure(|all| all.speed = 0.0).unwrap();
    let slow = Fault::next(1, FaultKind::SlowAnswer { seconds: 30.0 }, &["CreateRoute"]);
    scene.ec2.add_fault(slow).unwrap();
    let before = scene.ec2.snapshot().version;
    let route = scene.route("10.1.0.0/24", ("InstanceId", &instances[0]));
    let waiting = scene.client.call("CreateRoute", &route);
    let meanwhile = async {
        scene.ec2.changed(before).await;
        assert_eq!(scene.listed_destinations().await, ["10.1.0.0/24"]);
        scene.ec2.configure(|all| all.speed = 1e4).unwrap();
    };
    let (answer, ()) = tokio::join!(waiting, meanwhile);
    answer.unwrap();
}

#[tokio::test]
async fn faults_choose_by_key_parameter_and_chance() {
    let scene = Scene::new().await;
    let refused = async |scene: &Scene| scene.client.call("DescribeVpcs", &[]).await.is_err();
    let of_key = Fault {
        caller: Some("AKIAOTHER".to_owned()),
        ..Fault::always(FaultKind::Unauthorized, &[])
    };
    let number = scene.ec2.add_fault(of_key).unwrap();
    assert!(!refused(&scene).await);
    let other = scene.client.clone().with_access_key("AKIAOTHER");
    assert_eq!(
        other.call("DescribeVpcs", &[]).await.unwrap_err().code(),
        "UnauthorizedOperation"
    );
    assert!(scene.ec2.remove_fault(number));
    assert!(!scene.ec2.remove_fault(number));

    let of_parameter = Fault {
        parameters: [("VpcId.1".to_owned(), scene.vpc.clone())].into(),
        ..Fault::always(FaultKind::Throttle, &["Describe*"])
    };
    scene.ec2.add_fault(of_parameter).unwrap();
    assert!(!refused(&scene).await);
    let code = scene.code("DescribeVpcs", &[("VpcId.1", &scene.vpc)]).await;
    assert_eq!(code, "RequestLimitExceeded");
    scene.ec2.clear_faults();

    let half = Fault {
        probability: 0.5,
        ..Fault::always(FaultKind::Throttle, &["DescribeVpcs"])
    };
    scene.ec2.add_fault(half).unwrap();
    let mut count = 0;
    for _ in 0..100 {
        count += usize::from(refused(&scene).await);
    }
    // The seed fixes the number; any within reason would do.
    assert!((25..=75).contains(&count), "{count} of 100");
    assert!(
        scene
            .ec2
            .add_fault(Fault {
                probability: 1.5,
                ..Fault::always(FaultKind::Throttle, &[])
            })
            .is_err()
    );
}

#[tokio::test]
async fn every_call_takes_the_latency() {
    let scene = Scene::new().await;
    scene
        .ec2
        .configure(|all| (all.latency, all.speed) = (10.0, 1000.0))
        .unwrap();
    scene.ok("DescribeVpcs", &[]).await;
    let call = scene.ec2.calls().pop().unwrap();
    assert!(call.decided.unwrap() - call.received >= 10.0, "{call:?}");
}
