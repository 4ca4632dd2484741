//! What goes wrong on demand.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A rule by which calls go wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault<K> {
    /// The actions that are concerned; all if empty. `Describe*` means all that begin so.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Only calls of this caller: an access key, or a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
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
    pub kind: K,
}

fn always() -> f64 {
    1.0
}

/// What an emulator's own kinds of faults say of themselves.
pub trait Kind: Clone {
    /// The name under which the log of calls has it.
    fn name(&self) -> &'static str;

    /// What happens to a call of this kind's on its way, apart from what it is answered.
    fn course(&self) -> Course;

    /// Says what is wrong with the kind itself, if anything is.
    fn check(&self) -> Result<(), String>;
}

/// What happens to a call on its way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// Nothing.
    Undisturbed,
    /// The connection ends before anything is done.
    ResetBefore,
    /// The call is done, then the connection ends without an answer.
    LostAfterCommit,
    /// The call is done only after so many seconds of the emulator's clock.
    Slow(f64),
    /// The call is done at once, its answer comes after so many seconds of the emulator's clock.
    SlowAnswer(f64),
}

/// Says whether a duration of a fault cannot be.
pub fn check_seconds(seconds: f64) -> Result<(), String> {
    Duration::try_from_secs_f64(seconds)
        .map(|_| ())
        .map_err(|why| format!("seconds {seconds}: {why}"))
}

/// Says whether a status cannot be that of an error.
pub fn check_status(status: u16) -> Result<(), String> {
    hyper::StatusCode::from_u16(status)
        .ok()
        .filter(|status| status.is_client_error() || status.is_server_error())
        .map(|_| ())
        .ok_or_else(|| format!("status {status} is not an error's"))
}

impl<K: Kind> Fault<K> {
    /// A fault for every call of `actions`, until it is removed.
    pub fn always(kind: K, actions: &[&str]) -> Self {
        Self {
            actions: actions.iter().map(|&action| action.to_owned()).collect(),
            caller: None,
            parameters: std::collections::BTreeMap::new(),
            after: 0,
            count: None,
            probability: 1.0,
            kind,
        }
    }

    /// A fault for the next `count` calls of `actions`.
    pub fn next(count: u64, kind: K, actions: &[&str]) -> Self {
        Self {
            count: Some(count),
            ..Self::always(kind, actions)
        }
    }

    /// Says what is wrong with the rule itself, if anything is.
    pub fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(format!(
                "probability {} is not between 0 and 1",
                self.probability
            ));
        }
        self.kind.check()
    }
}

/// The faults in force, each with its number.
#[derive(Debug)]
pub struct Faults<K> {
    active: Vec<(u64, Fault<K>)>,
    next: u64,
    random: fastrand::Rng,
}

/// What a fault looks at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The action.
    pub action: &'a str,
    /// Who asks for it.
    pub caller: &'a str,
    /// With which parameters.
    pub parameters: &'a std::collections::BTreeMap<String, String>,
}

impl<K: Kind> Faults<K> {
    /// No faults; the luck of those to come follows from the seed.
    pub fn new(seed: u64) -> Self {
        Self {
            active: Vec::new(),
            next: 1,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// Puts a fault in force; the number ends it.
    pub fn add(&mut self, fault: Fault<K>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.active.push((number, fault));
        number
    }

    /// Ends a fault. False if it was not in force any more.
    pub fn remove(&mut self, number: u64) -> bool {
        let before = self.active.len();
        self.active.retain(|(of, _)| *of != number);
        self.active.len() < before
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.active.clear();
    }

    /// The faults in force, each with its number.
    pub fn list(&self) -> &[(u64, Fault<K>)] {
        &self.active
    }

    /// What happens to this call: the first fault that concerns it and has its turn.
    pub fn strike(&mut self, subject: Subject<'_>) -> Option<K> {
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

fn concerns<K>(fault: &Fault<K>, subject: Subject<'_>) -> bool {
    let named = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => subject.action.starts_with(start),
        None => subject.action == pattern,
    };
    (fault.actions.is_empty() || fault.actions.iter().any(named))
        && fault
            .caller
            .as_ref()
            .is_none_or(|caller| caller == subject.caller)
        && fault
            .parameters
            .iter()
            .all(|(name, value)| subject.parameters.get(name) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Own {
        Throttle,
        Slow { seconds: f64 },
    }

    impl Kind for Own {
        fn name(&self) -> &'static str {
            "own"
        }

        fn course(&self) -> Course {
            Course::Undisturbed
        }

        fn check(&self) -> Result<(), String> {
            Ok(())
        }
    }

    fn strike(faults: &mut Faults<Own>, action: &str) -> Option<Own> {
        let parameters = std::collections::BTreeMap::new();
        faults.strike(Subject {
            action,
            caller: "",
            parameters: &parameters,
        })
    }

    #[test]
    fn a_fault_waits_strikes_and_is_gone() {
        let mut faults = Faults::new(1);
        let fault = Fault::next(2, Own::Throttle, &["Create*"]);
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
        let fault: Fault<Own> = serde_json::from_str(
            r#"{"actions": ["CreateRoute"], "kind": {"slow": {"seconds": 2}}, "count": 1}"#,
        )
        .unwrap();
        assert_eq!(
            fault,
            Fault::next(1, Own::Slow { seconds: 2.0 }, &["CreateRoute"])
        );
        let nonsense = Fault {
            probability: 2.0,
            ..fault
        };
        assert!(nonsense.check().is_err());
        assert!(
            serde_json::from_str::<Fault<Own>>(r#"{"kind": "throttle", "acton": []}"#).is_err()
        );
    }
}
