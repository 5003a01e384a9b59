//! Ids that nobody was given.

use crate::draft::fresh_id;
use crate::ground::Ground;
use crate::subject::Entry;
use crate::verdict::{Verdict, absent, broken};

/// How many a client tries.
const TRIES: usize = 20;

pub(super) async fn a_forged_id_makes_no_session(ground: Ground) -> Verdict {
    let store = ground.open().await?;
    for _ in 0..TRIES {
        let forged = fresh_id();
        absent(store.load(forged).await?.as_ref())?;
        let created = store.create(Entry::fresh()).await?;
        if created.id == forged {
            return Err(broken("the forged id was given to a session"));
        }
        store.save(&created).await?;
        absent(store.load(forged).await?.as_ref())?;
    }
    Ok(())
}
