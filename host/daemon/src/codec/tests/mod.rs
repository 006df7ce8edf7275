//! Holds the written form against golden texts, reads back whatever can be written, and what older versions wrote.

mod first;
mod golden;
mod whole;
