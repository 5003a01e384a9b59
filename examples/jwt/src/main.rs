//! See the library of this crate.

fn main() -> std::process::ExitCode {
    jwt_shop::main()
}
