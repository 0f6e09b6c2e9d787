//! What a release of Obnova is: its description, signed repository and content-addressed files; and how it is published.

pub mod durable;
