//! Brings messages to their receivers, each beside the others.

use super::Row;
use super::desk::{Outcome, Task};
use super::message::Message;
use super::receiver::Receiver;
use crate::clock;
use crate::reading::Catalogue;
use crate::source::http::Client;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tracing::warn;

/// How long the messages under way have to arrive when the job ends: what is not known to have arrived is sent again.
const FAREWELL: Duration = Duration::from_secs(10);

/// The receivers, and what is under way to them.
pub struct Sender {
    shared: Arc<Shared>,
    under_way: JoinSet<(Row, Outcome)>,
}

struct Shared {
    receivers: BTreeMap<String, Receiver>,
    client: Client,
    catalogue: Catalogue,
    page: String,
}

impl Sender {
    pub fn new(receivers: BTreeMap<String, Receiver>, client: Client, catalogue: Catalogue, page: String) -> Sender {
        Sender { shared: Arc::new(Shared { receivers, client, catalogue, page }), under_way: JoinSet::new() }
    }

    /// Sends without waiting for the answer.
    pub fn send(&mut self, task: Task) {
        let shared = self.shared.clone();
        self.under_way.spawn(async move {
            let outcome = shared.deliver(&task).await;
            (task.row, outcome)
        });
    }

    /// Sends, and waits for the answer.
    pub async fn deliver(&self, task: &Task) -> Outcome {
        self.shared.deliver(task).await
    }

    /// The next answer; never, while nothing is under way.
    pub async fn answer(&mut self) -> (Row, Outcome) {
        loop {
            match self.under_way.join_next().await {
                Some(Ok(answer)) => return answer,
                Some(Err(error)) => warn!("an alert's task failed: {error}"),
                None => std::future::pending().await,
            }
        }
    }

    /// The answers that come before the job ends.
    pub async fn last_answers(&mut self) -> Vec<(Row, Outcome)> {
        let mut answers = Vec::new();
        let all = async {
            while let Some(ended) = self.under_way.join_next().await {
                answers.extend(ended);
            }
        };
        let _ = tokio::time::timeout(FAREWELL, all).await;
        answers
    }
}

impl Shared {
    async fn deliver(&self, task: &Task) -> Outcome {
        let Some(receiver) = self.receivers.get(&task.row.receiver) else {
            return Outcome::Refused("the configuration names no such receiver".to_owned());
        };
        let message = Message::new(&task.row, &self.catalogue, &self.page);
        let outcome = receiver.deliver(&self.client, &message, task.edits.as_deref(), clock::now()).await;
        if let Outcome::Refused(why) | Outcome::Failed { why, .. } = &outcome {
            warn!("alert {} did not reach {}: {why}", task.row.key(), task.row.receiver);
        }
        outcome
    }
}
