use signpost_ec2::Client;

use crate::scene::Scene;

#[tokio::test]
async fn other_regions_are_refused() {
    let scene = Scene::new().await;
    let elsewhere = Client::new(&scene.ec2.url(), "us-east-1");
    let error = elsewhere.call("DescribeVpcs", &[]).await.unwrap_err();
    assert_eq!(error.code(), "SignatureDoesNotMatch");
}

#[tokio::test]
async fn the_log_names_who_called() {
    let scene = Scene::new().await;
    let somebody = scene.client.clone().with_access_key("AKIASOMEBODY");
    somebody
        .call("DescribeVpcs", &[("MaxResults", "5")])
        .await
        .unwrap();
    let call = scene.ec2.calls().pop().unwrap();
    assert_eq!(
        (call.action.as_str(), call.caller.as_str()),
        ("DescribeVpcs", "AKIASOMEBODY")
    );
    assert_eq!(call.parameters["MaxResults"], "5");
    let after = scene.ec2.calls_after(call.id - 1);
    assert_eq!(after, [call]);
}
