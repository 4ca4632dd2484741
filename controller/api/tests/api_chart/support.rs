//! helm and kubectl, run as people run them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize as _;
use serde_json::Value;
use signpost_testing::{Binaries, ControlPlane, repository};

pub(crate) const NAMESPACE: &str = "signpost-system";
pub(crate) const RELEASE: &str = "signpost";

/// Kind and name.
pub(crate) type Key = (String, String);

pub(crate) fn manifests() -> PathBuf {
    repository().unwrap().join("manifests")
}

pub(crate) fn chart() -> String {
    manifests().join("chart").display().to_string()
}

/// What a program printed, or if it failed, what it complained of.
pub(crate) type Said = Result<String, String>;

/// Runs helm in the namespace of the project; on a cluster where one is given, else on none.
pub(crate) fn helm(cluster: Option<&ControlPlane>, arguments: &[&str]) -> Said {
    let kubeconfig = cluster.map_or("/dev/null".into(), |it| it.kubeconfig().unwrap());
    let mut command = command("helm");
    command.args(["--namespace", NAMESPACE]).args(arguments);
    command.env("KUBECONFIG", kubeconfig);
    for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
        command.env(variable, env!("CARGO_TARGET_TMPDIR"));
    }
    run(command)
}

/// Runs kubectl, which is given the kubeconfig of the administrator.
pub(crate) fn kubectl(cluster: &ControlPlane, arguments: &[&str]) -> Said {
    let mut command = command("kubectl");
    command.args(arguments);
    command.env("KUBECONFIG", cluster.kubeconfig().unwrap());
    run(command)
}

fn command(name: &'static str) -> Command {
    Command::new(Binaries::ensure(&[name]).unwrap().path(name).unwrap())
}

fn run(mut command: Command) -> Said {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

/// The objects that helm would install, with options such as `--set`.
pub(crate) fn rendered(options: &[&str]) -> Result<BTreeMap<Key, Value>, String> {
    let chart = chart();
    let arguments = ["template", RELEASE, &chart, "--include-crds", "--no-hooks"];
    helm(None, &[&arguments, options].concat()).map(|text| objects(&text))
}

/// The objects of an overlay.
pub(crate) fn overlay(name: &str) -> BTreeMap<Key, Value> {
    let mut command = command("kubectl");
    command.arg("kustomize").arg(manifests().join(name));
    objects(&run(command).unwrap())
}

/// The objects in a file of YAML, each once.
pub(crate) fn objects(text: &str) -> BTreeMap<Key, Value> {
    let mut objects = BTreeMap::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = Value::deserialize(document).unwrap();
        if !object.is_null() {
            let name = |pointer| {
                object
                    .pointer(pointer)
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            };
            let key = (name("/kind"), name("/metadata/name"));
            assert!(objects.insert(key.clone(), object).is_none(), "{key:?}");
        }
    }
    objects
}

/// One of the objects.
pub(crate) fn find<'a>(objects: &'a BTreeMap<Key, Value>, kind: &str, name: &str) -> &'a Value {
    &objects[&(kind.to_owned(), name.to_owned())]
}
