//! What the program was called for, and what it says at its end.

use std::io::stdout;
use std::process::ExitCode;

use crate::options::{Arguments, Command};
use crate::{agent, logging, uninstall};

/// Does what the arguments say. The code is 0 if all went well.
pub async fn run(arguments: Arguments) -> ExitCode {
    let options = arguments.options;
    let outcome = match arguments.command {
        Some(Command::Uninstall(options)) => uninstall::run(&options, &mut stdout()),
        None => {
            logging::start(options.log_format);
            agent::run(options).await
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error:?}");
            ExitCode::FAILURE
        }
    }
}
