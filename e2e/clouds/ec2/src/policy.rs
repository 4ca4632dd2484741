//! IAM policies: what a caller may do, and to what.
//!
//! The part of the language that policies for route programming need; anything else in a document is
//! refused when it is set, rather than ignored. See the
//! [policy reference](https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html) and
//! [actions of EC2](https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html).

use std::collections::BTreeMap;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::filters::matches;
use crate::model::{Kind, View, World};

/// A policy document as IAM has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Policy {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    statement: Many<Statement>,
}

/// A list, which may be written as its only member.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Many<T> {
    One(T),
    List(Vec<T>),
}

// By hand, since serde's untagged enumerations don't say what is wrong with a member.
impl<'de, T: DeserializeOwned> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let many = if value.is_array() {
            serde_json::from_value(value).map(Self::List)
        } else {
            serde_json::from_value(value).map(Self::One)
        };
        many.map_err(Error::custom)
    }
}

impl<T> Many<T> {
    fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::List(list) => list.iter(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Statement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    effect: Effect,
    action: Many<String>,
    resource: Many<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<Operator, BTreeMap<String, Many<String>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Effect {
    Allow,
    Deny,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Operator {
    StringEquals,
    StringEqualsIgnoreCase,
    StringNotEquals,
    StringLike,
    StringNotLike,
    ArnEquals,
    ArnLike,
}

impl Operator {
    /// Whether a key's value fits; a key that the resource doesn't have fits only what is negative.
    fn holds(self, value: Option<&String>, wanted: &Many<String>) -> bool {
        let equal = || value.is_some_and(|value| wanted.iter().any(|wanted| wanted == value));
        let like = || value.is_some_and(|value| wanted.iter().any(|wanted| matches(wanted, value)));
        match self {
            Self::StringEquals => equal(),
            Self::StringEqualsIgnoreCase => value.is_some_and(|value| {
                let mut wanted = wanted.iter();
                wanted.any(|wanted| wanted.eq_ignore_ascii_case(value))
            }),
            Self::StringNotEquals => !equal(),
            Self::StringLike | Self::ArnEquals | Self::ArnLike => like(),
            Self::StringNotLike => !like(),
        }
    }
}

/// What a call is about: a resource's name, and the values of condition keys.
#[derive(Debug)]
struct Subject {
    arn: String,
    keys: BTreeMap<String, String>,
}

impl Policy {
    /// Says what is in the document that this emulator cannot judge.
    pub(crate) fn check(&self) -> Result<(), String> {
        let conditions = self
            .statement
            .iter()
            .flat_map(|statement| statement.condition.values());
        for key in conditions.flat_map(BTreeMap::keys) {
            let known = ["aws:ResourceTag/", "ec2:ResourceTag/", "ec2:Attribute/"];
            let fixed = ["ec2:Vpc", "ec2:Region", "aws:RequestedRegion"];
            if !known.iter().any(|start| key.starts_with(start)) && !fixed.contains(&key.as_str()) {
                return Err(format!("condition key {key} is not known"));
            }
        }
        Ok(())
    }

    /// Whether all that a call is about is allowed, and nothing of it denied.
    pub(crate) fn allows(
        &self,
        world: &World,
        action: &str,
        parameters: &BTreeMap<String, String>,
    ) -> bool {
        let service = if action == "GetServiceQuota" {
            "servicequotas"
        } else {
            "ec2"
        };
        let action = format!("{service}:{action}").to_lowercase();
        subjects(world, &action, parameters).iter().all(|subject| {
            let applies = |effect| {
                self.statement.iter().any(|statement| {
                    statement.effect == effect && statement.applies(&action, subject)
                })
            };
            applies(Effect::Allow) && !applies(Effect::Deny)
        })
    }
}

impl Statement {
    fn applies(&self, action: &str, subject: &Subject) -> bool {
        self.action
            .iter()
            .any(|pattern| matches(&pattern.to_lowercase(), action))
            && self
                .resource
                .iter()
                .any(|pattern| matches(pattern, &subject.arn))
            && self.condition.iter().all(|(operator, keys)| {
                let mut keys = keys.iter();
                keys.all(|(key, wanted)| operator.holds(subject.keys.get(key), wanted))
            })
    }
}

/// The parameters that name what an action is about. Of other actions, only `*` can be allowed.
fn named(action: &str) -> Option<&'static str> {
    Some(match action {
        "ec2:createroute" | "ec2:replaceroute" | "ec2:deleteroute" => "RouteTableId",
        "ec2:modifynetworkinterfaceattribute" => "NetworkInterfaceId",
        "ec2:modifyinstanceattribute" => "InstanceId",
        "ec2:startinstances" | "ec2:stopinstances" | "ec2:terminateinstances" => "InstanceId.",
        "ec2:createtags" | "ec2:deletetags" => "ResourceId.",
        _ => return None,
    })
}

fn subjects(world: &World, action: &str, parameters: &BTreeMap<String, String>) -> Vec<Subject> {
    let regional = |mut keys: BTreeMap<String, String>, arn: String| {
        keys.insert("ec2:Region".to_owned(), world.region.clone());
        keys.insert("aws:RequestedRegion".to_owned(), world.region.clone());
        Subject { arn, keys }
    };
    let Some(name) = named(action) else {
        return vec![regional(BTreeMap::new(), "*".to_owned())];
    };
    let fits = |parameter: &str| {
        if name.ends_with('.') {
            parameter.starts_with(name)
        } else {
            parameter == name
        }
    };
    let ids = parameters
        .iter()
        .filter(|(parameter, _)| fits(parameter))
        .map(|(_, id)| id);
    ids.map(|id| {
        let arn = |kind: &str, id: &str, owner: &str| {
            let partition = world.partition();
            format!("arn:{partition}:ec2:{}:{owner}:{kind}/{id}", world.region)
        };
        let mut keys = attribute(action, parameters);
        // IAM reads tags as everybody does, so a fresh one may not count yet.
        for (key, value) in world.shown_tags(View::Seen(world.now), id) {
            keys.insert(format!("aws:ResourceTag/{key}"), value.clone());
            keys.insert(format!("ec2:ResourceTag/{key}"), value);
        }
        if let Some(vpc) = vpc_of(world, id) {
            keys.insert("ec2:Vpc".to_owned(), arn("vpc", &vpc, &world.account));
        }
        let kind = Kind::of(id);
        let owner = kind.and_then(|kind| world.owner_of(View::Truth, kind, id));
        let kind = kind.and_then(Kind::resource_type).unwrap_or("unknown");
        regional(keys, arn(kind, id, owner.unwrap_or(&world.caller)))
    })
    .collect()
}

/// The attribute that is changed, and to what: `ec2:Attribute/NAME` ("Condition keys for Amazon EC2").
/// Which spelling the name has is taken from policies in use, such as `ec2:Attribute/SourceDestCheck`.
fn attribute(action: &str, parameters: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    if !action.starts_with("ec2:modify") {
        return BTreeMap::new();
    }
    let values = parameters.iter().filter_map(|(name, value)| {
        let name = name.strip_suffix(".Value")?;
        Some((format!("ec2:Attribute/{name}"), value.clone()))
    });
    values.collect()
}

fn vpc_of(world: &World, id: &String) -> Option<String> {
    match Kind::of(id)? {
        Kind::Table => world.tables.get(id).map(|table| table.vpc.clone()),
        Kind::Interface => world
            .interfaces
            .get(id)
            .map(|interface| interface.vpc.clone()),
        Kind::Subnet => world.subnets.get(id).map(|subnet| subnet.vpc.clone()),
        _ => None,
    }
}
