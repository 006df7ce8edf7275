//! The real server over real sockets, in front of a real node that has no engine.

mod bodies;
mod capabilities;
mod client;
mod doors;
mod fixture;
mod gate;
mod nodes;
mod revisions;
mod services;
mod table;
mod why;
