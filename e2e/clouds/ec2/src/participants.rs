//! Other accounts, with which subnets are shared.

use serde::{Deserialize, Serialize};

/// An account that takes part in the VPCs of the emulated one, by AWS Resource Access Manager (RAM).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Participant {
    /// Its number, of twelve digits.
    pub account: String,
    /// The access keys, or the roles of instance profiles, that are its own.
    pub access_keys: Vec<String>,
    /// The subnets that are shared with it. Where one is taken back, what the account has in it stays
    /// ("Unshare a shared subnet" in the VPC's guide).
    pub subnets: Vec<String>,
}
