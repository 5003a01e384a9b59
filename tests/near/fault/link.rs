//! A bad network between some instances and the servers.

use std::sync::Arc;
use std::time::Duration;

use cloakroom_testkit::{Direction, Link};
use tokio::time::sleep;

use super::{Fault, Strike};
use crate::near::deployment::Topology;
use crate::near::network::{Blow, Kind, Meant};
use crate::near::random::Random;
use crate::near::world::World;

pub(super) async fn strike(world: &World, mut strike: Strike) {
    let kinds = kinds(strike.fault, &mut strike.random);
    let blow = blow(strike.fault, &mut strike.random);
    let server = one_server(world, &mut strike.random).await;
    let meant = Meant { kinds, server };
    let networks = strike.targets.iter().map(|t| &world.instances[*t].network);
    for network in networks.clone() {
        network.strike(meant, &blow);
    }
    sleep(strike.lasts).await;
    let lose = strike.fault == Fault::DropMessages;
    for network in networks {
        network.calm(meant, &|link| {
            if lose {
                link.drop_withheld();
            }
        });
    }
}

/// Where there are several masters, it is often the way to one of them alone that is bad.
async fn one_server(world: &World, random: &mut Random) -> Option<u16> {
    if world.topology != Topology::Cluster || random.once_in(2) {
        return None;
    }
    Some(world.any_master(random).await.port())
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
            random.pick(&[&Kind::ALL, &Kind::ALL[..1], &Kind::ALL[1..2]])
        }
        _ => &Kind::ALL,
    }
}

fn blow(fault: Fault, random: &mut Random) -> Blow {
    let direction = random.pick(&[Direction::ToServer, Direction::ToClient, Direction::Both]);
    let delay = match fault {
        Fault::SlowAnswers => random.milliseconds(30, 90),
        Fault::LateMessages => random.milliseconds(550, 800),
        Fault::LateAnswers => random.milliseconds(650, 900),
        _ => random.milliseconds(20, 150),
    };
    let rate = 1000 + random.below(5000) as u64;
    Arc::new(move |link| apply(fault, link, direction, delay, rate))
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
