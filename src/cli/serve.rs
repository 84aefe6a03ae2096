//! `whatsdown serve`: the API over a database that another job feeds, or that was replayed.

use super::context::Context;
use super::failure::{Exit, Stop};
use super::run::{listen, shutdown};
use std::net::SocketAddr;

/// Serve page and API, without listening to anything
#[derive(clap::Args)]
pub struct Args {
    /// Where; whoever reaches this address can read everything
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8370", value_parser = super::address)]
    listen: SocketAddr,
}

pub fn run(args: &Args, context: &mut Context) -> Result<Exit, Stop> {
    context.store()?;
    let runtime = tokio::runtime::Runtime::new().map_err(Stop::failed)?;
    runtime.block_on(async {
        let shutdown = shutdown().map_err(Stop::failed)?;
        listen(args.listen, context).await?;
        shutdown.await;
        Ok(Exit::Done)
    })
}
