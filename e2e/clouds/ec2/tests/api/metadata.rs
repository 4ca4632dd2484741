use std::net::Ipv4Addr;

use serde_json::{Value, json};
use signpost_ec2::{Client, Emulator, Identity, Options};

use crate::http::send;

async fn machine(profile: bool) -> (Emulator, Client, String) {
    let options = Options {
        imds: Some((Ipv4Addr::LOCALHOST, 0).into()),
        ..Options::default()
    };
    let ec2 = Emulator::start(options).await.unwrap();
    let client = Client::new(&ec2.url(), ec2.region());
    let vpc = client
        .call("CreateVpc", &[("CidrBlock", "10.0.0.0/16")])
        .await
        .unwrap();
    let subnet = [
        ("VpcId", vpc.text("vpcId")),
        ("CidrBlock", "10.0.1.0/24".to_owned()),
    ];
    let subnet: Vec<(&str, &str)> = subnet.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let subnet = client
        .call("CreateSubnet", &subnet)
        .await
        .unwrap()
        .text("subnetId");
    let mut run = vec![
        ("ImageId", "ami-12345678"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
        ("SubnetId", subnet.as_str()),
    ];
    if profile {
        run.push(("IamInstanceProfile.Name", "control-plane"));
    }
    let instance = client
        .call("RunInstances", &run)
        .await
        .unwrap()
        .text("instanceId");
    ec2.set_identity(Identity {
        instance: Some(instance.clone()),
        ..Identity::default()
    });
    (ec2, client, instance)
}

async fn token(ec2: &Emulator) -> String {
    let url = format!("{}/latest/api/token", ec2.imds_url().unwrap());
    let ttl = "x-aws-ec2-metadata-token-ttl-seconds";
    let (status, headers, token) = send("PUT", &url, &[(ttl, "60")], "").await;
    assert_eq!(
        (status.as_u16(), &headers[ttl]),
        (200, &"60".parse().unwrap())
    );
    token
}

async fn get(ec2: &Emulator, token: &str, path: &str) -> (u16, String) {
    let url = format!("{}/latest/{path}", ec2.imds_url().unwrap());
    let (status, _, body) = send("GET", &url, &[("x-aws-ec2-metadata-token", token)], "").await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn an_instance_finds_its_region_and_vpc() {
    let (ec2, _, instance) = machine(false).await;
    let token = token(&ec2).await;
    let mac = get(&ec2, &token, "meta-data/mac").await.1;
    let vpc = ec2.snapshot().vpcs[0].id.clone();
    let vpc_path = format!("meta-data/network/interfaces/macs/{mac}/vpc-id");
    for (path, expected) in [
        ("meta-data/placement/region", "eu-central-1"),
        ("meta-data/placement/availability-zone", "eu-central-1a"),
        ("meta-data/instance-id", &instance),
        ("meta-data/local-ipv4", "10.0.1.4"),
        ("meta-data/network/interfaces/macs/", &format!("{mac}/")),
        (&vpc_path, &vpc),
    ] {
        assert_eq!(
            get(&ec2, &token, path).await,
            (200, expected.to_owned()),
            "{path}"
        );
    }
    let document = get(&ec2, &token, "dynamic/instance-identity/document")
        .await
        .1;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(
        (&document["region"], &document["instanceId"]),
        (&"eu-central-1".into(), &instance.into())
    );
    // Without a profile there is no role.
    assert_eq!(
        get(&ec2, &token, "meta-data/iam/security-credentials/")
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn without_a_token_nothing_is_told() {
    let (ec2, _, _) = machine(false).await;
    assert_eq!(get(&ec2, "guessed", "meta-data/instance-id").await.0, 401);
    let url = format!("{}/latest/api/token", ec2.imds_url().unwrap());
    assert_eq!(send("PUT", &url, &[], "").await.0, 400);
    let ttl = ("x-aws-ec2-metadata-token-ttl-seconds", "60");
    assert_eq!(
        send("PUT", &url, &[ttl, ("x-forwarded-for", "1.2.3.4")], "")
            .await
            .0,
        403
    );
}

#[tokio::test]
async fn a_roles_credentials_are_good_until_they_expire() {
    let (ec2, client, instance) = machine(true).await;
    let token = token(&ec2).await;
    let role = get(&ec2, &token, "meta-data/iam/security-credentials/")
        .await
        .1;
    assert_eq!(role, "control-plane");
    let path = format!("meta-data/iam/security-credentials/{role}");
    let fetch =
        async || -> Value { serde_json::from_str(&get(&ec2, &token, &path).await.1).unwrap() };
    let first = fetch().await;
    assert_eq!(first, fetch().await);
    let with_role = |credentials: &Value| {
        let key = credentials["AccessKeyId"].as_str().unwrap();
        let session = credentials["Token"].as_str().unwrap();
        client
            .clone()
            .with_access_key(key)
            .with_session_token(session)
    };
    with_role(&first).call("DescribeVpcs", &[]).await.unwrap();
    let nothing = json!({"Statement": []});
    ec2.set_policy("control-plane", serde_json::from_value(nothing).unwrap())
        .unwrap();
    let error = with_role(&first)
        .call("DescribeVpcs", &[])
        .await
        .unwrap_err();
    assert_eq!(error.code(), "UnauthorizedOperation");
    let everything = json!({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}});
    ec2.set_policy("control-plane", serde_json::from_value(everything).unwrap())
        .unwrap();
    let key = first["AccessKeyId"].as_str().unwrap();
    let without_session = client.clone().with_access_key(key);
    assert_eq!(
        without_session
            .call("DescribeVpcs", &[])
            .await
            .unwrap_err()
            .code(),
        "AuthFailure"
    );

    ec2.set_identity(Identity {
        instance: Some(instance),
        credential_seconds: 0,
    });
    let second = fetch().await;
    assert_ne!(first["AccessKeyId"], second["AccessKeyId"]);
    let error = with_role(&second)
        .call("DescribeVpcs", &[])
        .await
        .unwrap_err();
    assert_eq!(error.code(), "RequestExpired");
    with_role(&first).call("DescribeVpcs", &[]).await.unwrap();
}
