//! The binary as it is built: what it asks a server, what it says, what it ends with.

mod client;
mod offline;
mod stub;
