//! A clock for processes of a test, which jumps when it is told to. Only the time of day: what measures durations goes on as ever.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Debian's libfaketime, which answers instead of the system what time it is.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// A clock for all processes that are started with its variables.
#[derive(Debug)]
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that goes right, kept in this file.
    ///
    /// # Errors
    /// The Debian package `libfaketime` is not installed.
    pub fn new(file: &Path) -> Result<Clock> {
        let directories = std::fs::read_dir("/usr/lib")?.flatten();
        let library = directories
            .map(|directory| directory.path().join(LIBRARY))
            .find(|library| library.is_file())
            .context("the Debian package `libfaketime` is needed")?;
        let clock = Clock {
            library,
            file: file.to_owned(),
        };
        clock.jump(0)?;
        Ok(clock)
    }

    /// The variables with which a process looks at this clock, and whatever it starts.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("LD_PRELOAD", self.library.display().to_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.display().to_string()),
            // The file is read anew each time, so that a jump is seen at once.
            ("FAKETIME_NO_CACHE", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("DONT_FAKE_MONOTONIC", "1".to_owned()),
            // Files keep the times that the system gives them.
            ("NO_FAKE_STAT", "1".to_owned()),
            ("FAKETIME_DISABLE_SHM", "1".to_owned()),
        ]
    }

    /// Lets it be so many days later than it is, or earlier.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub fn jump(&self, days: i32) -> Result<()> {
        // Renamed into place, since a process may be reading it.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{days:+}d\n"))?;
        std::fs::rename(&new, &self.file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    use std::time::{Instant, SystemTime};

    use super::*;

    /// This test's own program again: answers each line with its time of day and how long it has run.
    #[test]
    #[ignore = "a process that the other test starts"]
    fn tell_the_time() {
        let began = Instant::now();
        for _ in std::io::stdin().lines() {
            let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
            println!("time {now} {}", began.elapsed().as_secs());
        }
    }

    #[test]
    fn a_rust_process_sees_its_clock_jump_and_measures_durations_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::new(&directory.path().join("clock")).unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--nocapture", "clock::tests::tell_the_time"])
            .envs(clock.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut questions = process.stdin.take().unwrap();
        let mut answers = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut ask = || -> (i64, i64) {
            writeln!(questions).unwrap();
            let said = answers.find_map(|line| {
                let line = line.unwrap();
                let (_, numbers) = line.split_once("time ")?;
                let (now, ran) = numbers.split_once(' ')?;
                Some((now.parse().unwrap(), ran.parse().unwrap()))
            });
            said.unwrap()
        };
        let year = 365 * 86_400;
        let (right, _) = ask();
        for days in [365, -365] {
            clock.jump(days).unwrap();
            let (jumped, ran) = ask();
            let off = jumped - right - i64::from(days.signum()) * year;
            assert!((0..600).contains(&off), "{days}: off by {off} s");
            assert!(ran < 600, "{ran}");
        }
        clock.jump(0).unwrap();
        assert!((0..600).contains(&(ask().0 - right)));
        drop(questions);
        process.wait().unwrap();
    }
}
