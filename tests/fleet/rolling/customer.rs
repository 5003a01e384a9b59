//! A user who asks twice a second, and notices everything.

use std::fmt;
use std::iter::Sum;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::time::{MissedTickBehavior, interval};

use crate::fleet::support::{Answer, Browser, Rotation};

/// What happened to customers.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answers: u64,
    pub(super) increments: u64,
    pub(super) logins: u64,
    pub(super) unauthorized: u64,
    pub(super) slowest: Duration,
    pub(super) failures: Vec<String>,
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, one| {
            sum.answers += one.answers;
            sum.increments += one.increments;
            sum.logins += one.logins;
            sum.unauthorized += one.unauthorized;
            sum.slowest = sum.slowest.max(one.slowest);
            sum.failures.extend(one.failures);
            sum
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} answers, {} logins, {} increments acknowledged and found, {} × 401 as due, \
             {} other, slowest {:?}",
            self.answers,
            self.logins,
            self.increments,
            self.unauthorized,
            self.failures.len(),
            self.slowest
        )
    }
}

/// One session at a time, with what the customer knows of it.
pub(super) struct Customer {
    name: String,
    browser: Browser,
    rotation: Arc<Rotation>,
    /// The increments that this session acknowledged.
    counted: u64,
    tally: Tally,
}

/// What a customer does over and over; between the last two nobody is logged in.
const DAY: [Step; 12] = [
    Step::LogIn,
    Step::Me,
    Step::Count,
    Step::Count,
    Step::Me,
    Step::Count,
    Step::Me,
    Step::Count,
    Step::Count,
    Step::Me,
    Step::LogOut,
    Step::Nobody,
];

#[derive(Clone, Copy, Debug)]
enum Step {
    LogIn,
    Me,
    Count,
    LogOut,
    Nobody,
}

impl Customer {
    pub(super) fn new(number: usize, rotation: Arc<Rotation>) -> Self {
        Self {
            name: format!("customer-{number}"),
            browser: Browser::new(""),
            rotation,
            counted: 0,
            tally: Tally::default(),
        }
    }

    /// Asks at this pace until the time is up.
    pub(super) async fn shop(mut self, pace: Duration, until: Instant) -> Tally {
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for step in DAY.iter().cycle() {
            ticks.tick().await;
            if Instant::now() >= until {
                break;
            }
            if let Err(failure) = self.take(*step).await {
                let failure = format!("{} {step:?}: {failure}", self.name);
                self.tally.failures.push(failure);
            }
        }
        self.tally
    }

    async fn take(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::LogIn => {
                self.ask(Method::POST, "/login", 200).await?;
                self.counted = 0;
                self.tally.logins += 1;
            }
            Step::Me => {
                let me = self.ask(Method::GET, "/me", 200).await?.json();
                expect("user", &me["user"], self.name.as_str())?;
            }
            Step::Count => {
                let counted = self.ask(Method::POST, "/counter", 200).await?.json();
                self.counted += 1;
                expect("n", &counted["n"], self.counted)?;
                self.tally.increments += 1;
            }
            Step::LogOut => drop(self.ask(Method::POST, "/logout", 204).await?),
            Step::Nobody => {
                self.ask(Method::GET, "/me", 401).await?;
                self.tally.unauthorized += 1;
            }
        }
        Ok(())
    }

    async fn ask(&mut self, method: Method, path: &str, due: u16) -> Result<Answer, String> {
        let request = |url: &str| {
            let request = self.browser.at(url).request(method.clone(), path);
            match path {
                "/login" => request.form(&[("user", &self.name)]),
                _ => request,
            }
        };
        let sent = Instant::now();
        let answer = self.rotation.send(request).await?;
        self.tally.slowest = self.tally.slowest.max(sent.elapsed());
        self.tally.answers += 1;
        match answer.status == due {
            true => Ok(answer),
            false => Err(format!("{} {}", answer.status, answer.text())),
        }
    }
}

fn expect(
    what: &str,
    found: &serde_json::Value,
    wanted: impl Into<serde_json::Value>,
) -> Result<(), String> {
    let wanted = wanted.into();
    (*found == wanted)
        .then_some(())
        .ok_or_else(|| format!("{what} is {found}, not {wanted}"))
}
