//! The demo as its users meet it: processes, HTTP, and nothing of its inside.
//!
//! | module | what it shows |
//! |---|---|
//! | [`main_job`], [`routes`] | the balancer and four instances on memory; every route once |
//! | [`split`], [`admin`] | what a person can do to the balancer and to its instances |
//! | [`nodes`], [`versions`] | separate processes over one Redis; two versions of the shop |
//! | [`options`], [`unreachable`], [`signals`] | how the program starts, fails and ends |
//! | [`outage`], [`paused`] | Redis killed, and Redis hanging, under load; a process that stands still |
//! | [`rolling`], [`readiness`], [`crash`] | instances that come and go |
//! | [`revocations`] | how soon eight processes refuse what was revoked |
//! | [`races`] | requests that overlap, two hundred times |
//! | [`secured`] | a store over TLS |
//! | [`secrets`] | what logs, Redis and its files hold |

mod admin;
mod crash;
mod main_job;
mod nodes;
mod options;
mod outage;
mod paused;
mod races;
mod readiness;
mod revocations;
mod rolling;
mod routes;
mod secrets;
mod secured;
mod signals;
mod split;
mod support;
mod unreachable;
mod versions;
