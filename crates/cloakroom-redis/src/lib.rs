//! Cloakroom's store of sessions and cached values on Redis and Valkey, above any client library.
//!
//! All Redis knowledge is here: the names of keys, the scripts, the codec, the node that stays
//! connected, deadlines, and the narrow [`Driver`] trait that a client crate is adapted to.
//! Applications use the `cloakroom` crate, whose `open` picks a driver.
//!
//! # What Redis holds
//!
//! `{tag}` is the bucket's hash tag; all keys of a bucket lie in one cluster slot.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `cr1:{tag}:s:<digest>` | hash | a session: one field for each attribute (JSON), and the header below |
//! | `cr1:{tag}:u:<user digest>` | sorted set | digests of a user's sessions, by time of login |
//! | `cr1:{tag}:c:<digest>` | hash | an entry of cached values: its fields are below |
//! | `cr1:{tag}:t:<digest>` | string | a tag of cached values: its version, a space, and the number of the message that it came with |
//! | `cr1:{tag}:x` | sorted set | what is revoked though it could live on: digests of token ids and of logins, by when they may be forgotten |
//! | `cr1:{tag}:bus` | channel, sharded in a cluster | invalidations of this bucket |
//! | `cr1:{tag}:seq` | number | how many invalidations it has had |
//! | `cr1:{tag}:epoch` | string | which epoch it is since all sessions of the bucket were ended at once |
//! | `cr1:{tag}:confirmed` | string | what is written before replicas are asked, with [`Durability::Replicas`] |
//! | `cr1:{tag}:settings` | hash | in the first bucket: what all instances must agree on |
//!
//! | field | holds | field | holds |
//! |---|---|---|---|
//! | `~d` | the digest that the record is bound to | `~m` | `1` if remembered |
//! | `~r` | the revision | `~u` | the user's id |
//! | `~h` | the public handle | `~k` | the user's digest |
//! | `~c` | created, ms | `~a` | authenticated, ms |
//! | `~t` | last seen, ms | `~l` | the device's label |
//! | `~x` | absolute deadline, ms | `~z` | bytes of all attributes |
//! | `~i` | idle window, ms | `~s` | alone, for two minutes: `superseded` or `ended` |
//! | `~e` | the epoch that it was made in, unless it is the first | `~j` | how long tokens made from it can outlive it, ms |
//!
//! Of an entry of cached values, whose schemas lie side by side:
//!
//! | field | holds | field | holds |
//! |---|---|---|---|
//! | `<schema>:v` | the value, in the cache's envelope | `<schema>:l` | who holds the load lease |
//! | `<schema>:r` | its revision | `<schema>:x` | until when, ms |
//! | `<schema>:f` | fresh until, ms | `<schema>:w` | `1` if somebody waits for it |
//! | `<schema>:u` | usable until, ms | `m`, `m:<mark>` | until when any mark stands, and each, ms |
//!
//! # What is sent
//!
//! | operation | commands |
//! |---|---|
//! | load | `PTTL`, `HGETALL`, `HDEL` of a field that is never there, and `GET` of the epoch, in one round trip; in a cluster the epoch's `GET` and `PERSIST` go beside them |
//! | create, commit, retire, rotate, end, list, revoke | one `EVALSHA` |
//! | revoke a token, read what a bucket has revoked, ask about one thing | one `EVALSHA` |
//! | revoke everyone | one `EVALSHA` for each bucket, in one round trip for each master |
//! | end, revoke, with [`Durability::Replicas`] | then `SET` and `WAIT`, in one round trip on a connection of their own; the first time `ROLE` and `INFO` before |
//! | fetch, extend, release, put and insert a cached value; invalidate, mark and unmark it; read and change a tag | one `EVALSHA` |
//! | touch | one `EVALSHA` each, 128 together in one round trip |
//! | connect | `ROLE`, `INFO`, then `SCRIPT LOAD` of each script, once for each connection |
//! | each second, with Sentinels | `SENTINEL GET-MASTER-ADDR-BY-NAME`, `SENTINEL SENTINELS`, to each of them |
//! | every three seconds, in a cluster, and on every doubt | `CLUSTER INFO`, `CLUSTER SLOTS`, to one node |
//! | start | then `HSETNX` and `HGET` for each of the settings |
//! | listen, on a further connection to each master | `SUBSCRIBE` or `SSUBSCRIBE` of each bucket's channel, then at each renewal `GET` of each count, `PERSIST` of one of them, and `ECHO` |
//!
//! All times are the server's; expiry is relative. A script that the server has lost (`NOSCRIPT`)
//! did not run, and is sent again as text; what a cluster's node redirects did not run either, and is
//! sent to the one that it names, after `ASKING` where it says so. Nothing else is ever sent twice.

mod certificates;
mod channel;
mod codec;
mod connecting;
mod driver;
mod endpoint;
mod keys;
mod node;
mod scripts;
mod settings;
mod store;
mod topology;

pub use certificates::{Certificates, OwnCertificate};
#[doc(hidden)]
pub use channel::ChannelRules;
pub use driver::{Command, Connection, Driver, DriverError, Event, EventSink, Reply, ServerError};
pub use endpoint::Endpoint;
pub use store::{Durability, RedisStore, RedisStoreBuilder};
