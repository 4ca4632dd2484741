//! The same provider against moto, which was written by others: it knows no quotas, no pages, no
//! blackholes and not every filter, but what it understands of a request is not our own idea.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use signpost_cloud::{Cloud, aws::AwsVpc};
use signpost_core::cloud::{CloudErrorKind, InstanceState, ObservedRoute, TableListing};
use signpost_ec2::Client;

use crate::scene::{
    Log, TAG, config, create, delete, enable_forwarding, make, make_table, observed, ok, pools,
    query, read, replace, sdk_at, shown,
};

const REGION: &str = "eu-central-1";

/// A running server; it is killed with the value.
struct Moto {
    server: Child,
    client: Client,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn told(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

impl Moto {
    async fn start() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let setup = Command::new(here.join("../../e2e/clouds/common/clients.sh"))
            .arg(here.join("tests/aws/moto-requirements.txt"))
            .output()
            .unwrap();
        assert!(setup.status.success(), "{}", told(&setup));
        let folder = String::from_utf8(setup.stdout).unwrap();
        let port = std::net::TcpListener::bind(("127.0.0.1", 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Command::new(Path::new(folder.trim_end()).join("bin/moto_server"))
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let client = Client::new(&url, REGION);
        let moto = Self {
            server,
            client,
            url,
        };
        let answers = async {
            while moto.client.call("DescribeVpcs", &[]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), answers)
            .await
            .unwrap();
        moto
    }

    /// A VPC, a subnet of both families in it, and that many instances.
    async fn network(&self, instances: usize) -> (String, String, Vec<String>) {
        let vpc = [
            ("CidrBlock", "10.0.0.0/16"),
            ("AmazonProvidedIpv6CidrBlock", "true"),
        ];
        let vpc = ok(&self.client, "CreateVpc", &vpc).await.text("vpcId");
        let described = ok(&self.client, "DescribeVpcs", &[("VpcId.1", &vpc)]).await;
        let v6 = described.text("ipv6CidrBlock").replace("/56", "/64");
        let subnet = [
            ("VpcId", vpc.as_str()),
            ("CidrBlock", "10.0.1.0/24"),
            ("Ipv6CidrBlock", &v6),
        ];
        let subnet = ok(&self.client, "CreateSubnet", &subnet).await;
        let subnet = subnet.text("subnetId");
        let count = instances.to_string();
        let params = [
            ("ImageId", "ami-12c6146b"),
            ("MinCount", &*count),
            ("MaxCount", &count),
            ("SubnetId", &subnet),
            ("Ipv6AddressCount", "1"),
        ];
        let launched = ok(&self.client, "RunInstances", &params).await;
        (vpc, subnet, launched.texts("instanceId"))
    }
}

fn found(state: InstanceState) -> signpost_core::cloud::Instance {
    match state {
        InstanceState::Found(instance) => instance,
        other => panic!("{other:?}"),
    }
}

async fn list(cloud: &AwsVpc) -> Vec<TableListing> {
    cloud.list_routes(&pools()).await.unwrap()
}

#[tokio::test]
async fn moto_understands_a_whole_life() {
    let moto = Moto::start().await;
    let (vpc, subnet, instances) = moto.network(2).await;
    let tables = [
        make_table(&moto.client, &vpc, &[(TAG, "owned")]).await,
        make_table(&moto.client, &vpc, &[(TAG, "shared")]).await,
    ];
    make_table(&moto.client, &vpc, &[(TAG, "other")]).await;
    let both = [("RouteTableId", &*tables[0]), ("SubnetId", &subnet)];
    ok(&moto.client, "AssociateRouteTable", &both).await;
    let sdk = sdk_at(&moto.url, REGION);
    let cloud = AwsVpc::with_sdk(config(), &sdk, Some(vpc), Arc::<Log>::default());
    let hops: Vec<String> = read(&cloud, &instances)
        .await
        .into_iter()
        .map(|state| {
            let instance = found(state);
            assert!(!instance.forwarding);
            assert_eq!(instance.next_hop_v4, instance.next_hop_v6);
            instance.next_hop_v4.unwrap().to_string()
        })
        .collect();
    assert_eq!(list(&cloud).await.len(), 2);

    let switch = query(&instances[0]);
    enable_forwarding(&cloud, &switch).await.unwrap();
    let forwarding = read(&cloud, &instances).await.into_iter().map(found);
    let forwarding: Vec<bool> = forwarding.map(|it| it.forwarding).collect();
    assert_eq!(forwarding, [true, false]);

    for table in &tables {
        for block in ["10.244.1.0/24", "fd00:10:244:1::/64"] {
            let look =
                async || -> Option<ObservedRoute> { shown(&list(&cloud).await, table, block) };
            make(&cloud, &create(table, block, &hops[0])).await.unwrap();
            assert_eq!(look().await, Some(observed(block, &hops[0])));
            let seen = look().await.unwrap();
            make(&cloud, &replace(table, &seen, &hops[1]))
                .await
                .unwrap();
            let stale = make(&cloud, &delete(table, &seen)).await.unwrap_err();
            assert_eq!(stale.kind, CloudErrorKind::NotFound);
            let seen = look().await.unwrap();
            assert_eq!(seen, observed(block, &hops[1]));
            make(&cloud, &delete(table, &seen)).await.unwrap();
            assert_eq!(look().await, None);
        }
    }
    let absent = read(&cloud, &["i-00000000000000000".to_owned()]).await;
    assert_eq!(absent, [InstanceState::Gone]);
}
