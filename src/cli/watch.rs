//! `--watch`: an answer, again and again.

use super::context::Context;
use super::failure::{Exit, Stop};
use std::io::{self, IsTerminal as _};
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(5);
/// To the upper left corner, and everything cleared.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Answers every few seconds until it is interrupted or nobody reads on.
pub fn forever(
    context: &mut Context,
    mut answer: impl FnMut(&mut Context) -> Result<Exit, Stop>,
) -> Result<Exit, Stop> {
    let before = if io::stdout().is_terminal() { CLEAR } else { "" };
    loop {
        context.out.text(before)?;
        answer(context)?;
        context.out.finish()?;
        std::thread::sleep(EVERY);
    }
}
