//! Access tokens, from outside: made by hand, by chance and by others.

mod forge;
mod fuzz;
mod http;
mod interop;
mod issuing;
mod keys;
mod rotation;
mod table;
