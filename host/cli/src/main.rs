//! The one binary of Motey: the daemon (`run`), the shim of the process VAL (`shim`, for that plugin only) and the client verbs, which
//! speak REST to a daemon. Only wiring is here.

#![forbid(unsafe_code)]

mod api;
mod args;
mod client;
mod diagnostic;
mod endpoint;
mod exit;
mod output;
mod paint;
mod run;
mod session;
mod verbs;

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Verb};
use crate::exit::Code;
use crate::paint::Paint;

fn main() -> ExitCode {
    // before anything else allocates: a node has one shim for each instance, and each keeps what it once touched
    let mut args = env::args_os();
    if args.nth(1).is_some_and(|verb| verb == "shim") {
        return motey_process_shim::main(args);
    }
    let cli = Cli::parse();
    match cli.verb {
        Verb::Run(args) => match run::run(&cli.global, &args) {
            Ok(()) => Code::Ok.into(),
            Err(error) => failed(&format!("{error:#}"), Code::Failed),
        },
        verb => match verbs::act(&cli.global, verb) {
            Ok(()) => Code::Ok.into(),
            Err(failure) if failure.is_broken_pipe() => Code::Ok.into(),
            Err(failure) => failed(&failure.to_string(), failure.code()),
        },
    }
}

fn failed(text: &str, code: Code) -> ExitCode {
    // nobody may be listening
    drop(writeln!(io::stderr(), "{} {text}", Paint::stderr().error("error:")));
    code.into()
}
