//! What Ginkgo reports of a run.

use std::fmt::{Display, Formatter};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// How the tests of one run ended.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) passed: usize,
    pub(super) failed: Vec<Story>,
    /// Those that were chosen and did not run, or gave up at once.
    pub(super) skipped: Vec<Story>,
}

/// A test that did not pass, and what it says of that.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Story {
    pub(super) name: String,
    pub(super) why: String,
}

impl Outcome {
    /// Of a cluster on which no test could run.
    pub(super) fn of_none(error: &anyhow::Error) -> Self {
        let failed = Story {
            name: "the run itself".into(),
            why: format!("{error:#}"),
        };
        Self {
            passed: 0,
            failed: vec![failed],
            skipped: Vec::new(),
        }
    }
}

impl Display for Outcome {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> std::fmt::Result {
        let (failed, skipped) = (self.failed.len(), self.skipped.len());
        write!(
            formatter,
            "{} passed, {failed} failed, {skipped} skipped",
            self.passed
        )
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Suite {
    spec_reports: Option<Vec<Spec>>,
}

/// A test, or one of the nodes around all of them (which is no `It`).
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Spec {
    container_hierarchy_texts: Option<Vec<String>>,
    leaf_node_type: String,
    leaf_node_text: String,
    state: String,
    failure: Option<Failure>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Failure {
    message: String,
}

impl Spec {
    fn is_test(&self) -> bool {
        self.leaf_node_type == "It"
    }

    fn name(&self) -> String {
        if !self.is_test() {
            return self.leaf_node_type.clone();
        }
        let texts = self.container_hierarchy_texts.iter().flatten();
        let texts: Vec<&str> = texts.map(String::as_str).collect();
        format!("{} {}", texts.join(" "), self.leaf_node_text)
    }
}

/// The names of the tests that a dry run would have run.
pub(super) fn chosen(file: &Path) -> Result<Vec<String>> {
    let specs = specs(file)?;
    let chosen = specs
        .iter()
        .filter(|it| it.is_test() && it.state == "passed");
    Ok(chosen.map(Spec::name).collect())
}

/// How the chosen tests ended, and what failed around them.
pub(super) fn read(file: &Path, chosen: &[String]) -> Result<Outcome> {
    let mut outcome = Outcome {
        passed: 0,
        failed: Vec::new(),
        skipped: Vec::new(),
    };
    for spec in specs(file)? {
        let (name, is_test) = (spec.name(), spec.is_test());
        let why = spec.failure.unwrap_or_default().message;
        match spec.state.as_str() {
            "passed" if is_test => outcome.passed += 1,
            "passed" => {}
            "skipped" | "pending" => {
                if chosen.contains(&name) {
                    outcome.skipped.push(Story { name, why });
                }
            }
            state => {
                let why = format!("{state}: {why}");
                outcome.failed.push(Story { name, why });
            }
        }
    }
    Ok(outcome)
}

fn specs(file: &Path) -> Result<Vec<Spec>> {
    let shown = || format!("reading {}", file.display());
    let suites = BufReader::new(File::open(file).with_context(shown)?);
    let suites: Vec<Suite> = serde_json::from_reader(suites).with_context(shown)?;
    let specs = suites.into_iter().filter_map(|suite| suite.spec_reports);
    Ok(specs.flatten().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_what_was_chosen_and_what_failed_around_it() {
        let test = |name: &str, state: &str| {
            json!({
                "ContainerHierarchyTexts": ["[sig-network]", "Services"],
                "LeafNodeType": "It", "LeafNodeText": name, "State": state,
                "Failure": {"Message": "no answer"},
            })
        };
        let around = |kind: &str, state: &str| {
            json!({
                "ContainerHierarchyTexts": null,
                "LeafNodeType": kind, "LeafNodeText": "", "State": state,
            })
        };
        let report = json!([{"SpecReports": [
            around("SynchronizedBeforeSuite", "passed"),
            around("ReportAfterSuite", "failed"),
            test("a", "passed"),
            test("b", "timedout"),
            test("c", "skipped"),
            test("of others", "skipped"),
        ]}]);
        let file = std::env::temp_dir().join(format!("report-{}.json", std::process::id()));
        std::fs::write(&file, report.to_string()).unwrap();
        let chosen = ["a", "b", "c"].map(|name| format!("[sig-network] Services {name}"));
        let outcome = read(&file, &chosen);
        std::fs::remove_file(&file).unwrap();

        let outcome = outcome.unwrap();
        assert_eq!(outcome.to_string(), "1 passed, 2 failed, 1 skipped");
        let names = |stories: &[Story]| {
            let told = stories.iter().map(|it| format!("{}: {}", it.name, it.why));
            told.collect::<Vec<_>>()
        };
        let skipped = ["[sig-network] Services c: no answer"];
        assert_eq!(names(&outcome.skipped), skipped);
        let failed = [
            "ReportAfterSuite: failed: ",
            "[sig-network] Services b: timedout: no answer",
        ];
        assert_eq!(names(&outcome.failed), failed);
    }
}
