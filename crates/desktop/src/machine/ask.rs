//! Asking the service of an installation that all users share. It is told a version and nothing else.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use semver::Version;

use super::Machine;
use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::service::{Answer, Request};

/// How soon a wish to cancel is heard.
const LOOK: Duration = Duration::from_millis(200);
/// How long the service may say nothing at all.
const SILENCE: Duration = Duration::from_secs(600);

impl Desktop {
    /// Has the computer's service bring and give this version to all users, unless they have it. Whoever cancels, or dies, ends the
    /// download; what is there of it is kept.
    pub(crate) fn have_applied(
        &self,
        version: &Version,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), Error> {
        let gone = || Error::new(Code::NoService);
        let machine = Machine::read(&self.layout)?.ok_or_else(gone)?;
        if machine.current.version == *version {
            return Ok(());
        }
        let silent = |error: std::io::Error| {
            Error::new(Code::NoService).detail(format!("{}: {error}", machine.socket.display()))
        };
        let mut stream = UnixStream::connect(&machine.socket).map_err(silent)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(SILENCE))?;
        let request = Request::Apply {
            version: version.clone(),
        };
        stream.write_all(&request.line()).map_err(silent)?;
        let mut answers = BufReader::new(stream);
        let mut line = Vec::new();
        let mut heard = Instant::now();
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(Error::new(Code::Interrupted));
            }
            match answers.read_until(b'\n', &mut line) {
                Ok(0) => return Err(silent(ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                // What came of the line stays in it.
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
                        && heard.elapsed() < SILENCE =>
                {
                    continue;
                }
                Err(error) => return Err(silent(error)),
            }
            heard = Instant::now();
            let answer = serde_json::from_slice::<Answer>(&line);
            line.clear();
            match answer.map_err(|error| Error::new(Code::NoService).detail(error))? {
                Answer::Progress { done, total } => progress(done, total),
                Answer::Applied { .. } => return Ok(()),
                Answer::Error(error) => return Err(error.into()),
                Answer::Status(_) => return Err(gone()),
            }
        }
    }
}
