use std::time::Duration;

use signpost_gce::{CallError, Fault, FaultKind};

use crate::scene::Scene;

const GATEWAY: (&str, &str) = ("nextHopGateway", "global/gateways/default-internet-gateway");

#[tokio::test]
async fn refusals_on_demand_do_nothing() {
    let scene = Scene::new().await;
    let route = scene.route("r", "10.1.0.0/24", GATEWAY);
    let own = FaultKind::Error {
        status: 400,
        reason: "resourceNotReady".to_owned(),
    };
    for (kind, status, reason) in [
        (FaultKind::Throttle, 403, "rateLimitExceeded"),
        (FaultKind::Error500, 500, "backendError"),
        (FaultKind::Error503, 503, "backendError"),
        (FaultKind::Forbidden, 403, "forbidden"),
        (FaultKind::Unauthenticated, 401, "authError"),
        (FaultKind::Busy, 400, "badRequest"),
        (own, 400, "resourceNotReady"),
    ] {
        let rule = Fault::next(1, kind.clone(), &["routes.insert"]);
        scene.gce.add_fault(rule).unwrap();
        assert_eq!(scene.refusal(&route).await, (status, reason.to_owned()));
        let call = scene.gce.calls().pop().unwrap();
        assert_eq!(call.fault.as_deref(), Some(kind.name()));
        let outcome = (call.status, call.error.as_deref());
        assert_eq!(outcome, (Some(status), Some(reason)));
    }
    assert!(scene.names("").await.is_empty());
    scene.begin(&route).await;
}

#[tokio::test]
async fn answers_and_requests_can_be_lost() {
    let scene = Scene::new().await;
    let routes = "projects/example/global/routes";
    for (kind, done) in [
        (FaultKind::ResetBefore, false),
        (FaultKind::LostAfterCommit, true),
    ] {
        let rule = Fault::next(1, kind, &["routes.insert"]);
        scene.gce.add_fault(rule).unwrap();
        let route = scene.route("r", "10.1.0.0/24", GATEWAY);
        let error = scene.client.post(routes, &route).await.unwrap_err();
        assert!(matches!(error, CallError::NoAnswer(_)), "{error}");
        let call = scene.gce.calls().pop().unwrap();
        assert_eq!(call.status, done.then_some(200));
        assert_eq!(scene.names("").await.len(), usize::from(done));
    }
}

#[tokio::test]
async fn a_slow_write_happens_although_nobody_waits_for_it() {
    let scene = Scene::new().await;
    scene.gce.configure(|all| all.speed = 0.0).unwrap();
    let slow = FaultKind::Slow { seconds: 30.0 };
    let rule = Fault::next(1, slow, &["routes.insert"]);
    scene.gce.add_fault(rule).unwrap();
    let route = scene.route("r", "10.1.0.0/24", GATEWAY);
    let arrived = async {
        while scene.gce.calls().is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        answer = scene.begin(&route) => panic!("{answer}"),
        // The client gives up.
        () = arrived => {}
    }
    let before = scene.gce.snapshot();
    scene.gce.configure(|all| all.speed = 1e4).unwrap();
    scene.gce.changed(before.version).await;
    assert_eq!(scene.gce.calls()[0].status, Some(200));
}

#[tokio::test]
async fn a_slow_answer_comes_long_after_the_deed() {
    let scene = Scene::new().await;
    scene.gce.configure(|all| all.speed = 0.0).unwrap();
    let slow = FaultKind::SlowAnswer { seconds: 30.0 };
    let rule = Fault::next(1, slow, &["routes.insert"]);
    scene.gce.add_fault(rule).unwrap();
    let before = scene.gce.snapshot().version;
    let route = scene.route("r", "10.1.0.0/24", GATEWAY);
    let meanwhile = async {
        scene.gce.changed(before).await;
        assert_eq!(scene.names("").await, ["r"]);
        scene.gce.configure(|all| all.speed = 1e4).unwrap();
    };
    let (answer, ()) = tokio::join!(scene.begin(&route), meanwhile);
    assert_eq!(answer["operationType"], "insert");
}

#[tokio::test]
async fn faults_choose_by_method_caller_and_parameter() {
    let scene = Scene::new().await;
    let of_parameter = Fault {
        parameters: [("name".to_owned(), "bad".to_owned())].into(),
        ..Fault::always(FaultKind::Error503, &["routes.*"])
    };
    scene.gce.add_fault(of_parameter).unwrap();
    let bad = scene.route("bad", "10.1.0.0/24", GATEWAY);
    assert_eq!(scene.refusal(&bad).await.0, 503);
    scene
        .begin(&scene.route("good", "10.1.0.0/24", GATEWAY))
        .await;
    let of_caller = Fault {
        caller: Some("other".to_owned()),
        ..Fault::always(FaultKind::Throttle, &[])
    };
    let number = scene.gce.add_fault(of_caller).unwrap();
    let other = scene.client.clone().with_token("other");
    let path = "projects/example/global/routes";
    assert_eq!(other.get(path).await.unwrap_err().status(), 403);
    scene.get(path).await;
    assert!(scene.gce.remove_fault(number));
    other.get(path).await.unwrap();
    let nonsense = Fault::always(FaultKind::Slow { seconds: -1.0 }, &[]);
    assert!(scene.gce.add_fault(nonsense).is_err());
}
