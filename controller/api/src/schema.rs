//! Pieces of the schema that the types share: rules in CEL and bounded strings.
//!
//! Rules on more than one field skip values that do not parse, since those have an error of their
//! own. Messages name the value at fault, which the API server does not. They cannot show a computed
//! one, such as the range without its host bits: the API server takes every computed string for
//! arbitrarily long, hence too expensive.
//!
//! Every list, map and string has an upper bound: the API server refuses a schema whose rules
//! could be expensive.

use schemars::{Schema, SchemaGenerator, json_schema};

/// Longest text of a range: eight groups of an IPv6 address, a slash and three digits.
const CIDR_LENGTH: usize = 43;

/// No pool's range contains another's. Both orders of each pair are looked at.
pub(crate) const POOLS_DO_NOT_OVERLAP: &str = "self.all(a, self.all(b, a.name == b.name || \
     !isCIDR(a.cidr) || !isCIDR(b.cidr) || !cidr(a.cidr).containsCIDR(cidr(b.cidr))))";

/// A block is no larger than its pool.
pub(crate) const BLOCK_INSIDE_POOL: &str =
    "!isCIDR(self.cidr) || self.nodePrefixLength >= cidr(self.cidr).prefixLength()";

/// A pool has at most 2^20 blocks.
pub(crate) const BLOCK_COUNT: &str =
    "!isCIDR(self.cidr) || self.nodePrefixLength - cidr(self.cidr).prefixLength() <= 20";

/// A block has a gateway and an address for a pod.
pub(crate) const BLOCK_HAS_ROOM: &str = "!isCIDR(self.cidr) || self.nodePrefixLength <= \
     (cidr(self.cidr).ip().family() == 4 ? 30 : 126)";

/// Not the number of a program in iproute2's list of routing protocols.
pub(crate) const ROUTE_PROTOCOL_IS_FREE: &str =
    "!(self in [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 42, 99, 186, 187, 188, 189, 192])";

/// A range in CIDR notation without host bits.
fn cidr() -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": CIDR_LENGTH,
        "x-kubernetes-validations": [
            {
                "rule": "isCIDR(self)",
                "message": "not a range in CIDR notation: write an address, a slash and a prefix \
                            length, such as 10.244.0.0/16 or fd00:10:244::/48",
            },
            {
                "rule": "!isCIDR(self) || cidr(self).masked() == cidr(self)",
                "messageExpression": "'the range ' + self + ' has host bits set: write its first \
                                      address, in which all bits after the prefix are 0'",
            },
        ],
    })
}

/// The range of a pool: one that pods can have addresses of.
pub(crate) fn pool_cidr(_: &mut SchemaGenerator) -> Schema {
    let mut schema = cidr();
    if let Some(rules) = schema
        .get_mut("x-kubernetes-validations")
        .and_then(|v| v.as_array_mut())
    {
        rules.push(serde_json::json!({
            "rule": "!isCIDR(self) || cidr(self).ip().isGlobalUnicast()",
            "message": "pods cannot have loopback, link-local, multicast or unspecified addresses: \
                        use a private range, such as 10.244.0.0/16 or fd00:10:244::/48",
        }));
    }
    schema
}

/// At most 64 ranges.
pub(crate) fn cidr_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "maxItems": 64, "items": cidr() })
}

/// At most 200 ids of cloud resources.
pub(crate) fn id_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 200,
        "items": { "type": "string", "minLength": 1, "maxLength": 64 },
        "x-kubernetes-list-type": "set",
    })
}

/// At most 10 tags of AWS resources.
pub(crate) fn tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 10,
        "additionalProperties": { "type": "string", "maxLength": 256 },
        "x-kubernetes-validations": [{
            "rule": "self.all(key, size(key) > 0 && size(key) <= 128)",
            "message": "keys of tags have 1 to 128 characters",
        }],
    })
}

/// At most 64 network tags of GCP ("Network tags" in Google's document on VPC: as names of resources).
pub(crate) fn network_tags(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$",
        },
        "x-kubernetes-list-type": "set",
    })
}

/// The URL of an API, without a path.
pub(crate) fn endpoint(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 253,
        "pattern": "^https?://[-.:a-zA-Z0-9\\[\\]]+/?$",
    })
}

/// At most 16 labels.
pub(crate) fn match_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
        "x-kubernetes-validations": [{
            "rule": "self.all(key, !format.qualifiedName().validate(key).hasValue() && \
                     !format.labelValue().validate(self[key]).hasValue())",
            "message": "no node can carry such a label: names are like zone or \
                        topology.kubernetes.io/zone, names and values have at most 63 letters, \
                        digits, '-', '_' and '.', and start and end with a letter or digit",
        }],
    })
}

/// A time span from one second to one hour.
pub(crate) fn check_period(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 16,
        "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$",
        "x-kubernetes-validations": [{
            "rule": "duration(self) >= duration('1s') && duration(self) <= duration('1h')",
            "message": "must be from 1s to 1h, such as 30s",
        }],
    })
}
