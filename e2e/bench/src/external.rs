//! Rows that other programs measured: each prints them to its standard output as a JSON list of
//! [`Row`]s.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::report::{Report, Row};
use crate::world::say;

/// The engine alone, by its own benchmark.
pub(crate) fn core(report: &mut Report) -> Result<()> {
    say("the engine alone");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["bench", "--quiet", "--package", "signpost-core"])
        .args(["--bench", "scale", "--", "--json"])
        .current_dir(signpost_testing::repository()?);
    rows(command, report)
}

fn rows(mut command: Command, report: &mut Report) -> Result<()> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{:?}: {}", command, output.status);
    let rows: Vec<Row> = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the output of {command:?} is no list of rows"))?;
    for row in rows {
        report.add(row);
    }
    Ok(())
}
