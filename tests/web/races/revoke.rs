//! Logins while all of the user's sessions are revoked.

use tokio::join;

use super::{ROUNDS, stagger};
use crate::web::support::{Browser, World, at_once, on_both};

on_both!(each_login_is_either_revoked_or_alive);

const LOGINS: usize = 20;

async fn each_login_is_either_revoked_or_alive(world: World) {
    let [a, b] = world.instances().await;
    let mut ended = 0;
    for round in 0..ROUNDS {
        let mut first = Browser::new();
        first.log_in(&a.app, "alice").await;
        let logins = at_once(LOGINS, |turn| {
            let app = if turn % 2 == 0 { &a.app } else { &b.app }.clone();
            async move {
                let mut browser = Browser::new();
                browser.log_in(&app, "alice").await;
                browser
            }
        });
        let revoke = async {
            stagger(round % 40).await;
            a.sessions.revoke_user("alice").await.unwrap()
        };
        let (mut browsers, revoked) = join!(logins, revoke);
        assert_eq!(first.user(&b.app).await, None, "it was there before");
        let mut alive = 0;
        for browser in &mut browsers {
            alive += u64::from(browser.user(&b.app).await.is_some());
        }
        assert_eq!(
            revoked + alive,
            LOGINS as u64 + 1,
            "none twice, none forgotten"
        );
        assert_eq!(b.sessions.revoke_user("alice").await.unwrap(), alive);
        ended += revoked;
    }
    println!(
        "{ended} of {} sessions were revoked in the midst",
        ROUNDS * (LOGINS + 1)
    );
}
