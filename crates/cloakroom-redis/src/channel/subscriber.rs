//! One master's subscriptions: made, renewed, and made again.

use super::{Context, heard::Heard};
use crate::{
    Command, DriverError, Reply,
    topology::{Beside, Master},
};
use bytes::Bytes;
use cloakroom_core::{Bucket, Clock as _, Moment, SystemClock};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection that carries the subscriptions of one master's buckets.
struct Subscriber<'a> {
    context: &'a Context,
    beside: Beside,
    heard: Arc<Heard>,
    channels: &'a [(Bytes, Bucket)],
    renewals: u64,
}

/// What a renewal was sent with, and what it says.
struct Renewal {
    sent: Moment,
    published: Vec<u64>,
}

/// Stays subscribed to a master's buckets until it is aborted.
pub(super) async fn keep(context: Arc<Context>, master: Master, sharded: bool) {
    let name = |bucket: &Bucket| (context.keys.bus(*bucket), *bucket);
    let channels: Vec<_> = master.buckets.iter().map(name).collect();
    let (mut pause, mut said) = (SHORTEST_PAUSE, false);
    loop {
        let mut proven = false;
        let lost = listen(&context, &master, sharded, &channels, &mut proven).await;
        if context.rules.terms {
            context.doubt(&master.buckets);
        }
        context.servers.doubt();
        if proven {
            (pause, said) = (SHORTEST_PAUSE, false);
        }
        if !std::mem::replace(&mut said, true) {
            let endpoint = &master.endpoint;
            tracing::warn!(%endpoint, error = %lost, "invalidation channel lost; copies are not trusted");
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Subscribes, and renews until something is wrong; answers what.
async fn listen(
    context: &Arc<Context>,
    master: &Master,
    sharded: bool,
    channels: &[(Bytes, Bucket)],
    proven: &mut bool,
) -> DriverError {
    let heard = Arc::new(Heard::new(Arc::clone(context), channels.iter().cloned()));
    let sink = Arc::clone(&heard);
    let connect = async {
        let sink = Arc::new(move |event| sink.take(&event));
        let subscriber = Subscriber {
            context,
            beside: context.servers.connect(master, sink).await?,
            heard,
            channels,
            renewals: 0,
        };
        subscriber
            .check_server()
            .inspect_err(|_| subscriber.beside.renew_commands())?;
        subscriber.subscribe(sharded).await?;
        Ok(subscriber)
    };
    let connected = timeout(context.timing.connect, connect).await;
    match connected.unwrap_or_else(|_| Err(DriverError::lost("no subscription in time"))) {
        Ok(mut subscriber) => {
            let error = subscriber.renew(proven).await;
            subscriber.heard.end("given up");
            error
        }
        Err(error) => error,
    }
}

impl Subscriber<'_> {
    /// One command for each channel, each with its own reply: those for several are answered in a
    /// way that client crates count differently.
    async fn subscribe(&self, sharded: bool) -> Result<(), DriverError> {
        let name = if sharded { "SSUBSCRIBE" } else { "SUBSCRIBE" };
        for (channel, _) in self.channels {
            let reply = self
                .beside
                .connection
                .call(Command::new(name).arg(channel.clone()));
            if let Reply::Error(error) = reply.await? {
                return Err(DriverError::lost(format!(
                    "{name} was refused: {}",
                    error.code
                )));
            }
        }
        Ok(())
    }

    /// Renews the leases for as long as everything is right; answers what is not.
    async fn renew(&mut self, proven: &mut bool) -> DriverError {
        // The first says where the counts begin; what is read from then on can be proven.
        if let Err(error) = self.begin_counts().await {
            return error;
        }
        if let Err(error) = self.prove().await {
            return error;
        }
        self.heard.begin_terms();
        loop {
            let terms = self.heard.terms();
            let until = match self.prove().await {
                Ok(until) => until,
                Err(error) => return error,
            };
            for (bucket, term) in terms {
                self.context.channel.caught_up(bucket, term, until);
            }
            if !std::mem::replace(proven, true) {
                tracing::info!(
                    buckets = self.channels.len(),
                    "invalidation channel subscribed"
                );
            }
            if let Some(why) = self.pause().await {
                return DriverError::lost(why);
            }
        }
    }

    /// Sees to it that there is a count for each bucket, and that it is none that another server, or
    /// this one before it was emptied, might have too.
    async fn begin_counts(&self) -> Result<(), DriverError> {
        let now = SystemClock.now().unix_timestamp_nanos() / 1000;
        let count = |(_, bucket): &(Bytes, Bucket)| self.count(*bucket);
        let counts = self.all(self.channels.iter().map(count).collect()).await?;
        let begin = |(_, bucket): &(Bytes, Bucket)| {
            let key = self.context.keys.number(*bucket);
            Command::new("SET").arg(key).arg(now.to_string()).arg("NX")
        };
        // Only where it is needed: a server that is full refuses it.
        let unbegun = self.channels.iter().zip(counts);
        let unbegun = unbegun.filter(|(_, count)| *count == Reply::Nil);
        let begin: Vec<_> = unbegun.map(|(channel, _)| begin(channel)).collect();
        if !begin.is_empty() {
            self.all(begin).await?;
        }
        Ok(())
    }

    /// The answers to all of these, none of which is an error.
    async fn all(&self, commands: Vec<Command>) -> Result<Vec<Reply>, DriverError> {
        let answered = self.beside.connection.pipeline(commands);
        let late = |_| DriverError::lost("a renewal was not answered in time");
        let replies = timeout(self.context.timing.answer, answered)
            .await
            .map_err(late)??;
        if let Some(Reply::Error(refused)) = replies.iter().find(|r| matches!(r, Reply::Error(_))) {
            return Err(DriverError::lost(format!(
                "a renewal was refused: {}",
                refused.code
            )));
        }
        Ok(replies)
    }

    /// Proves that all was heard that had been published before the moment it answers.
    async fn prove(&mut self) -> Result<Moment, DriverError> {
        let limit = self.context.timing.answer;
        let whole = timeout(limit, async {
            let renewal = self.ask().await?;
            self.wait_for(&renewal).await?;
            Ok(renewal.sent)
        });
        let late = || Err(DriverError::lost("a renewal was not answered in time"));
        let sent = whole.await.unwrap_or_else(|_| late())?;
        self.check_server()?;
        let from_sending = self.context.rules.from_sending;
        Ok(if from_sending {
            sent
        } else {
            self.context.moment()
        })
    }

    /// Fails if commands went to another server meanwhile: of what they read there, nothing is proven.
    fn check_server(&self) -> Result<(), DriverError> {
        if self.beside.is_of_one_server() || !self.context.rules.one_server {
            return Ok(());
        }
        Err(DriverError::lost(
            "commands go to another server than messages come from",
        ))
    }

    /// Sends one renewal and reads its reply.
    async fn ask(&mut self) -> Result<Renewal, DriverError> {
        self.renewals += 1;
        let nonce = Bytes::from(format!("{:016x}.{}", self.context.instance, self.renewals));
        let before: Vec<_> = self
            .channels
            .iter()
            .map(|(c, _)| self.heard.number(c))
            .collect();
        let mut commands: Vec<_> = self.channels.iter().map(|(_, b)| self.count(*b)).collect();
        commands.extend(self.write());
        commands.push(Command::new("ECHO").arg(nonce.clone()));
        let (sent, asked) = (self.context.moment(), commands.len());
        let mut replies = self.beside.connection.pipeline(commands).await?;
        let echoed = replies.pop();
        if replies.len() + 1 != asked || echoed != Some(Reply::Bytes(nonce)) {
            return Err(DriverError::lost("a renewal got another's reply"));
        }
        if let Some(Reply::Error(error)) = replies.iter().find(|r| matches!(r, Reply::Error(_))) {
            return Err(DriverError::lost(format!(
                "a renewal was refused: {}",
                error.code
            )));
        }
        let published = replies.into_iter().take(self.channels.len()).map(number);
        let published: Vec<_> = published
            .collect::<Option<_>>()
            .ok_or_else(|| DriverError::lost("the number of published messages is no number"))?;
        for ((channel, _), (before, now)) in self.channels.iter().zip(before.iter().zip(&published))
        {
            // The server has forgotten, or is another: counted anew from here.
            if before.is_some_and(|before| before > *now) && self.context.rules.numbers {
                self.heard.doubt(channel, *now);
            }
        }
        Ok(Renewal { sent, published })
    }

    fn count(&self, bucket: Bucket) -> Command {
        Command::new("GET").arg(self.context.keys.number(bucket))
    }

    fn write(&self) -> Option<Command> {
        let (_, bucket) = self.channels.first()?;
        let write = || self.context.proof(*bucket);
        self.context.rules.write.then(write)
    }

    /// Waits until as much was heard as the renewal says was published: what is on its way may
    /// come after the reply, as far as the client crate is concerned.
    async fn wait_for(&self, renewal: &Renewal) -> Result<(), DriverError> {
        if !self.context.rules.numbers {
            return Ok(());
        }
        loop {
            let news = self.heard.news.notified();
            if let Some(why) = self.heard.ended() {
                return Err(DriverError::lost(why));
            }
            let mut all = true;
            for ((channel, _), published) in self.channels.iter().zip(&renewal.published) {
                all &= self.heard.has_heard(channel, *published);
            }
            if all {
                return Ok(());
            }
            if timeout(self.context.timing.interval, news).await.is_err() {
                return Err(DriverError::lost("messages were lost"));
            }
        }
    }

    /// Waits for the next renewal's time; answers why there is none.
    async fn pause(&self) -> Option<&'static str> {
        let over = self.heard.over.notified();
        match timeout(self.context.timing.interval, over).await {
            Ok(()) => self.heard.ended(),
            Err(_) => None,
        }
    }
}

fn number(reply: Reply) -> Option<u64> {
    match reply {
        Reply::Nil => Some(0),
        Reply::Bytes(digits) => std::str::from_utf8(&digits).ok()?.parse().ok(),
        _ => None,
    }
}
