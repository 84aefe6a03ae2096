//! `whatsdown man`: the manual pages.

use super::Cli;
use super::context::Context;
use super::failure::{Exit, Stop};
use clap::CommandFactory as _;
use std::path::PathBuf;

/// The manual pages
#[derive(clap::Args)]
pub struct Args {
    /// Write one file a page into this folder instead of all to standard output
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    if let Some(folder) = &args.out {
        let failed = |error: std::io::Error| {
            Stop::failed(format!("cannot write into {}: {error}", folder.display())).hint("does the folder exist?")
        };
        clap_mangen::generate_to(Cli::command(), folder).map_err(failed)?;
        return Ok(Exit::Done);
    }
    let mut root = Cli::command();
    root.build();
    let pages = std::iter::once(&root).chain(root.get_subcommands().filter(|command| !command.is_hide_set()));
    for command in pages {
        let mut page = Vec::new();
        clap_mangen::Man::new(command.clone()).render(&mut page).map_err(Stop::failed)?;
        context.out.text(&String::from_utf8_lossy(&page))?;
    }
    Ok(Exit::Done)
}
