//! One look at the node instead of an endless life, from a timer or a shell; on a dry run nothing changes.

use std::io::Write;

use tokio::time::timeout;

use crate::agent::{Agent, Missing};
use crate::kubernetes::client;
use crate::machine::Machine;
use crate::options::Options;

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The node is as planned, or would be after a dry run.
    AsPlanned,
    /// Something could not be done.
    Failed(String),
    /// Somebody else has to do something first.
    Waits(String),
    /// The API server did not answer in time.
    Unanswered(String),
}

impl Outcome {
    /// The code with which the program ends.
    pub fn code(&self) -> u8 {
        match self {
            Self::AsPlanned => 0,
            Self::Failed(_) => 1,
            Self::Waits(_) => 3,
            Self::Unanswered(_) => 4,
        }
    }

    /// Why the node is not as planned.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::AsPlanned => None,
            Self::Failed(reason) | Self::Waits(reason) | Self::Unanswered(reason) => Some(reason),
        }
    }
}

/// Makes the node as planned, as far as that can be done at once. A dry run says on `out` what it would do.
///
/// # Errors
///
/// As [`crate::agent::run`].
pub async fn run(options: &Options, out: &mut impl Write) -> anyhow::Result<Outcome> {
    let machine = Machine::new(options)?;
    let client = client(options.kubeconfig.as_deref()).await?;
    let mut agent = Agent::new(options, machine, &client);
    let limit = options.once_timeout();
    if timeout(limit, agent.answered()).await.is_err() {
        return Ok(Outcome::Unanswered(format!(
            "the API server has told nothing of this node within {} s: see the log above, or give it \
             more time with --once-timeout",
            limit.as_secs()
        )));
    }
    let missing = agent.act();
    if options.dry_run {
        let changes = agent.changes();
        for change in &changes {
            writeln!(out, "would {change}")?;
        }
        if changes.is_empty() {
            writeln!(out, "nothing would be changed")?;
        }
    }
    Ok(match missing {
        None => Outcome::AsPlanned,
        Some(Missing::Awaited(reason)) => Outcome::Waits(reason),
        Some(Missing::Failed(reason)) => Outcome::Failed(reason),
    })
}
