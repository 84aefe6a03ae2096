//! For those who keep the job running: does it answer, and does it keep up?

use super::App;
use super::problem::Problem;
use crate::report::time;
use crate::store::Stamp;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::TimeDelta;

/// How far the job's clock may lie behind the wall clock.
const BEHIND: TimeDelta = TimeDelta::minutes(5);

/// It answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The job behind the database keeps up with the time; where a recording was replayed, the database can be read.
pub async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    let not_yet = |why: String| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, why)
            .hint("is `whatsdown run` running? `/api/v1/sources` tells how the sources fare")
            .retry_after(30)
    };
    app.read(move |_, store| {
        if store.stamp == Stamp::Replayed {
            return Ok("ready: a recording was replayed\n");
        }
        let Some(clock) = store.clock()? else {
            return Err(not_yet("no minute is counted yet: the job reads what was missed first".to_owned()));
        };
        let behind = store.now()? - clock;
        if behind > BEHIND {
            return Err(not_yet(format!("the last minute that is counted ended {} ago", time::duration(behind))));
        }
        Ok("ready\n")
    })
    .await
}
