//! `rollcall`: see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::cli::main()
}
