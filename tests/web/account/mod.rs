//! Logging in and out, and what an account's owner can do.

mod devices;
mod entropy;
mod limits;
mod login;
mod logout;
mod rotation;
