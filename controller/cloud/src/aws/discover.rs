//! Where we are: region, credentials and VPC, as the SDK finds them.

use aws_config::{
    AppName, BehaviorVersion, Region, SdkConfig, default_provider::region::DefaultRegionChain, imds,
};
use aws_sdk_ec2::error::DisplayErrorContext;
use signpost_core::cloud::{CloudError, CloudErrorKind};

use super::{
    config::{AwsConfig, TableChoice},
    credentials,
};

/// How the SDK behaves, fixed so that an update does not change it unseen.
fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

/// Finds the region and what credentials are made from. Endpoints can be redirected as with every
/// SDK of AWS, by `AWS_ENDPOINT_URL`.
pub(super) async fn sdk(config: &AwsConfig) -> Result<SdkConfig, CloudError> {
    let region = match &config.region {
        Some(region) => Some(Region::new(region.clone())),
        None => DefaultRegionChain::builder().build().region().await,
    };
    let region = region.ok_or_else(|| {
        CloudError::new(
            CloudErrorKind::Invalid,
            format!(
                "no AWS region is known: set spec.cloud.aws.region, or AWS_REGION for the \
                 controller; the instance metadata did not tell ({})",
                credentials::METADATA_REMEDY
            ),
        )
    })?;
    let mut loader = aws_config::defaults(behavior()).region(region);
    if let Ok(name) = AppName::new("signpost") {
        loader = loader.app_name(name);
    }
    Ok(loader.load().await)
}

/// The VPC that is looked at: the configured one or, unless tables are named by id, that of the
/// instance that this program runs on.
pub(super) async fn vpc(config: &AwsConfig) -> Result<Option<String>, CloudError> {
    if config.vpc_id.is_some() {
        return Ok(config.vpc_id.clone());
    }
    if matches!(config.tables, TableChoice::Ids(_)) {
        return Ok(None);
    }
    let metadata = imds::Client::builder().build();
    let vpc = async {
        let mac = metadata.get("/latest/meta-data/mac").await?;
        let mac = mac.as_ref().trim().to_owned();
        let path = format!("/latest/meta-data/network/interfaces/macs/{mac}/vpc-id");
        metadata.get(path).await
    };
    match vpc.await {
        Ok(vpc) => Ok(Some(vpc.as_ref().trim().to_owned())),
        Err(error) => Err(CloudError::new(
            CloudErrorKind::Invalid,
            format!(
                "the VPC is not known: set spec.cloud.aws.vpcID; the instance metadata did not \
                 tell ({}): {}",
                credentials::METADATA_REMEDY,
                DisplayErrorContext(error)
            ),
        )),
    }
}
