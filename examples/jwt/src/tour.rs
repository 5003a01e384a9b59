//! A walk through both ways, as a client sees them.

use crate::{Answer, Client, Deployment, Failure, Instance, request};
use cloakroom::jwt::SigningKey;
use std::time::{Duration, Instant};
use time::OffsetDateTime;

/// After a logout no instance accepts for longer than this; usually it takes milliseconds.
const BOUND: Duration = Duration::from_secs(1);

/// Logs in and out by both ways, says what came back, and fails if anything is not as it should be.
pub(crate) async fn walk(deployment: &Deployment) -> Result<(), Failure> {
    println!("\nwith sessions");
    sessions(&deployment.sessions).await?;
    println!("\nwith tokens");
    tokens(deployment).await
}

async fn sessions(all: &[Instance]) -> Result<(), Failure> {
    let [blue, green, ..] = all else {
        return Err("two instances are needed".into());
    };
    let login = ask(blue, "POST", "/login", "", "user=alice", 200).await?;
    let cookie = login.cookie();
    let next = ask(green, "POST", "/cart", &cookie, "", 200).await?;
    println!("    the cart has {}, wherever it is asked", next.body);
    ask(blue, "GET", "/me", &cookie, "", 200).await?;
    ask(blue, "POST", "/logout", &cookie, "", 200).await?;
    refused_everywhere(all, &cookie).await
}

async fn tokens(deployment: &Deployment) -> Result<(), Failure> {
    let [blue, green, ..] = deployment.tokens.as_slice() else {
        return Err("two instances are needed".into());
    };
    let first = ask(blue, "POST", "/login", "", "user=alice", 200).await?;
    ask(green, "GET", "/me", &first.authorization(), "", 200).await?;
    let second = ask(green, "POST", "/refresh", &first.cookie(), "", 200).await?;
    rotate(deployment).await?;
    println!("    blue signs by another key now; green has read it before");
    let third = ask(blue, "POST", "/refresh", &second.cookie(), "", 200).await?;
    for access in [&first, &third] {
        ask(green, "GET", "/me", &access.authorization(), "", 200).await?;
    }
    println!("    somebody has a copy of the first refresh token, and uses it:");
    ask(green, "POST", "/refresh", &first.cookie(), "", 401).await?;
    println!("    it was used before, so its login has ended, for everybody");
    ask(blue, "POST", "/refresh", &third.cookie(), "", 401).await?;
    refused_everywhere(&deployment.tokens, &third.authorization()).await
}

/// Blue takes another key: it is known everywhere before it signs, and the old one verifies for as long
/// as its tokens live.
async fn rotate(deployment: &Deployment) -> Result<(), Failure> {
    let [blue, _] = &deployment.rings;
    let key = SigningKey::generate()?;
    blue.trust(key.public())?;
    deployment.read_keys().await?;
    blue.sign_with(key, OffsetDateTime::now_utc() + Duration::from_secs(300))?;
    Ok(())
}

async fn refused_everywhere(all: &[Instance], header: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    for instance in all {
        let mut client = Client::connect(instance.port).await?;
        let read = request("GET", "/me", header, "");
        while client.send(&read).await?.status != 401 {
            if begun.elapsed() > BOUND {
                return Err(format!("{} still accepts it", instance.name).into());
            }
        }
    }
    let passed = begun.elapsed();
    println!(
        "    refused by all {} instances {passed:.1?} later",
        all.len()
    );
    Ok(())
}

/// Asks, and says what came back.
async fn ask(
    instance: &Instance,
    method: &str,
    path: &str,
    header: &str,
    body: &str,
    wanted: u16,
) -> Result<Answer, Failure> {
    let mut client = Client::connect(instance.port).await?;
    let answer = client.send(&request(method, path, header, body)).await?;
    let shown = header.split_once(": ").map_or("nothing", |(name, _)| name);
    println!(
        "  {method:4} {path:8} on {:8} with {shown:13} {}",
        instance.name, answer.status
    );
    if answer.status != wanted {
        return Err(format!("{path}: {} instead of {wanted}", answer.status).into());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::{Deployment, walk};

    #[tokio::test]
    async fn all_is_as_the_walk_says() {
        let deployment = Deployment::start("memory:", 4, 0).await.unwrap();
        walk(&deployment).await.unwrap();
    }
}
