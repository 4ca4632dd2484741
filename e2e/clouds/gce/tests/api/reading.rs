use std::time::Duration;

use signpost_gce::{Fault, FaultKind, Settings};

use crate::scene::Scene;

async fn scene_with_routes(count: usize) -> Scene {
    let scene = Scene::new().await;
    let node = scene.instance("node").await;
    for number in 1..=count {
        let (name, to) = (format!("r-{number}"), format!("10.{number}.0.0/24"));
        let route = scene.client.route(&scene.network, &name, &to, &node);
        route.await.unwrap();
    }
    scene
}

#[tokio::test]
async fn pages_have_everything_once() {
    let scene = scene_with_routes(5).await;
    for short in [false, true] {
        scene.gce.configure(|all| all.short_pages = short).unwrap();
        let (mut names, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let query = format!("maxResults=2&filter=name+eq+r-.*&pageToken={token}");
            let path = format!("projects/example/global/routes?{query}");
            let page = scene.get(&path).await;
            pages += 1;
            let items = page["items"].as_array().into_iter().flatten();
            names.extend(items.map(|of| of["name"].as_str().unwrap().to_owned()));
            match page["nextPageToken"].as_str() {
                Some(next) => next.clone_into(&mut token),
                None => break,
            }
        }
        assert_eq!(names, ["r-1", "r-2", "r-3", "r-4", "r-5"]);
        assert_eq!(pages, if short { 6 } else { 3 });
        let other = format!("projects/example/global/routes?pageToken={token}");
        assert_eq!(scene.client.get(&other).await.unwrap_err().status(), 400);
    }
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let scene = Scene::new().await;
    for query in [
        "maxResults=501",
        "maxResults=-1",
        "orderBy=priority",
        "filter=(name+eq+a)+(name+%3D+b)",
        "filter=colour+%3D+red",
        "pageToken=zz",
        "max=1",
        "name=r",
        "zone=z",
        "alt=media",
    ] {
        let path = format!("projects/example/global/routes?{query}");
        let error = scene.client.get(&path).await.unwrap_err();
        assert_eq!(error.status(), 400, "{query}: {error}");
    }
    let query =
        "$alt=json&alt=json&$apiVersion=2026-11-01&prettyPrint=false&returnPartialSuccess=true";
    scene
        .get(&format!("projects/example/global/routes?{query}"))
        .await;
    for path in [
        "projects/nobody/global/routes",
        "projects/example/global/nothing",
        "x",
    ] {
        assert_eq!(
            scene.client.get(path).await.unwrap_err().status(),
            404,
            "{path}"
        );
    }
    // A project has a number too.
    let project = scene.get("projects/example").await;
    let number = project["id"].as_str().unwrap();
    let list = scene
        .get(&format!("projects/{number}/global/networks"))
        .await;
    assert_eq!(list["items"][0]["name"], "net");
}

#[tokio::test]
async fn names_and_numbers_name_the_same() {
    let scene = scene_with_routes(1).await;
    let route = scene.get("projects/example/global/routes/r-1").await;
    let number = route["id"].as_str().unwrap();
    let path = format!("projects/example/global/routes/{number}");
    assert_eq!(scene.get(&path).await, route);
    scene.client.end(&path).await.unwrap();
    assert!(scene.names("").await.is_empty());
}

#[tokio::test]
async fn readers_see_writes_late() {
    let scene = scene_with_routes(1).await;
    let frozen = |all: &mut Settings| (all.speed, all.propagation) = (0.0, 100.0);
    scene.gce.configure(frozen).unwrap();
    scene
        .client
        .end("projects/example/global/routes/r-1")
        .await
        .unwrap();
    assert_eq!(scene.gce.snapshot().static_routes().count(), 0);
    assert_eq!(scene.names("").await, ["r-1"]);
    scene.gce.configure(|all| all.speed = 1e5).unwrap();
    tokio::time::timeout(Duration::from_secs(5), async {
        while !scene.names("").await.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_list_can_be_of_the_past() {
    let scene = scene_with_routes(0).await;
    scene.gce.configure(|all| all.speed = 1000.0).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    scene.gce.configure(|all| all.speed = 0.0).unwrap();
    let node = scene.instance("late").await;
    let route = scene
        .client
        .route(&scene.network, "r", "10.1.0.0/24", &node);
    route.await.unwrap();
    let stale = FaultKind::Stale { seconds: 50.0 };
    let rule = Fault::next(1, stale, &["routes.list"]);
    scene.gce.add_fault(rule).unwrap();
    assert!(scene.names("").await.is_empty());
    assert_eq!(scene.names("").await, ["r"]);
}
