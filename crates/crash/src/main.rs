//! `cargo xtask crash`.

fn main() {
    println!("{} faults", obnova_crash::faults::all().len());
}
