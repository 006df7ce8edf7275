//! Holds the written form against golden texts, and reads back whatever can be written.

mod golden;
mod whole;
