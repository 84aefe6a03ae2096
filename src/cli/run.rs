//! `whatsdown run`: the background job.

use super::context::Context;
use super::failure::{Exit, Stop};

/// The background job: listen, count, detect, keep the timelines written
#[derive(clap::Args)]
pub struct Args {}

pub fn run(_: &Args, _: &mut Context) -> Result<Exit, Stop> {
    Err(Stop::failed("x"))
}
