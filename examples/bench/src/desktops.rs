//! Thousands of Desktops at once: the centre beside nginx, which serves the very same files to the very same crowd in the same run.
//! The crowd is this process, each server another; all of them have the same processors.

mod asking;
mod customer;
mod downloading;
mod nginx;
mod offered;
mod process;
mod reporting;
mod slow;
mod table;
mod times;
mod wire;

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::Args;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde::Serialize;

use self::offered::Offered;
use self::process::{Memory, Watch};
use crate::database::bytes;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// How many Desktops ask, download and report at once.
    #[arg(long, default_value_t = 5000)]
    desktops: usize,
    /// How many read slowly while one with a good line downloads.
    #[arg(long, default_value_t = 3000)]
    slow: usize,
    /// How large the Desktop is, such as 64M.
    #[arg(long, default_value = "64M", value_parser = bytes)]
    size: u64,
    /// How long each load is measured, after a warm-up of a fifth of it, seconds.
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// How often everything is measured, in turn.
    #[arg(long, default_value_t = 3)]
    repetitions: usize,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

/// All that was measured.
#[derive(Debug, Serialize)]
struct Measured {
    desktops: usize,
    /// Bytes and files of the Desktop.
    bytes: u64,
    files: usize,
    repetitions: Vec<Repetition>,
    /// The centre's memory over the whole run: seconds, and bytes.
    memory: Vec<(f64, u64)>,
}

/// Both servers, one after the other; the first is nginx in every other repetition.
#[derive(Debug, Serialize)]
struct Repetition {
    centre: Served,
    nginx: Served,
    reported: With<reporting::Reported>,
}

/// One server's loads.
#[derive(Debug, Serialize)]
struct Served {
    asked: With<asking::Asked>,
    downloaded: With<downloading::Downloaded>,
    slow: With<slow::Slow>,
}

/// What was measured, and what it took of the machine.
#[derive(Debug, Serialize)]
struct With<T> {
    #[serde(flatten)]
    measured: T,
    memory: Memory,
    /// Processor seconds of the server, warm-up included.
    computed_seconds: f64,
}

/// Measures, and prints the result.
pub(crate) fn measure(options: &Options) -> Result<()> {
    ensure!(
        options.repetitions > 0,
        "nothing is measured in no repetition"
    );
    raise_open_files()?;
    let folder = tempfile::tempdir()?;
    let customer = customer::Customer::make(folder.path(), options.size)?;
    let measured = wait_for(run(options.clone(), &customer, folder.path()))??;
    drop(customer);
    match options.json {
        true => println!("{}", serde_json::to_string(&measured)?),
        false => table::print(&measured),
    }
    Ok(())
}

async fn run(
    options: Options,
    customer: &customer::Customer,
    folder: &std::path::Path,
) -> Result<Measured> {
    let hello = offered::hello(customer.address).await?;
    let nginx = nginx::Nginx::start(&folder.join("nginx"), &customer.copy(), &hello)?;
    let of_centre = Watch::over(customer.process());
    let of_nginx = Watch::over(nginx.process());
    let copy = customer.copy();
    let centre = Arc::new(Offered::look("centre", customer.address, &copy).await?);
    let other = Arc::new(Offered::look("nginx", nginx.address, &copy).await?);
    let mut measured = Measured {
        desktops: options.desktops,
        bytes: centre.bytes(),
        files: centre.files.len(),
        repetitions: Vec::new(),
        memory: Vec::new(),
    };
    for number in 0..options.repetitions {
        // Who comes second must not always be the same.
        let (centre, nginx) = match number % 2 {
            0 => {
                let nginx = served(&options, &other, &of_nginx).await?;
                (served(&options, &centre, &of_centre).await?, nginx)
            }
            _ => {
                let centre = served(&options, &centre, &of_centre).await?;
                (centre, served(&options, &other, &of_nginx).await?)
            }
        };
        let length = Duration::from_secs(options.seconds);
        let reported = reporting::measure(customer.address, options.desktops, length);
        let repetition = Repetition {
            centre,
            nginx,
            reported: with(&of_centre, reported).await?,
        };
        eprintln!("{}", serde_json::to_string(&repetition)?);
        measured.repetitions.push(repetition);
    }
    let every_second = of_centre.samples().into_iter().step_by(10);
    measured.memory = every_second.collect();
    Ok(measured)
}

async fn served(options: &Options, offered: &Arc<Offered>, watch: &Watch) -> Result<Served> {
    let length = Duration::from_secs(options.seconds);
    let warm_up = length / 5;
    let told = |what: &str| eprintln!("{}: {what}", offered.name);
    told("asking");
    let asked = asking::measure(offered, options.desktops, warm_up, length);
    let asked = with(watch, asked).await?;
    told("downloading");
    let downloaded = downloading::measure(offered, options.desktops, warm_up, length);
    let downloaded = with(watch, downloaded).await?;
    told("slow readers");
    let slow = with(watch, slow::measure(offered, options.slow)).await?;
    Ok(Served {
        asked,
        downloaded,
        slow,
    })
}

async fn with<T>(watch: &Watch, load: impl Future<Output = Result<T>>) -> Result<With<T>> {
    let begun = watch.begin();
    let measured = load.await?;
    // What ended with the load is given back within this.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (memory, computed_seconds) = begun.end();
    Ok(With {
        measured,
        memory,
        computed_seconds,
    })
}

/// Files that this process and those that it starts may have open.
fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(1 << 20)
}

fn raise_open_files() -> Result<()> {
    let most = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(
        Resource::Nofile,
        Rlimit {
            current: most,
            maximum: most,
        },
    )?)
}

/// An address that nobody else has now.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Runs this to its end, with as many threads as there are processors.
fn wait_for<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

/// Asks a process to end, and ends it if it does not.
fn end(child: &mut Child) {
    if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
        // It may have ended meanwhile: that is what is wanted.
        let _ = kill_process(pid, Signal::TERM);
    }
    let until = Instant::now() + Duration::from_secs(10);
    while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}
