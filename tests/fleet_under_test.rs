//! The demo, started by the tests as a process of its own.

fn main() -> std::process::ExitCode {
    fleet::main()
}
