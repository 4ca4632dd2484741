//! Versions of the CNI specification, and the VERSION verb.

use std::fmt;

use serde_json::{Value, json};

use crate::error::{Error, ErrorCode, Result};
use crate::input::Input;

/// A version of the specification that is spoken here. They are ordered from old to new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V0_3_0,
    V0_3_1,
    V0_4_0,
    V1_0_0,
    V1_1_0,
}

impl Version {
    pub(crate) const ALL: [Self; 5] = [
        Self::V0_3_0,
        Self::V0_3_1,
        Self::V0_4_0,
        Self::V1_0_0,
        Self::V1_1_0,
    ];
    const NEWEST: Self = Self::V1_1_0;

    /// Fails where this version does not have the verb, which came with `first`.
    pub(crate) fn has(self, verb: &str, first: Self) -> Result<()> {
        if self >= first {
            return Ok(());
        }
        let message = format!("{verb} does not exist in CNI version {self}");
        Err(Error::new(ErrorCode::IncompatibleVersion, message)
            .with_details(format!("set cniVersion to {first} or later")))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::V0_3_0 => "0.3.0",
            Self::V0_3_1 => "0.3.1",
            Self::V0_4_0 => "0.4.0",
            Self::V1_0_0 => "1.0.0",
            Self::V1_1_0 => "1.1.0",
        }
    }

    /// The version that the configuration asks for. Without the field it means 0.1.0.
    pub(crate) fn of_config(input: &Input) -> Result<Self> {
        let asked = match input.get("cniVersion") {
            None => "0.1.0",
            Some(Value::String(text)) => text,
            Some(other) => {
                let message = format!("network configuration: cniVersion {other} is no string");
                return Err(Error::new(ErrorCode::Decode, message)
                    .with_details("write it as in \"cniVersion\": \"1.0.0\""));
            }
        };
        Self::ALL
            .into_iter()
            .find(|version| version.as_str() == asked)
            .ok_or_else(|| {
                let spoken = Self::ALL.map(Self::as_str).join(", ");
                Error::new(
                    ErrorCode::IncompatibleVersion,
                    format!("network configuration: cniVersion {asked} is not supported"),
                )
                .with_details(format!("set cniVersion to one of {spoken}"))
            })
    }

    /// The version to name in an answer: the one asked for if that can be read, else the newest.
    pub(crate) fn requested(input: Option<&Input>) -> String {
        let asked = input.and_then(|input| input.get("cniVersion")?.as_str());
        asked.unwrap_or(Self::NEWEST.as_str()).to_owned()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What VERSION answers: the version that the runtime speaks, and those spoken here. Older runtimes send
/// nothing at all.
pub(crate) fn answer(input: Option<&Input>) -> Value {
    json!({
        "cniVersion": Version::requested(input),
        "supportedVersions": Version::ALL.map(Version::as_str),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(value: &Value) -> Input {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn version_answers_in_the_version_of_the_runtime() {
        assert_eq!(
            answer(Some(&input(&json!({"cniVersion": "0.4.0"})))),
            json!({
                "cniVersion": "0.4.0",
                "supportedVersions": ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
            })
        );
    }

    #[test]
    fn version_answers_runtimes_that_send_nothing() {
        assert_eq!(answer(None)["cniVersion"], "1.1.0");
    }

    #[test]
    fn version_of_a_configuration_must_be_spoken() {
        for (config, code, named) in [
            (json!({"cniVersion": "0.2.0"}), 1, "0.2.0"),
            (json!({"cniVersion": "2.0.0"}), 1, "2.0.0"),
            (json!({"cniVersion": 1}), 6, "cniVersion 1 "),
            (json!({}), 1, "0.1.0"),
        ] {
            let error = Version::of_config(&input(&config)).unwrap_err();
            let error = error.to_json("1.1.0");
            assert_eq!(error["code"], code, "{config}");
            assert!(error["msg"].as_str().unwrap().contains(named), "{error}");
            assert_ne!(error["details"], "", "{config}");
        }
        let config = input(&json!({"cniVersion": "0.3.1"}));
        assert_eq!(Version::of_config(&config).unwrap(), Version::V0_3_1);
    }
}
