//! What a server takes of the machine: memory over time, and processor time. Of the process and those that it has started.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// The kernel's clock for processor time, ticks a second.
const TICKS: f64 = 100.0;

/// Resident memory during one measurement, bytes.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Memory {
    pub(crate) start: u64,
    pub(crate) peak: u64,
    pub(crate) end: u64,
}

/// Looks at a server until it is dropped.
pub(crate) struct Watch {
    process: u32,
    samples: Arc<Mutex<Vec<(f64, u64)>>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn over(process: u32) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (kept, stop, began) = (samples.clone(), is_over.clone(), Instant::now());
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let sample = (began.elapsed().as_secs_f64(), resident(process));
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(sample);
                std::thread::sleep(LOOK);
            }
        });
        Self {
            process,
            samples,
            is_over,
            thread: Some(thread),
        }
    }

    /// Seconds and bytes, every tenth of a second.
    pub(crate) fn samples(&self) -> Vec<(f64, u64)> {
        self.samples
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// A measurement that begins now.
    pub(crate) fn begin(&self) -> Begun<'_> {
        Begun {
            watch: self,
            from: self.samples().len(),
            start: resident(self.process),
            computed: computed(self.process),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A measurement under way.
pub(crate) struct Begun<'a> {
    watch: &'a Watch,
    from: usize,
    start: u64,
    computed: f64,
}

impl Begun<'_> {
    /// Memory meanwhile, and processor seconds.
    pub(crate) fn end(self) -> (Memory, f64) {
        let end = resident(self.watch.process);
        let samples = self.watch.samples();
        let meanwhile = samples[self.from..].iter().map(|(_, bytes)| *bytes);
        let memory = Memory {
            start: self.start,
            peak: meanwhile.chain([self.start, end]).max().unwrap_or(end),
            end,
        };
        (memory, computed(self.watch.process) - self.computed)
    }
}

fn family(process: u32) -> Vec<u32> {
    let children = format!("/proc/{process}/task/{process}/children");
    let children = std::fs::read_to_string(children).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|it| it.parse().ok());
    [process].into_iter().chain(children).collect()
}

fn resident(process: u32) -> u64 {
    let of = |process: u32| {
        let status = Path::new("/proc").join(process.to_string()).join("status");
        let status = std::fs::read_to_string(status).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    family(process).into_iter().filter_map(of).sum::<u64>() << 10
}

fn computed(process: u32) -> f64 {
    let of = |process: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields = fields.split(' ').skip(11).take(2);
        Some(fields.filter_map(|it| it.parse::<f64>().ok()).sum::<f64>())
    };
    family(process).into_iter().filter_map(of).sum::<f64>() / TICKS
}
