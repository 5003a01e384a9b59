//! An attacker who plants an id before somebody logs in.

use crate::web::support::{Browser, World, on_both};

use super::forged;

on_both!(
    an_invented_id_does_not_survive_login,
    an_id_of_the_attacker_s_own_does_not_survive_login,
    a_shared_id_does_not_survive_a_change_of_user,
);

/// A13: well-formed and never issued.
async fn an_invented_id_does_not_survive_login(world: World) {
    let [a, b] = world.instances().await;
    let planted = forged().expose_secret();
    let mut victim = Browser::with_id(&planted);
    victim.log_in(&a.app, "victim").await;
    assert_ne!(victim.id(), Some(&*planted));
    for instance in [&a, &b] {
        assert_eq!(Browser::with_id(&planted).user(&instance.app).await, None);
        assert_eq!(victim.user(&instance.app).await.as_deref(), Some("victim"));
    }
    assert_eq!(world.live().await, 1);
}

/// A14: the attacker's own anonymous session.
async fn an_id_of_the_attacker_s_own_does_not_survive_login(world: World) {
    let [a, b] = world.instances().await;
    let mut attacker = Browser::new();
    attacker.put(&a.app, "/attr/cart", "bait").await.is(200);
    let planted = attacker.id().unwrap().to_owned();
    let mut victim = Browser::with_id(&planted);
    victim.log_in(&b.app, "victim").await;
    victim.put(&b.app, "/attr/card", "4111").await.is(200);
    for instance in [&a, &b] {
        for path in ["/attr/card", "/attr/cart"] {
            attacker.clone().get(&instance.app, path).await.is(404);
        }
        assert_eq!(attacker.clone().user(&instance.app).await, None);
        let write = attacker
            .clone()
            .put(&instance.app, "/attr/card", "mine")
            .await;
        assert_eq!(write.new_id(), None, "it is not told a new id either");
        assert_eq!(
            victim.attr(&instance.app, "card").await.as_deref(),
            Some("4111")
        );
    }
}

/// A15, A16: logging in again, as the same user and as another, ends the id before.
async fn a_shared_id_does_not_survive_a_change_of_user(world: World) {
    let [a, b] = world.instances().await;
    let mut browser = Browser::new();
    let mut before = Vec::<String>::new();
    for user in ["alice", "alice", "bob", "alice"] {
        browser.log_in(&a.app, user).await;
        for id in &before {
            assert_eq!(Browser::with_id(id).user(&b.app).await, None);
        }
        before.push(browser.id().unwrap().to_owned());
        assert_eq!(browser.user(&b.app).await.as_deref(), Some(user));
        assert_eq!(world.live().await, 1);
    }
}
