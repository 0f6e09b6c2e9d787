//! The one place that changes which version runs. Whoever has a [`State`] is alone with it; opening one finishes or undoes
//! what a process before has left half done.

use jiff::Timestamp;
use obnova_release::durable::{self, Lock};
use rand::Rng;
use semver::Version;

use crate::error::{Code, Error};
use crate::journal::{Journal, Record};
use crate::layout::Layout;
use crate::machine::Machine;
use crate::pointer::{Installed, News, Pointer, Quarantined, Reason, Report, Trial};
use crate::sweep;

/// How often a version is started without having confirmed, before the one before is taken again.
pub(crate) const MOST_STARTS: u32 = 3;

/// The state of a Desktop, with nobody else changing it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) layout: Layout,
    pub(crate) pointer: Pointer,
    journal: Journal,
    _lock: Lock,
}

/// What is to be started.
#[derive(Debug)]
pub(crate) enum Start {
    /// A version that has confirmed before, or that has none before it.
    Confirmed(Installed),
    /// One that has not: watch it.
    Trial(Installed, Trial),
}

impl State {
    /// Waits until nobody else changes it, and recovers.
    pub(crate) fn open(layout: &Layout) -> Result<Self, Error> {
        if layout.is_shared() {
            durable::create_dir_all(&layout.state())?;
        }
        let lock = Lock::take(&layout.lock())?;
        durable::remove_temporaries(&layout.state())?;
        let mut state = Self {
            pointer: Pointer::read(layout)?,
            journal: Journal::open(layout)?,
            layout: layout.clone(),
            _lock: lock,
        };
        state.recover()?;
        Ok(state)
    }

    /// The pointer says what counts; the journal's last record says what may be missing after it.
    fn recover(&mut self) -> Result<(), Error> {
        match self.journal.last.clone() {
            Some(Record::Switching { to, .. }) if self.pointer.version() == Some(&to) => {
                self.journal.append(Record::Switched { to })
            }
            Some(Record::Confirming { version }) if self.pointer.trial.is_none() => {
                self.journal.append(Record::Confirmed { version })?;
                self.sweep()
            }
            Some(Record::Switching { .. } | Record::Confirming { .. }) => {
                self.journal.append(Record::Abandoned)
            }
            Some(Record::Returning { from, to, why }) => {
                if self.pointer.version() == Some(&from) {
                    self.pointer.go_back(why, Timestamp::now());
                    self.pointer.write(&self.layout)?;
                }
                self.journal.append(Record::Returned { to })?;
                self.sweep()
            }
            Some(Record::Confirmed { .. } | Record::Returned { .. }) => self.sweep(),
            _ => Ok(()),
        }
    }

    /// Where all users share an installation: what the computer got since this user was last here is what this user gets, tried
    /// first as any other version, but for what failed here before. Files that are gone leave no choice.
    fn adopt(&mut self) -> Result<(), Error> {
        let machine = match self.layout.is_shared() {
            true => Machine::read(&self.layout)?,
            false => None,
        };
        let Some(machine) = machine else {
            return Ok(());
        };
        let is_here = |layout: &Layout, it: &Installed| layout.version(&it.version).is_dir();
        let failed =
            |pointer: &Pointer, it: &Installed| pointer.quarantine.contains_key(&it.version);
        let first_time = self.pointer.seen.is_none();
        let mut before = self.pointer.current.clone().filter(|_| !first_time);
        let is_new = self.pointer.seen != Some(machine.serial);
        let stays = before
            .as_ref()
            .is_some_and(|current| is_here(&self.layout, current));
        if !is_new && stays {
            return Ok(());
        }
        let all = machine.all().filter(|it| is_here(&self.layout, it));
        let to = match failed(&self.pointer, &machine.current) && stays {
            true => before.clone(),
            false => all.clone().find(|it| !failed(&self.pointer, it)).cloned(),
        };
        let to = to.unwrap_or_else(|| machine.current.clone());
        self.pointer.seen = Some(machine.serial);
        if before
            .as_ref()
            .is_some_and(|before| before.version == to.version)
        {
            return self.save();
        }
        // What to go back to has to be here, too.
        let fits = |it: &&Installed| it.version != to.version && !failed(&self.pointer, it);
        let other = all.clone().find(fits).cloned();
        let usable = |it: &Installed| is_here(&self.layout, it) && it.version != to.version;
        before = before.filter(usable).or(other.clone());
        if self.pointer.trial.is_some() {
            let previous = self.pointer.previous.take().filter(usable);
            self.pointer.previous = previous.or(other);
        }
        self.pointer.current = before;
        self.switch(to)?;
        if first_time {
            // Who has never been here has nothing to be told.
            self.pointer.news = None;
            self.save()?;
        }
        Ok(())
    }

    /// Makes the next start one of `to`.
    pub(crate) fn switch(&mut self, to: Installed) -> Result<(), Error> {
        let from = self.pointer.version().cloned();
        self.journal.append(Record::Switching {
            from: from.clone(),
            to: to.version.clone(),
        })?;
        let version = to.version.clone();
        // Two switches without a start between: the one to go back to is the last that worked.
        let before = match self.pointer.trial {
            Some(_) => self.pointer.previous.clone(),
            None => self.pointer.current.clone(),
        };
        self.pointer.previous = before.filter(|before| before.version != version);
        self.pointer.trial = self.pointer.previous.is_some().then(|| Trial {
            nonce: format!("{:032x}", rand::rng().random::<u128>()),
            starts: 0,
            failure: None,
        });
        self.pointer.news = from
            .filter(|from| *from != version)
            .map(|from| match from < version {
                true => News::Updated { from },
                false => News::Downgraded { from },
            });
        if self.pointer.trial.is_none() {
            self.report_installed(&version, None);
        }
        self.pointer.current = Some(to);
        self.pointer.wanted = None;
        self.pointer.quarantine.remove(&version);
        self.pointer.write(&self.layout)?;
        self.journal.append(Record::Switched { to: version })
    }

    /// What to start now. Counts the start of a version on trial, and goes back when there were enough.
    pub(crate) fn begin_start(&mut self) -> Result<Start, Error> {
        self.adopt()?;
        let missing = || Error::new(Code::NotInstalled).arg("path", self.layout.root().display());
        let current = self.pointer.current.clone().ok_or_else(missing)?;
        let Some(trial) = &mut self.pointer.trial else {
            return Ok(Start::Confirmed(current));
        };
        let reason = match &trial.failure {
            Some(failure) => Some(failure.clone()),
            None if trial.starts >= MOST_STARTS => Some(Reason::NeverConfirmed {
                starts: trial.starts,
            }),
            None => None,
        };
        if let Some(reason) = reason {
            self.go_back(reason)?;
            return self.begin_start();
        }
        trial.starts += 1;
        let trial = trial.clone();
        self.journal.append(Record::Trial {
            version: current.version.clone(),
            start: trial.starts,
        })?;
        self.pointer.write(&self.layout)?;
        Ok(Start::Trial(current, trial))
    }

    /// The version on trial works.
    pub(crate) fn confirm(&mut self) -> Result<(), Error> {
        let Some(version) = self.pointer.version().cloned() else {
            return Ok(());
        };
        self.journal.append(Record::Confirming {
            version: version.clone(),
        })?;
        self.pointer.trial = None;
        let from = self
            .pointer
            .previous
            .as_ref()
            .map(|previous| previous.version.clone());
        self.report_installed(&version, from);
        self.pointer.write(&self.layout)?;
        self.journal.append(Record::Confirmed { version })?;
        self.sweep()
    }

    /// Goes back to the version before.
    pub(crate) fn go_back(&mut self, reason: Reason) -> Result<(), Error> {
        let (Some(from), Some(to)) = (self.pointer.version(), &self.pointer.previous) else {
            return Err(Error::new(Code::NothingBefore));
        };
        let (from, to) = (from.clone(), to.version.clone());
        self.journal.append(Record::Returning {
            from,
            to: to.clone(),
            why: reason.clone(),
        })?;
        self.pointer.go_back(reason, Timestamp::now());
        self.pointer.write(&self.layout)?;
        self.journal.append(Record::Returned { to })?;
        self.sweep()
    }

    /// This version is not for here, though it was not started.
    pub(crate) fn quarantine(&mut self, version: &Version, reason: Reason) -> Result<(), Error> {
        let at = Timestamp::now();
        let quarantined = Quarantined { reason, at };
        self.pointer.quarantine.insert(version.clone(), quarantined);
        self.save()
    }

    /// Removes versions that are not needed any more. What cannot be removed now is tried again after the next change.
    pub(crate) fn sweep(&mut self) -> Result<(), Error> {
        sweep::versions(&self.layout, &self.pointer);
        self.journal.append(Record::Swept)
    }

    /// Writes the pointer after a change that is a single one, and needs no record.
    pub(crate) fn save(&mut self) -> Result<(), Error> {
        self.pointer.write(&self.layout)
    }

    fn report_installed(&mut self, version: &Version, from: Option<Version>) {
        self.pointer.reports.push(Report {
            at: Timestamp::now(),
            version: version.clone(),
            from,
            event: "installed".into(),
            reason: None,
        });
    }
}
