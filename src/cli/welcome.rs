//! `whatsdown` alone: what to do next.

use super::context::Context;
use super::failure::{Exit, Stop};

const FIRST: &str = "\
whatsdown turns public posts about services that fail into dated, evidenced incidents.

There is nothing to ask yet: no posts have been read. Begin with one of

  whatsdown run              listen to the networks that need no key, until Ctrl-C
  whatsdown replay FILE      read recorded posts, one JSON object a line
  whatsdown explain \"is tiktok down? can't log in\"
                             how one post would be read; needs nothing

Then ask, from another terminal:

  whatsdown status           what is down now
  whatsdown incidents        what was down, newest first
  whatsdown timeline         the newest incident, told

`whatsdown help` lists every command.
";

const LATER: &str = "\
whatsdown turns public posts about services that fail into dated, evidenced incidents.

  whatsdown status           what is down now
  whatsdown incidents        what was down, newest first
  whatsdown timeline         the newest incident, told
  whatsdown spikes           where more people reported than usual
  whatsdown sources          whether the sources are heard

`whatsdown help` lists every command.
";

/// Someone who types the bare name asks what this is; the answer is no error.
pub fn run(context: &mut Context) -> Result<Exit, Stop> {
    let text = if context.database()?.exists() { LATER } else { FIRST };
    context.out.text(text)?;
    Ok(Exit::Done)
}
