//! What Obnova's tests and its demo need and the product does not: a mail server, a tiny application, fingerprints of
//! trees and databases, a browser, and load.

pub mod browser;
pub mod cases;
pub mod clock;
pub mod fingerprint;
pub mod load;
pub mod mariadb;
pub mod postgres;
pub mod proxy;
pub mod sink;
pub mod systemd;
pub mod tls;
pub mod volume;
