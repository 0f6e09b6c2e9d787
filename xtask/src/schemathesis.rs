//! `cargo xtask schemathesis`: requests of all kinds, made from the description of the centre's addresses, to a centre that has an
//! engine which only pretends. Every answer must be one that the description knows, and none may be a failure of ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::{run, tools};

#[derive(Args)]
pub(crate) struct Options {
    /// Makes the same requests as another time.
    #[arg(long)]
    seed: Option<u64>,
    /// The most requests of each address, besides those that a list of oddities gives.
    #[arg(long, default_value_t = 15)]
    examples: u32,
}

/// What is looked at: not whether what is well formed is also accepted, which depends on what is there.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method,allow_header_conformance,ignored_auth";
/// What ends the session that the requests are made with, and a stream that does not end.
const APART: &str = "^/sign-out$|/password$|^/updates/live$";

pub(crate) fn run(options: &Options) -> Result<()> {
    let program = tools::ensure_schemathesis()?;
    let build = ["build", "-p", "obnova-center", "--example", "preview"];
    run::run(&mut run::cargo(build))?;
    let centre = Centre::start()?;
    let seed = options.seed.unwrap_or_else(|| {
        let now = std::time::UNIX_EPOCH.elapsed();
        now.map_or(1, |now| now.as_secs())
    });
    eprintln!("seed {seed}");
    let mut command = Command::new("python3");
    command
        .arg(program.join("bin/schemathesis"))
        .env("PYTHONPATH", &program)
        .current_dir(std::env::temp_dir())
        .args(["run", &format!("{}openapi.json", centre.address)])
        .args(["-H", &format!("Cookie: {}", centre.cookie)])
        .args(["-H", &format!("X-CSRF-Token: {}", centre.token)])
        .args(["--checks", CHECKS, "--exclude-path-regex", APART])
        .args(["--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", &options.examples.to_string()])
        .args(["--seed", &seed.to_string()])
        .args(["--max-redirects", "0", "--request-timeout", "20"])
        .args(["--continue-on-failure", "--warnings", "off", "--no-color"])
        .args(["--generation-database", "none"]);
    run::run(&mut command)?;
    centre.expect_session()
}

/// A centre to look at, and a session in it.
struct Centre {
    process: Child,
    address: String,
    cookie: String,
    token: String,
}

impl Centre {
    fn start() -> Result<Centre> {
        let preview = run::target_directory()?.join("debug/examples/preview");
        let mut process = Command::new(preview)
            .env("PREVIEW_SESSION", "1")
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut line = || {
            lines
                .next()
                .context("the centre says nothing")?
                .context("no line")
        };
        let first = line()?;
        let address = first.split(' ').next().unwrap_or_default().to_owned();
        let (cookie, token) = (line()?, line()?);
        Ok(Centre {
            process,
            address,
            cookie,
            token,
        })
    }

    /// Without a session in the end, many requests were never looked at.
    fn expect_session(&self) -> Result<()> {
        let host = self
            .address
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let mut stream = TcpStream::connect(host)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let cookie = &self.cookie;
        write!(
            stream,
            "GET /users HTTP/1.1\r\nhost: {host}\r\ncookie: {cookie}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(
            answer.starts_with("HTTP/1.1 200"),
            "the session was lost on the way; another seed will do"
        );
        Ok(())
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
