//! What the program was called for, and what it says at its end.

use std::io::stdout;
use std::process::ExitCode;

use crate::options::{Arguments, Command};
use crate::{agent, logging, once, uninstall};

/// Does what the arguments say. The code is 0 if all went well.
pub async fn run(arguments: Arguments) -> ExitCode {
    outcome(arguments).await.unwrap_or_else(|error| {
        eprintln!("Error: {error:?}");
        ExitCode::FAILURE
    })
}

async fn outcome(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Some(Command::Uninstall(options)) = arguments.command {
        uninstall::run(&options, &mut stdout())?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = arguments.options;
    logging::start(options.log_format);
    if options.once || options.dry_run {
        let outcome = once::run(&options, &mut stdout()).await?;
        if let Some(reason) = outcome.reason() {
            eprintln!("Not as planned: {reason}");
        }
        return Ok(outcome.code().into());
    }
    agent::run(options).await?;
    Ok(ExitCode::SUCCESS)
}
