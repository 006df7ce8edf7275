//! The shim without the rest of `motey`, for tests: `motey-shim-alone shim DIR PROGRAM`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    motey_process_shim::main(std::env::args_os().skip(2))
}
