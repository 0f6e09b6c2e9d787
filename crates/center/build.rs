//! Makes cargo notice a new migration: `sqlx::migrate!` embeds the folder, and cargo follows only files it knows.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
