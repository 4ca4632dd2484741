//! A small network, built through the API alone.

use signpost_ec2::{Answer, Client, Emulator, Options, Settings};

/// A VPC 10.0.0.0/16 with one subnet 10.0.1.0/24 and one table besides the main one.
pub(crate) struct Scene {
    pub(crate) ec2: Emulator,
    pub(crate) client: Client,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) table: String,
}

pub(crate) const IMAGE: (&str, &str) = ("ImageId", "ami-12345678");

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    /// The settings hold only after the scene was built.
    pub(crate) async fn with(settings: Settings) -> Self {
        let ec2 = Emulator::start(Options::default()).await.unwrap();
        let client = Client::new(&ec2.url(), ec2.region());
        let vpc = ok(&client, "CreateVpc", &[("CidrBlock", "10.0.0.0/16")])
            .await
            .text("vpcId");
        let subnet = [("VpcId", vpc.as_str()), ("CidrBlock", "10.0.1.0/24")];
        let subnet = ok(&client, "CreateSubnet", &subnet).await.text("subnetId");
        let table = ok(&client, "CreateRouteTable", &[("VpcId", &vpc)])
            .await
            .text("routeTableId");
        ec2.configure(|all| *all = settings).unwrap();
        Self {
            ec2,
            client,
            vpc,
            subnet,
            table,
        }
    }

    /// The answer of a call that must succeed.
    pub(crate) async fn ok(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        ok(&self.client, action, params).await
    }

    /// The code with which a call must be refused.
    pub(crate) async fn code(&self, action: &str, params: &[(&str, &str)]) -> String {
        match self.client.call(action, params).await {
            Ok(answer) => panic!("{action} {params:?} was not refused: {answer:?}"),
            Err(error) => error.code().to_owned(),
        }
    }

    /// Instances with one interface each.
    pub(crate) async fn launch(&self, count: usize) -> Vec<String> {
        let count = count.to_string();
        let params = [
            IMAGE,
            ("MinCount", &count),
            ("MaxCount", &count),
            ("SubnetId", &self.subnet),
        ];
        self.ok("RunInstances", &params).await.texts("instanceId")
    }

    /// The primary interface of an instance.
    pub(crate) fn primary(&self, instance: &str) -> String {
        let state = self.ec2.snapshot();
        let found = state.instances.iter().find(|of| of.id == instance).unwrap();
        found.interfaces[0].clone()
    }

    /// An interface that is attached to an instance as its second one, and the attachment.
    pub(crate) async fn second(&self, instance: &str) -> (String, String) {
        let made = self
            .ok("CreateNetworkInterface", &[("SubnetId", &self.subnet)])
            .await;
        let id = made.text("networkInterfaceId");
        let params = [
            ("NetworkInterfaceId", id.as_str()),
            ("InstanceId", instance),
            ("DeviceIndex", "1"),
        ];
        let attachment = self
            .ok("AttachNetworkInterface", &params)
            .await
            .text("attachmentId");
        (id, attachment)
    }

    /// The parameters of a route, for creating and replacing it.
    pub(crate) fn route<'a>(
        &'a self,
        to: &'a str,
        target: (&'a str, &'a str),
    ) -> [(&'a str, &'a str); 3] {
        let destination = if to.contains(':') {
            "DestinationIpv6CidrBlock"
        } else {
            "DestinationCidrBlock"
        };
        [("RouteTableId", &self.table), (destination, to), target]
    }

    pub(crate) async fn create(&self, to: &str, target: (&str, &str)) {
        self.ok("CreateRoute", &self.route(to, target)).await;
    }

    /// The routes of the table as they are listed, without those that came with it.
    pub(crate) async fn listed(&self) -> Vec<Answer> {
        let answer = self
            .ok("DescribeRouteTables", &[("RouteTableId.1", &self.table)])
            .await;
        let routes = answer.items("routeSet").into_iter();
        routes
            .filter(|route| route.text("origin") == "CreateRoute")
            .collect()
    }

    pub(crate) async fn listed_destinations(&self) -> Vec<String> {
        let destination = |route: &Answer| {
            route.text("destinationCidrBlock") + &route.text("destinationIpv6CidrBlock")
        };
        self.listed().await.iter().map(destination).collect()
    }
}

async fn ok(client: &Client, action: &str, params: &[(&str, &str)]) -> Answer {
    match client.call(action, params).await {
        Ok(answer) => answer,
        Err(error) => panic!("{action} {params:?}: {error}"),
    }
}
