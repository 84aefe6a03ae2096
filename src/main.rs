//! The program: parse the words, do what they say, exit with the code that tells how it went.

fn main() -> std::process::ExitCode {
    whatsdown::cli::main()
}
