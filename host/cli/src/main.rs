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
use crate::exit::{Code, Failure};
use crate::paint::Paint;

fn main() -> ExitCode {
    // before anything else allocates: a node has one shim for each instance, and each keeps what it once touched
    let mut args = env::args_os();
    if args.nth(1).is_some_and(|verb| verb == "shim") {
        return motey_process_shim::main(args);
    }
    act()
}

/// Every other verb. Not part of `main`: its stack frame would be the shim's, too.
#[inline(never)]
fn act() -> ExitCode {
    let cli = Cli::parse().checked().unwrap_or_else(|error| error.exit());
    let done = match cli.verb {
        Verb::Run(args) => exit::at_once(told(run::run(&cli.global, &args))),
        Verb::Client(verb) => verbs::ask(&cli.global, verb),
        Verb::Blueprint(args::Blueprint::Validate(args)) => verbs::blueprint::validate(&args),
        Verb::Config(args::Config::Show(shown)) => verbs::config::show(&cli.global, shown),
        Verb::Config(args::Config::Check) => verbs::config::check(&cli.global),
    };
    told(done).into()
}

/// Tells a person what went wrong.
fn told(done: Result<(), Failure>) -> Code {
    match done {
        Ok(()) => Code::Ok,
        Err(failure) if failure.is_broken_pipe() => Code::Ok,
        // these name the file themselves, in the form that editors read
        Err(Failure::Blueprint(mistakes)) => failed(&mistakes, Code::Failed),
        // what the person did is no error
        Err(failure @ Failure::Interrupted { .. }) => failed(&failure.to_string(), failure.code()),
        Err(failure) => failed(&format!("{} {failure}", Paint::stderr().error("error:")), failure.code()),
    }
}

fn failed(text: &str, code: Code) -> Code {
    // nobody may be listening
    drop(writeln!(io::stderr(), "{text}"));
    code
}
