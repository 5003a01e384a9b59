//! What instances do all the time: answer reads, write, log users in and out.
//!
//! Requests come whether or not earlier ones were answered, as they do on a server.

mod logins;
mod reads;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use cloakroom_core::Error;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::history::What;
use super::random::Random;
use super::world::World;

pub(crate) use logins::come_and_go;
pub(crate) use reads::read;
pub(crate) use writes::write;

/// Who a client's requests go to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Served {
    ByOne(usize),
    ByAny,
}

impl Served {
    fn instance(self, world: &World, random: &mut Random) -> usize {
        match self {
            Self::ByOne(instance) => instance,
            Self::ByAny => random.below(world.instances.len()),
        }
    }
}

/// Nothing is worked around: what fails must be the store that could not be reached.
fn may_fail(error: &Error) -> What {
    assert!(error.is_unavailable(), "{error}: {error:?}");
    What::Failed
}

/// Runs until the world's time is over, and until all that it began has an answer.
async fn requests(world: &Arc<World>, mut begin: impl FnMut(&mut JoinSet<()>) -> Duration) {
    let mut under_way = JoinSet::new();
    while !world.is_over() {
        let pause = begin(&mut under_way);
        sleep(pause).await;
        while let Some(done) = under_way.try_join_next() {
            done.unwrap();
        }
    }
    while let Some(done) = under_way.join_next().await {
        done.unwrap();
    }
}
