//! Why there are no credentials, in words that help.

use std::error::Error;

use aws_sdk_ec2::{
    config::http::HttpResponse,
    error::{DisplayErrorContext, SdkError},
};

use super::errors::sources;

/// What to do about credentials that do not work.
pub(super) const REMEDY: &str = "give the controller an IAM role: EKS Pod Identity or IRSA for \
    its service account, or an instance profile (from a pod the instance metadata answers only if \
    the instance's hop limit is at least 2: `aws ec2 modify-instance-metadata-options --instance-id \
    ID --http-put-response-hop-limit 2`, or run the pod with hostNetwork), or AWS_PROFILE or \
    AWS_ACCESS_KEY_ID outside a cluster; and see that the clock is right";

/// What to do when the instance metadata does not answer.
pub(super) const METADATA_REMEDY: &str = "outside EC2 there is none; from a pod it answers only \
    if the instance's hop limit is at least 2 (`aws ec2 modify-instance-metadata-options \
    --instance-id ID --http-put-response-hop-limit 2`) or the pod has hostNetwork";

/// What is wrong with the credentials, if the request failed for want of them.
pub(super) fn problem<E>(error: &SdkError<E, HttpResponse>) -> Option<String>
where
    E: Error + 'static,
{
    let error: &(dyn Error + 'static) = error;
    let found = sources(error)
        .find(|source| source.is::<aws_credential_types::provider::error::CredentialsError>())?;
    Some(format!(
        "no AWS credentials: {}; {REMEDY}",
        DisplayErrorContext(found)
    ))
}
