//! A bad network between some instances and the servers.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_testkit::{Direction, Link};
use tokio::time::sleep;

use super::{Fault, Strike};
use crate::near::network::Kind;
use crate::near::random::Random;
use crate::near::world::World;

const EVERYTHING: [Kind; 2] = [Kind::Data, Kind::Messages];

pub(super) async fn strike(world: &World, mut strike: Strike) {
    let kinds = kinds(strike.fault, &mut strike.random);
    let networks = strike.targets.iter().map(|t| &world.instances[*t].network);
    let links: Vec<_> = networks.flat_map(|n| n.links(kinds)).collect();
    begin(strike.fault, &links, &mut strike.random);
    sleep(strike.lasts).await;
    for link in &links {
        if strike.fault == Fault::DropMessages {
            link.drop_withheld();
        }
        link.heal();
    }
}

/// Which connections a fault is about.
fn kinds(fault: Fault, random: &mut Random) -> &'static [Kind] {
    match fault {
        Fault::SlowAnswers => &[Kind::Data],
        Fault::LateMessages
        | Fault::CutMessages
        | Fault::DropMessages
        | Fault::OvertakenMessages => &[Kind::Messages],
        Fault::HalfClose | Fault::SwallowCommands | Fault::SwallowAnswers | Fault::Stall => {
            random.pick(&[&EVERYTHING, &EVERYTHING[..1], &EVERYTHING[1..]])
        }
        _ => &EVERYTHING,
    }
}

fn begin(fault: Fault, links: &[Arc<Link>], random: &mut Random) {
    let direction = random.pick(&[Direction::ToServer, Direction::ToClient, Direction::Both]);
    let delay = match fault {
        Fault::SlowAnswers => random.milliseconds(30, 90),
        Fault::LateMessages => random.milliseconds(550, 800),
        Fault::LateAnswers => random.milliseconds(650, 900),
        _ => random.milliseconds(20, 150),
    };
    let rate = 1000 + random.below(5000) as u64;
    links.iter().for_each(|link| {
        apply(fault, link, direction, delay, rate);
    });
}

fn apply(fault: Fault, link: &Link, direction: Direction, delay: Duration, rate: u64) {
    match fault {
        Fault::Delay => link.delay(Direction::Both, delay),
        Fault::SlowAnswers | Fault::LateMessages | Fault::LateAnswers => {
            link.delay(Direction::ToClient, delay);
        }
        Fault::Cut | Fault::CutMessages => link.cut(),
        Fault::HalfClose => link.half_close(direction),
        Fault::SwallowCommands => link.swallow(Direction::ToServer),
        Fault::SwallowAnswers => link.swallow(Direction::ToClient),
        Fault::Stall => link.stall(direction),
        Fault::Throttle => link.throttle(direction, rate),
        Fault::DropMessages | Fault::OvertakenMessages => link.withhold_pushes(true),
        other => unreachable!("{other:?} is not about links"),
    }
}
