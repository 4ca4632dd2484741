//! The `CNI_*` environment variables.

use crate::error::{Error, ErrorCode, Result};

/// Longest interface name that the kernel takes, in bytes.
const MAX_INTERFACE_NAME: usize = 15;

/// What the runtime asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Add,
    Del,
    Check,
    Gc,
    Status,
    Version,
}

/// The request, as far as it stands in the environment.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) verb: Verb,
    pub(crate) container_id: String,
    /// Path of the pod's network namespace; empty if the runtime gave none, as it may for DEL.
    pub(crate) netns: String,
    pub(crate) interface: String,
    /// What else the runtime wants; see [`request`](crate::request).
    pub(crate) args: String,
}

impl Environment {
    /// Reads and validates the variables that the verb needs.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let text = |name: &str| variable(name).unwrap_or_default();
        let verb = match text("CNI_COMMAND").as_str() {
            "ADD" => Verb::Add,
            "DEL" => Verb::Del,
            "CHECK" => Verb::Check,
            "GC" => Verb::Gc,
            "STATUS" => Verb::Status,
            "VERSION" => Verb::Version,
            "" => {
                return Err(fault("CNI_COMMAND", "is missing").with_details(
                    "this program is called by container runtimes; see signpost-cni --help",
                ));
            }
            other => {
                return Err(fault("CNI_COMMAND", &format!("{other:?} is not known"))
                    .with_details("use ADD, DEL, CHECK, GC, STATUS or VERSION"));
            }
        };
        let environment = Self {
            verb,
            container_id: text("CNI_CONTAINERID"),
            netns: text("CNI_NETNS"),
            interface: text("CNI_IFNAME"),
            args: text("CNI_ARGS"),
        };
        if matches!(verb, Verb::Add | Verb::Del | Verb::Check) {
            environment.check()?;
        }
        Ok(environment)
    }

    /// The error names every variable that is wrong, as the specification demands.
    fn check(&self) -> Result<()> {
        let netns = if self.verb != Verb::Del && self.netns.is_empty() {
            let fault = fault("CNI_NETNS", "is missing");
            Err(fault.with_details("give the path of the pod's network namespace"))
        } else {
            Ok(())
        };
        let checks = [
            check_container_id(&self.container_id),
            check_interface(&self.interface),
            netns,
        ];
        let faults = checks.into_iter().filter_map(Result::err);
        match faults.reduce(|all, next| all.and(&next)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

fn check_container_id(id: &str) -> Result<()> {
    if is_identifier(id) {
        return Ok(());
    }
    let remedy = "it must begin with a letter or digit, followed by letters, digits, '_', '.', '-'";
    Err(fault("CNI_CONTAINERID", &format!("{id:?} is invalid")).with_details(remedy))
}

fn check_interface(name: &str) -> Result<()> {
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    let valid = !name.is_empty()
        && name.len() <= MAX_INTERFACE_NAME
        && !matches!(name, "." | "..")
        && !name.contains(bad);
    if valid {
        return Ok(());
    }
    let remedy = "it must have 1 to 15 bytes, without '/', ':' and spaces, and not be '.' or '..'";
    Err(fault("CNI_IFNAME", &format!("{name:?} is invalid")).with_details(remedy))
}

/// Whether the text has the form that the specification demands of container ids and network names.
pub(crate) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
}

/// An error in an environment variable.
pub(crate) fn fault(variable: &str, fault: &str) -> Error {
    Error::new(
        ErrorCode::Environment,
        format!("environment variable {variable} {fault}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 4] = [
        ("CNI_COMMAND", "ADD"),
        ("CNI_CONTAINERID", "0a1b.c_d-e"),
        ("CNI_NETNS", "/run/netns/x"),
        ("CNI_IFNAME", "eth0"),
    ];

    fn read(changed: &str, value: &str) -> Result<Environment> {
        Environment::read(|name| {
            let (_, given) = COMPLETE.iter().find(|(known, _)| *known == name)?;
            Some(if name == changed { value } else { given }.to_owned())
        })
    }

    #[test]
    fn environment_that_is_complete_is_read() {
        let environment = read("", "").unwrap();
        assert_eq!(environment.verb, Verb::Add);
        assert_eq!(environment.container_id, "0a1b.c_d-e");
        assert_eq!(environment.netns, "/run/netns/x");
        assert_eq!(environment.interface, "eth0");
    }

    #[test]
    fn environment_faults_name_the_variable() {
        for (variable, value) in [
            ("CNI_COMMAND", ""),
            ("CNI_COMMAND", "add"),
            ("CNI_CONTAINERID", ""),
            ("CNI_CONTAINERID", "-x"),
            ("CNI_CONTAINERID", "a/b"),
            ("CNI_IFNAME", ""),
            ("CNI_IFNAME", "sixteen-bytes-xx"),
            ("CNI_IFNAME", ".."),
            ("CNI_IFNAME", "a b"),
            ("CNI_IFNAME", "a/b"),
            ("CNI_IFNAME", "a:b"),
            ("CNI_NETNS", ""),
        ] {
            let error = read(variable, value).unwrap_err().to_json("1.1.0");
            assert_eq!(error["code"], 4, "{variable}={value}");
            assert!(error["msg"].as_str().unwrap().contains(variable), "{error}");
            assert_ne!(error["details"], "", "{variable}={value}");
        }
    }

    #[test]
    fn environment_faults_are_all_told_at_once() {
        let error = Environment::read(|name| (name == "CNI_COMMAND").then(|| "ADD".to_owned()));
        let error = error.unwrap_err().to_json("1.1.0");
        assert_eq!(error["code"], 4);
        for (variable, remedy) in [
            ("CNI_CONTAINERID", "letters"),
            ("CNI_IFNAME", "15 bytes"),
            ("CNI_NETNS", "path"),
        ] {
            assert!(error["msg"].as_str().unwrap().contains(variable), "{error}");
            assert!(
                error["details"].as_str().unwrap().contains(remedy),
                "{error}"
            );
        }
    }

    #[test]
    fn environment_of_version_needs_the_verb_only() {
        let environment =
            Environment::read(|name| (name == "CNI_COMMAND").then(|| "VERSION".to_owned()));
        assert_eq!(environment.unwrap().verb, Verb::Version);
    }
}
