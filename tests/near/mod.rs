//! Near copies under fire: instances of one deployment, whose links, servers and subscriptions
//! break while they serve, and a checker that reads what each of them answered and when.
//!
//! | file | what it is |
//! |---|---|
//! | `run` | a seed and what follows from it |
//! | `world`, `work` | the instances, and what they do all the time |
//! | `deployment` | their servers |
//! | `network`, `through` | each instance's links, and the driver that leads through them |
//! | `fault` | what goes wrong |
//! | `history`, `checker`, `verdict` | what was answered, and what that proves |
//! | `loss`, `fate` | what Redis itself lost with a master, and what may follow from that |
//! | `suite` | the runs that must find nothing |
//! | `emptied`, `refusing`, `replaced` | faults that take a deployment of their own |
//! | `mutants` | the runs that must find something: a check that can't fail proves nothing |
//!
//! `CLOAKROOM_FAULT_RUNS=n` makes that many runs and prints a table, `CLOAKROOM_FAULT_SEED=n` runs one
//! seed again, or begins with it, and `CLOAKROOM_FAULT_TOPOLOGY=single`, `sentinel` or `cluster` says
//! on which servers.

mod checker;
mod checker_tests;
mod deployment;
mod emptied;
mod fate;
mod fault;
mod history;
mod loss;
mod mutants;
mod network;
mod panics;
mod random;
mod refusing;
mod replaced;
mod run;
mod suite;
mod table;
mod through;
mod verdict;
mod work;
mod world;
