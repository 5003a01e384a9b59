//! Several cookies, of ours and of others.

use http::Method;

use super::{ask, forged, id_cookie};
use crate::web::support::{Browser, Op, World, on_both};

on_both!(
    two_ids_are_none,
    the_same_id_twice_is_one,
    foreign_cookies_beside_ours_do_no_harm,
);

async fn two_ids_are_none(world: World) {
    let a = world.instance().await;
    let (mut alice, mut bob) = (Browser::new(), Browser::new());
    alice.log_in(&a.app, "alice").await;
    bob.log_in(&a.app, "bob").await;
    let (alice, bob) = (alice.id().unwrap(), bob.id().unwrap());
    let forged = forged().expose_secret();
    a.store.calls();
    let before = a.sessions.stats().rejected_ids;
    let others = [bob, &forged, "malformed", ""];
    for other in others {
        for (one, two) in [(alice, other), (other, alice)] {
            let (one, two) = (id_cookie(one), id_cookie(two));
            let together = [&one[..], b"; ", &two].concat();
            let foreign = [&one[..], b"; x=y; ", &two, b"; z"].concat();
            for cookies in [
                &[&together[..]][..],
                &[&one, &two],
                &[&one, b"x=y", &two],
                &[&foreign],
            ] {
                let answer = ask(&a.app, Method::GET, "/info", cookies).await.is(200);
                assert!(answer.text.contains("\"user\":null"), "{answer:?}");
                assert_eq!(answer.id_cookie(), None);
                ask(&a.app, Method::POST, "/logout", cookies).await;
            }
        }
    }
    assert!(a.store.calls().is_empty(), "nobody was asked");
    assert_eq!(a.sessions.stats().rejected_ids - before, 4 * 2 * 4 * 2);
    assert_eq!(world.live().await, 2, "and nobody was logged out");
}

async fn the_same_id_twice_is_one(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let cookie = id_cookie(alice.id().unwrap());
    let together = [&cookie[..], b"; ", &cookie].concat();
    for cookies in [
        &[&cookie[..], &cookie][..],
        &[&together],
        &[&together, &cookie],
    ] {
        let answer = ask(&a.app, Method::GET, "/info", cookies).await.is(200);
        assert!(answer.text.contains("alice"), "{answer:?}");
    }
}

async fn foreign_cookies_beside_ours_do_no_harm(world: World) {
    let a = world.instance().await;
    let mut alice = Browser::new();
    alice.log_in(&a.app, "alice").await;
    let ours = id_cookie(alice.id().unwrap());
    let foreign: [&[u8]; 14] = [
        b"name=M\xfcller",
        b"name=\xff\xfe\xfd",
        "name=Müller; größe=ß".as_bytes(),
        b"novalue",
        b"=nameless",
        b"=",
        b"",
        b";;;",
        b"a=b;c=d",
        b"quoted=\"a;b\"",
        b"__Host-id-rev=\xff",
        b"__Host-id",
        b"percent=%zz%__Host-id=",
        &b"x".repeat(16_000),
    ];
    a.store.calls();
    for foreign in foreign {
        let before = [foreign, b"; ", &ours].concat();
        let after = [&ours[..], b"; ", foreign].concat();
        let tight = [foreign, b";", &ours, b";", foreign].concat();
        for cookies in [
            &[&before[..]][..],
            &[&after],
            &[&tight],
            &[foreign, &ours],
            &[&ours, foreign],
        ] {
            let answer = ask(&a.app, Method::GET, "/info", cookies).await.is(200);
            assert!(answer.text.contains("alice"), "{foreign:?}");
        }
    }
    assert_eq!(a.store.calls()[&Op::Load], 14 * 5);
}
