//! Programs of this installation that are open: a restart into another version waits for them, and each of them may say that
//! there is work in it that must not be lost.
//!
//! Three files for each, in `state/open/`: `<id>.open`, which the program has a lock on for as long as it lives; `<id>.hold`,
//! where it says why it cannot be closed now; `<id>.close`, the wish that it may close. Whatever dies leaves a file without a
//! lock, which the next one who looks removes.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use obnova_release::durable::{self, Lock};
use rand::Rng;

use crate::desktop::Desktop;
use crate::error::{Code, Error};
use crate::launcher;
use crate::layout::Layout;

/// The longest reason that is shown, bytes.
const LONGEST_REASON: u64 = 4096;

/// Says that a program is open, for as long as it lives. See [`Desktop::attend`].
#[derive(Debug)]
pub struct Attendance {
    layout: Layout,
    id: String,
    _open: File,
}

/// Says that nobody else does the same in this installation, for as long as it lives. See [`Desktop::alone`].
#[derive(Debug)]
pub struct Alone(#[allow(dead_code)] Lock);

/// A program that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenProgram {
    /// The number of its process.
    pub process: u32,
    /// Why it cannot be closed now, in the user's language; nothing when it may.
    pub hold: Option<String>,
}

impl Desktop {
    /// Says that the embedding program is open, so that a restart into another version waits for it. To be called once, after the
    /// start, and kept to the end; the end of the process is enough.
    ///
    /// # Errors
    /// The disk refuses. The program may run on without: then nobody waits for it.
    pub fn attend(&self) -> Result<Attendance, Error> {
        let directory = self.layout.open_programs();
        durable::create_dir_all(&directory)?;
        let _lock = Lock::take(&directory.join("lock"))?;
        let random = rand::rng().random::<u32>();
        let id = format!("{}-{random:08x}", std::process::id());
        let open = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(directory.join(format!("{id}.open")))?;
        open.try_lock().map_err(std::io::Error::from)?;
        Ok(Attendance {
            layout: self.layout.clone(),
            id,
            _open: open,
        })
    }

    /// Has something that goes by this name, such as a dialog, only once at a time in this installation; nothing when somebody
    /// else has it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn alone(&self, what: &str) -> Result<Option<Alone>, Error> {
        let directory = self.layout.open_programs();
        durable::create_dir_all(&directory)?;
        match Lock::try_take(&directory.join(format!("{what}.lock"))) {
            Ok(lock) => Ok(Some(Alone(lock))),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The programs of this installation that are open and have said so.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn open_programs(&self) -> Result<Vec<OpenProgram>, Error> {
        let open = self.open_ids()?;
        let programs = open.iter().map(|id| OpenProgram {
            process: process(id),
            hold: self.layout.hold_of(id),
        });
        Ok(programs.collect())
    }

    /// Asks all of them to close. They may take their time, ask their users, and say no.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn ask_to_close(&self) -> Result<(), Error> {
        for id in self.open_ids()? {
            durable::write(&self.layout.program(&id, "close"), b"", 0o644)?;
        }
        Ok(())
    }

    /// Takes the wish back: nobody needs to close any more.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn stop_asking_to_close(&self) -> Result<(), Error> {
        for id in self.open_ids()? {
            durable::remove_file(&self.layout.program(&id, "close"))?;
        }
        Ok(())
    }

    /// The identifiers of those that live. What dead ones have left is removed.
    fn open_ids(&self) -> Result<Vec<String>, Error> {
        let directory = self.layout.open_programs();
        let entries = match std::fs::read_dir(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
            other => other?,
        };
        // A program that is just beginning has its file, but not yet its lock.
        let _lock = Lock::take(&directory.join("lock"))?;
        let mut open = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".open")) else {
                continue;
            };
            let is_dead = match File::open(entry.path()) {
                Ok(file) => file.try_lock().is_ok(),
                Err(_) => true,
            };
            match is_dead {
                true => self.forget(id),
                false => open.push(id.to_owned()),
            }
        }
        open.sort();
        Ok(open)
    }

    /// Only ever tidy: what cannot be removed now is removed the next time.
    fn forget(&self, id: &str) {
        for what in ["close", "hold", "open"] {
            let _ = durable::remove_file(&self.layout.program(id, what));
        }
    }

    /// The launcher: the one that has started this program, or the one that the installer has put into `bin`.
    fn launcher(&self) -> PathBuf {
        let root = self.layout.root();
        let of_this_program = std::env::var_os(launcher::ROOT)
            .filter(|of| std::path::Path::new(of) == root)
            .and_then(|_| std::env::var_os(launcher::LAUNCHER));
        if let Some(launcher) = of_this_program {
            return launcher.into();
        }
        let names = [&*self.configuration.product, "obnova-launcher"];
        let mut places = ["bin", "."].iter().flat_map(|place| {
            names.map(|name| {
                let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
                root.join(place).join(name)
            })
        });
        let there = places.find(|path| path.is_file());
        there.unwrap_or_else(|| root.join("bin").join(names[0]))
    }

    /// Starts whichever version is the right one now, with these arguments, through the launcher.
    ///
    /// # Errors
    /// There is no launcher where it should be, or it cannot be started.
    pub fn start(&self, arguments: &[std::ffi::OsString]) -> Result<std::process::Child, Error> {
        let program = self.launcher();
        std::process::Command::new(&program)
            .args(arguments)
            .env(launcher::OWN_ROOT, self.layout.root())
            .env_remove(launcher::VERSION)
            .env_remove(launcher::TRIAL)
            .stdin(std::process::Stdio::null())
            .spawn()
            .map_err(|error| {
                let failed = Error::new(Code::CannotStart).arg("version", "");
                failed.detail(format!("{}: {error}", program.display()))
            })
    }
}

impl Attendance {
    /// Whether the user wants to restart into another version: save what can be saved, and end. Costs a look at a directory; once a
    /// second is often enough.
    pub fn is_asked_to_close(&self) -> bool {
        self.layout.program(&self.id, "close").exists()
    }

    /// Says why this program cannot be closed now, in the user's language, as in *The offer for Novák has not been saved.* `None`
    /// says that it can.
    ///
    /// # Errors
    /// The disk refuses; then what was said before stands.
    pub fn hold(&self, why: Option<&str>) -> Result<(), Error> {
        let path = self.layout.program(&self.id, "hold");
        match why {
            Some(why) => {
                let shown: String = why.chars().take(LONGEST_REASON as usize / 4).collect();
                durable::write(&path, shown.as_bytes(), 0o644)?;
            }
            None => durable::remove_file(&path)?,
        }
        Ok(())
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        for what in ["close", "hold", "open"] {
            let _ = durable::remove_file(&self.layout.program(&self.id, what));
        }
    }
}

impl Layout {
    fn open_programs(&self) -> PathBuf {
        self.state().join("open")
    }

    fn program(&self, id: &str, what: &str) -> PathBuf {
        self.open_programs().join(format!("{id}.{what}"))
    }

    fn hold_of(&self, id: &str) -> Option<String> {
        match durable::read_limited(&self.program(id, "hold"), LONGEST_REASON) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            // Whatever it is that cannot be read, it was a no.
            Err(_) => Some(String::new()),
        }
    }
}

fn process(id: &str) -> u32 {
    id.split('-')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}
