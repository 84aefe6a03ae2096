//! `whatsdown completions`: what a shell needs to complete our words.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::{Cli, NAME};
use clap::CommandFactory as _;
use clap_complete::Shell;

/// Completions for a shell, to be read by it
#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    context.out.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
