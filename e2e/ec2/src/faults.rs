//! What goes wrong on demand.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A rule by which calls go wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The actions that are concerned; all if empty. `Describe*` means all that begin so.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Only calls signed with this access key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// Only calls in which each of these parameters has this value.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub parameters: std::collections::BTreeMap<String, String>,
    /// How many calls of those concerned pass before the first that goes wrong.
    #[serde(default)]
    pub after: u64,
    /// How many calls go wrong; without it, until the fault is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// The share of calls concerned that go wrong, from 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// What happens to them: in JSON `"throttle"`, or `{"slow": {"seconds": 2}}`.
    pub kind: FaultKind,
}

fn always() -> f64 {
    1.0
}

/// What happens to a call that goes wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// 503 `RequestLimitExceeded`; nothing is done.
    Throttle,
    /// 500 `InternalError`; nothing is done.
    Error500,
    /// An error of one's choice; nothing is done.
    Error {
        /// The HTTP status.
        status: u16,
        /// EC2's error code.
        code: String,
    },
    /// 403 `UnauthorizedOperation`, as IAM refuses an action; nothing is done.
    Unauthorized,
    /// 400 `RequestExpired`, as for an expired token; nothing is done.
    Expired,
    /// The connection ends before anything is done.
    ResetBefore,
    /// The call is done, then the connection ends without an answer.
    LostAfterCommit,
    /// A listing shows what others saw some time ago.
    Stale {
        /// Seconds of the emulator's clock, up to 600.
        seconds: f64,
    },
    /// The call is done only after a delay, whether the client still waits or not.
    Slow {
        /// Seconds of the emulator's clock.
        seconds: f64,
    },
    /// The call is done at once, its answer comes after a delay.
    SlowAnswer {
        /// Seconds of the emulator's clock.
        seconds: f64,
    },
}

impl FaultKind {
    /// The name under which the log of calls has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Error500 => "error500",
            Self::Error { .. } => "error",
            Self::Unauthorized => "unauthorized",
            Self::Expired => "expired",
            Self::ResetBefore => "reset_before",
            Self::LostAfterCommit => "lost_after_commit",
            Self::Stale { .. } => "stale",
            Self::Slow { .. } => "slow",
            Self::SlowAnswer { .. } => "slow_answer",
        }
    }
}

impl Fault {
    /// A fault for every call of `actions`, until it is removed.
    pub fn always(kind: FaultKind, actions: &[&str]) -> Self {
        Self {
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
            access_key: None,
            parameters: std::collections::BTreeMap::new(),
            after: 0,
            count: None,
            probability: 1.0,
            kind,
        }
    }

    /// A fault for the next `count` calls of `actions`.
    pub fn next(count: u64, kind: FaultKind, actions: &[&str]) -> Self {
        Self {
            count: Some(count),
            ..Self::always(kind, actions)
        }
    }

    /// Says what is wrong with the rule itself, if anything is.
    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(format!(
                "probability {} is not between 0 and 1",
                self.probability
            ));
        }
        match &self.kind {
            FaultKind::Stale { seconds }
            | FaultKind::Slow { seconds }
            | FaultKind::SlowAnswer { seconds } => Duration::try_from_secs_f64(*seconds)
                .map(|_| ())
                .map_err(|why| format!("seconds {seconds}: {why}")),
            FaultKind::Error { status, .. } => hyper::StatusCode::from_u16(*status)
                .ok()
                .filter(|status| status.is_client_error() || status.is_server_error())
                .map(|_| ())
                .ok_or_else(|| format!("status {status} is not an error's")),
            _ => Ok(()),
        }
    }
}

/// The faults in force, each with its number.
#[derive(Debug)]
pub(crate) struct Faults {
    active: Vec<(u64, Fault)>,
    next: u64,
    random: fastrand::Rng,
}

/// What a fault looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) action: &'a str,
    pub(crate) access_key: &'a str,
    pub(crate) parameters: &'a std::collections::BTreeMap<String, String>,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            active: Vec::new(),
            next: 1,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        let number = self.next;
        self.next += 1;
        self.active.push((number, fault));
        number
    }

    /// Whether the fault was in force.
    pub(crate) fn remove(&mut self, number: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|(of, _)| *of != number);
        self.active.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    pub(crate) fn list(&self) -> &[(u64, Fault)] {
        &self.active
    }

    /// What happens to this call: the first fault that concerns it and has its turn.
    pub(crate) fn strike(&mut self, subject: Subject<'_>) -> Option<FaultKind> {
        let index = self.active.iter_mut().position(|(_, fault)| {
            if !concerns(fault, subject) {
                return false;
            }
            if fault.after > 0 {
                fault.after -= 1;
                return false;
            }
            fault.count != Some(0)
                && (fault.probability >= 1.0 || self.random.f64() < fault.probability)
        })?;
        let fault = &mut self.active[index].1;
        let kind = fault.kind.clone();
        if let Some(count) = &mut fault.count {
            *count -= 1;
            if *count == 0 {
                self.active.remove(index);
            }
        }
        Some(kind)
    }
}

fn concerns(fault: &Fault, subject: Subject<'_>) -> bool {
    let named = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => subject.action.starts_with(start),
        None => subject.action == pattern,
    };
    (fault.actions.is_empty() || fault.actions.iter().any(named))
        && fault
            .access_key
            .as_ref()
            .is_none_or(|key| key == subject.access_key)
        && fault
            .parameters
            .iter()
            .all(|(name, value)| subject.parameters.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(faults: &mut Faults, action: &str) -> Option<FaultKind> {
        let parameters = std::collections::BTreeMap::new();
        faults.strike(Subject {
            action,
            access_key: "",
            parameters: &parameters,
        })
    }

    #[test]
    fn a_fault_waits_strikes_and_is_gone() {
        let mut faults = Faults::new(1);
        let fault = Fault::next(2, FaultKind::Throttle, &["Create*"]);
        faults.add(Fault { after: 1, ..fault });
        assert_eq!(strike(&mut faults, "DescribeVpcs"), None);
        let struck: Vec<bool> = (0..4)
            .map(|_| strike(&mut faults, "CreateRoute").is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false]);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn a_rule_of_json_names_its_kind() {
        let fault: Fault = serde_json::from_str(
            r#"{"actions": ["CreateRoute"], "kind": {"slow": {"seconds": 2}}, "count": 1}"#,
        )
        .unwrap();
        assert_eq!(
            fault,
            Fault::next(1, FaultKind::Slow { seconds: 2.0 }, &["CreateRoute"])
        );
        let nonsense = Fault {
            probability: 2.0,
            ..fault
        };
        assert!(nonsense.check().is_err());
        assert!(serde_json::from_str::<Fault>(r#"{"kind": "throttle", "acton": []}"#).is_err());
    }
}
