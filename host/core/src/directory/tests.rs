//! The directory against brute force, and the order in which it prefers nodes.

mod brute;
mod order;
mod world;
