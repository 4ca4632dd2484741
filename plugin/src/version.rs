//! Versions of the CNI specification, and the VERSION verb.

use std::fmt;

use serde_json::{Value, json};

use crate::config::decode;
use crate::error::{Error, ErrorCode, Result};

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
    pub(crate) fn of_config(input: &str) -> Result<Self> {
        let asked = match decode(input)?.get("cniVersion") {
            None => "0.1.0".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
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

    /// The version to name in an error: the one asked for if that can be read, else the newest.
    pub(crate) fn requested(input: &str) -> String {
        decode(input)
            .ok()
            .and_then(|config| config.get("cniVersion")?.as_str().map(str::to_owned))
            .unwrap_or_else(|| Self::NEWEST.as_str().to_owned())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What VERSION answers: the version that the runtime speaks, and those spoken here.
pub(crate) fn answer(input: &str) -> Result<Value> {
    // Older runtimes send nothing at all.
    let version = if input.trim().is_empty() {
        Version::NEWEST.as_str().to_owned()
    } else {
        decode(input)?;
        Version::requested(input)
    };
    Ok(json!({
        "cniVersion": version,
        "supportedVersions": Version::ALL.map(Version::as_str),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_answers_in_the_version_of_the_runtime() {
        let answer = answer(r#"{"cniVersion":"0.4.0"}"#).unwrap();
        assert_eq!(
            answer,
            json!({
                "cniVersion": "0.4.0",
                "supportedVersions": ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
            })
        );
    }

    #[test]
    fn version_answers_runtimes_that_send_nothing() {
        assert_eq!(answer("\n").unwrap()["cniVersion"], "1.1.0");
    }

    #[test]
    fn version_of_a_configuration_must_be_spoken() {
        for (input, named) in [
            (r#"{"cniVersion":"0.2.0"}"#, "0.2.0"),
            (r#"{"cniVersion":"2.0.0"}"#, "2.0.0"),
            (r#"{"cniVersion":1}"#, "1"),
            ("{}", "0.1.0"),
        ] {
            let error = Version::of_config(input).unwrap_err().to_json("1.1.0");
            assert_eq!(error["code"], 1, "{input}");
            assert!(error["msg"].as_str().unwrap().contains(named), "{error}");
        }
        assert_eq!(
            Version::of_config(r#"{"cniVersion":"0.3.1"}"#).unwrap(),
            Version::V0_3_1
        );
    }
}
