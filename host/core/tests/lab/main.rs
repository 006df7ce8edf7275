//! A laboratory for the core: nodes as plain structs, with a disk, engines and a clock that do as they are told.
//! No thread, no wait, no chance: what fails once fails again.

mod blueprint;
mod disk;
mod endpoints;
mod engine;
mod neighbours;
mod node;

mod admission;
mod cluster;
mod crash;
mod devices;
mod engines;
mod exits;
mod fetch;
mod found;
mod full;
mod grave;
mod growth;
mod health;
mod life;
mod loss;
mod names;
mod offers;
mod outlook;
mod phase;
mod ports;
mod random;
mod volumes;
