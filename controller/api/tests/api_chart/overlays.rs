//! The chart and the overlays are one.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use crate::support::{Key, RELEASE, chart, helm, overlay, rendered};

/// What helm's users expect on every object, and nobody else.
const LABELS_OF_HELM: [&str; 4] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
];

/// The namespace is made by helm itself, which stores the release there before it makes any object.
const NOT_IN_THE_CHART: &str = "Namespace";

/// Helm takes what is in `crds/` as it is, without labels.
const CRD: &str = "CustomResourceDefinition";

fn typed(object: &Value) -> CustomResourceDefinition {
    serde_json::from_value(object.clone()).unwrap()
}

fn without_labels(objects: &mut BTreeMap<Key, Value>, kind: &str, names: &[&str]) {
    for ((its_kind, _), object) in objects {
        if its_kind == kind || kind.is_empty() {
            let metadata = object["metadata"].as_object_mut().unwrap();
            if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
                for name in names {
                    labels.remove(*name);
                }
                if labels.is_empty() {
                    metadata.remove("labels");
                }
            }
        }
    }
}

#[test]
fn each_provider_is_its_overlay_object_by_object() {
    for provider in ["linux", "aws", "gcp"] {
        let set = format!("cloud.provider={provider}");
        let mut chart = rendered(&["--set", &set]).unwrap();
        without_labels(&mut chart, "", &LABELS_OF_HELM);
        let mut overlay = overlay(provider);
        overlay.retain(|(kind, _), _| kind != NOT_IN_THE_CHART);
        without_labels(&mut overlay, CRD, &["app.kubernetes.io/part-of"]);

        let names = |objects: &BTreeMap<Key, Value>| objects.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&chart), names(&overlay), "{provider}");
        for (key, object) in &overlay {
            if key.0 == CRD {
                // kustomize writes 10000 where the file has 10000.0.
                assert!(typed(&chart[key]) == typed(object), "{provider}: {key:?}");
            } else {
                assert_eq!(&chart[key], object, "{provider}: {key:?}");
            }
        }
    }
}

#[test]
fn linux_is_the_default() {
    let set = rendered(&["--set", "cloud.provider=linux"]).unwrap();
    assert_eq!(rendered(&[]).unwrap(), set);
}

#[test]
fn helm_finds_nothing_to_complain_of() {
    for provider in ["linux", "aws", "gcp"] {
        let set = format!("cloud.provider={provider}");
        helm(None, &["lint", "--strict", &chart(), "--set", &set]).unwrap();
    }
}

#[test]
fn its_version_is_that_of_the_programs() {
    let shown = helm(None, &["show", "chart", &chart()]).unwrap();
    let about: Value = serde_yaml::from_str(&shown).unwrap();
    assert_eq!(about["appVersion"], env!("CARGO_PKG_VERSION"));
    assert_eq!(about["version"], env!("CARGO_PKG_VERSION"));
}

/// A package carries what the links lead to, for those who have no clone.
#[test]
fn a_package_renders_as_the_folder_does() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    helm(None, &["package", &chart(), "--destination", folder]).unwrap();
    let package = format!("{folder}/signpost-{}.tgz", env!("CARGO_PKG_VERSION"));
    let arguments = ["template", RELEASE, "--include-crds"];
    let of = |chart: &str| helm(None, &[&arguments[..], &[chart]].concat()).unwrap();
    assert_eq!(of(&package), of(&chart()));
}
