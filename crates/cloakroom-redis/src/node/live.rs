//! One connection, and the asking.

use super::{Request, replicas::Replicas, server::Server};
use crate::{Command, Connection, DriverError, Endpoint, Reply};
use bytes::Bytes;
use std::sync::Arc;
use tokio::sync::Notify;

/// A connection that passed the handshake, with the scripts that its server holds.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) endpoint: Endpoint,
    pub(super) server: Server,
    pub(super) connection: Box<dyn Connection>,
    /// The scripts' hashes, by [`Script::index`](crate::scripts::Script::index).
    pub(super) hashes: Vec<Bytes>,
    pub(super) closed: Arc<Notify>,
    /// How its server's replicas are asked.
    pub(super) replicas: Replicas,
}

impl Live {
    /// Sends, and then asks the replicas, if that is wished.
    pub(super) async fn ask(
        &self,
        request: Request<'_>,
        asking: bool,
    ) -> Result<Vec<Reply>, DriverError> {
        let mut replies = self.ask_once(request, asking).await?;
        if let Request::Confirmed(_, wish) = request {
            let refused = |reply: &Reply| matches!(reply, Reply::Error(_));
            // What did not run needs no confirmation.
            let confirmed = match replies.iter().all(refused) {
                true => 0,
                false => self.replicas.confirm(&self.server.run, wish).await,
            };
            replies.push(Reply::Int(confirmed));
        }
        Ok(replies)
    }

    /// Sends, and sends again by its text a script that the server has lost.
    async fn ask_once(
        &self,
        request: Request<'_>,
        asking: bool,
    ) -> Result<Vec<Reply>, DriverError> {
        let in_cluster = self.server.in_cluster;
        let replies = self.exchange(request.commands(&self.hashes, in_cluster), asking);
        let replies = replies.await?;
        match request.by_text(&replies, in_cluster) {
            Some(by_text) => self.exchange(vec![by_text], asking).await,
            None => Ok(replies),
        }
    }

    async fn exchange(
        &self,
        mut commands: Vec<Command>,
        asking: bool,
    ) -> Result<Vec<Reply>, DriverError> {
        if asking {
            let each = |command| [Command::new("ASKING"), command];
            commands = commands.into_iter().flat_map(each).collect();
        } else if commands.len() == 1 {
            let command = commands.remove(0);
            return Ok(vec![self.connection.call(command).await?]);
        }
        let sent = commands.len();
        let replies = self.connection.pipeline(commands).await?;
        if replies.len() != sent {
            return Err(DriverError::lost("the server left commands unanswered"));
        }
        // Of each pair the second is the answer.
        let step = 1 + usize::from(asking);
        Ok(replies.into_iter().skip(step - 1).step_by(step).collect())
    }
}
