//! A program that carries an archive behind itself, in one file: how the setup program for Windows comes to its user.
//!
//! ```text
//! program | zeros up to a multiple of 8 | archive | facts (JSON) | lengths, SHA-256 of archive and facts, mark
//! ```
//!
//! Windows runs such a file as if nothing were behind the program. A vendor's own signature (Authenticode) is put behind all of it and
//! named in the program's header, so the end of what is ours is looked up there; the length is a multiple of 8, as signatures begin
//! at one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use semver::Version;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::durable;

/// The last bytes of what is ours; another number when the format changes.
const MARK: &[u8; 16] = b"obnova-setup 1\r\n";
/// Length of facts, length of the archive, SHA-256, mark.
const TRAILER: u64 = 8 + 8 + 32 + 16;
/// The longest facts that are read, bytes.
const MAX_FACTS: u64 = 1 << 16;
const ALIGNMENT: u64 = 8;

/// What a setup program says of what it carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The product.
    pub product: String,
    /// Its name for people.
    pub name: String,
    /// The version that is installed.
    pub version: Version,
    /// The Desktop's platform: `windows-x86_64`.
    pub platform: String,
    /// The server to follow unless the user names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Bytes that have to be free for it.
    pub needed_bytes: u64,
}

/// Writes a new file: the program, and behind it the archive. The same things always give the same file.
///
/// # Errors
/// Something cannot be read, or the disk refuses.
pub fn append(program: &Path, archive: &Path, facts: &Facts, to: &Path) -> io::Result<()> {
    let facts = serde_json::to_vec(facts)?;
    let mut file = durable::create_new(to, 0o755)?;
    let before = io::copy(&mut File::open(program)?, &mut file)?;
    file.write_all(&vec![0; usize_of(padding(before))])?;
    let mut counted = Counted {
        to: &mut file,
        bytes: 0,
        digest: Sha256::new(),
    };
    io::copy(&mut File::open(archive)?, &mut counted)?;
    let length = counted.bytes;
    // JSON may end with spaces: all lengths are multiples of 8 then.
    let mut facts = facts;
    facts.resize(
        facts.len() + usize_of(padding(length + facts.len() as u64)),
        b' ',
    );
    counted.write_all(&facts)?;
    let digest = counted.digest.finalize();
    file.write_all(&(facts.len() as u64).to_le_bytes())?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&digest)?;
    file.write_all(MARK)?;
    file.finish()
}

/// A program's own archive.
#[derive(Debug)]
pub struct Appended {
    file: File,
    from: u64,
    length: u64,
    /// What it says of itself.
    pub facts: Facts,
}

impl Appended {
    /// Reads what is behind a program, and whether all of it is as it was when it was made.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when there is nothing, or it is damaged; otherwise it cannot be read.
    pub fn open(program: &Path) -> io::Result<Self> {
        let mut file = File::open(program)?;
        let end = end(&mut file)?;
        let trailer_at = end.checked_sub(TRAILER).ok_or_else(damaged)?;
        let mut trailer = [0; TRAILER as usize];
        file.seek(SeekFrom::Start(trailer_at))?;
        file.read_exact(&mut trailer)?;
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&trailer[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let (facts_length, length) = (number(0), number(8));
        if &trailer[48..] != MARK || facts_length > MAX_FACTS {
            return Err(damaged());
        }
        let from = trailer_at
            .checked_sub(facts_length)
            .and_then(|at| at.checked_sub(length))
            .ok_or_else(damaged)?;
        file.seek(SeekFrom::Start(from))?;
        let mut digest = Sha256::new();
        io::copy(&mut (&file).take(length), &mut digest)?;
        let mut facts = Vec::new();
        (&file).take(facts_length).read_to_end(&mut facts)?;
        digest.update(&facts);
        if digest.finalize()[..] != trailer[16..48] {
            return Err(damaged());
        }
        Ok(Self {
            file,
            from,
            length,
            facts: serde_json::from_slice(&facts).map_err(|_| damaged())?,
        })
    }

    /// The archive, from its beginning.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn archive(&mut self) -> io::Result<impl Read> {
        self.file.seek(SeekFrom::Start(self.from))?;
        Ok((&self.file).take(self.length))
    }
}

/// Where a signature begins, if the program is one of Windows' and has one; the end of the file otherwise.
fn end(file: &mut File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut read = |at: u64, bytes: &mut [u8]| -> io::Result<bool> {
        if at.saturating_add(bytes.len() as u64) > length {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(bytes)?;
        Ok(true)
    };
    let (mut dos, mut header) = ([0; 64], [0; 24 + 2]);
    if !read(0, &mut dos)? || &dos[..2] != b"MZ" {
        return Ok(length);
    }
    let at = u64::from(word(&dos[60..]));
    if !read(at, &mut header)? || &header[..4] != b"PE\0\0" {
        return Ok(length);
    }
    // The fifth of the directories behind the optional header, which is longer for programs of 64 bits.
    let directories = match u16::from_le_bytes([header[24], header[25]]) {
        0x20b => 112,
        _ => 96,
    };
    let mut security = [0; 8];
    if !read(at + 24 + directories + 4 * 8, &mut security)? {
        return Ok(length);
    }
    match (u64::from(word(&security)), word(&security[4..])) {
        (begin, size) if begin > 0 && size > 0 && begin < length => Ok(begin),
        _ => Ok(length),
    }
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn padding(length: u64) -> u64 {
    (ALIGNMENT - length % ALIGNMENT) % ALIGNMENT
}

/// Of a number below [`ALIGNMENT`].
fn usize_of(small: u64) -> usize {
    usize::try_from(small).unwrap_or_default()
}

fn damaged() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the file is damaged or incomplete",
    )
}

/// Counts and digests what is written.
struct Counted<'a, W> {
    to: &'a mut W,
    bytes: u64,
    digest: Sha256,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.bytes += written as u64;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            product: "crm".into(),
            name: "Žluťoučký CRM".into(),
            version: Version::new(1, 2, 3),
            platform: "windows-x86_64".into(),
            server: None,
            needed_bytes: 5,
        }
    }

    /// The smallest thing that has the header of a program for 64-bit Windows.
    fn program() -> Vec<u8> {
        let mut bytes = vec![0; 64 + 24 + 240];
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60] = 64;
        bytes[64..68].copy_from_slice(b"PE\0\0");
        bytes[64 + 24..64 + 26].copy_from_slice(&0x20b_u16.to_le_bytes());
        bytes
    }

    fn made(program: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("program"), program).unwrap();
        std::fs::write(path("archive"), b"all that is needed").unwrap();
        append(
            &path("program"),
            &path("archive"),
            &facts(),
            &path("setup.exe"),
        )
        .unwrap();
        let setup = path("setup.exe");
        (folder, setup)
    }

    fn carried(setup: &Path) -> io::Result<String> {
        let mut appended = Appended::open(setup)?;
        assert_eq!(appended.facts, facts());
        io::read_to_string(appended.archive()?)
    }

    #[test]
    fn a_program_carries_what_was_put_behind_it() {
        for program in [&program()[..], b"\x7fELF", b""] {
            let (_folder, setup) = made(program);
            assert_eq!(carried(&setup).unwrap(), "all that is needed");
            assert_eq!(setup.metadata().unwrap().len() % 8, 0);
            assert!(std::fs::read(&setup).unwrap().starts_with(program));
        }
    }

    #[test]
    fn a_program_that_was_signed_afterwards_still_carries_it() {
        let (_folder, setup) = made(&program());
        let mut bytes = std::fs::read(&setup).unwrap();
        let at = 64 + 24 + 112 + 4 * 8;
        let begin = u32::try_from(bytes.len()).unwrap();
        bytes[at..at + 4].copy_from_slice(&begin.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&16_u32.to_le_bytes());
        bytes.extend([7; 16]);
        std::fs::write(&setup, bytes).unwrap();
        assert_eq!(carried(&setup).unwrap(), "all that is needed");
    }

    #[test]
    fn whatever_byte_of_it_is_changed_or_missing_it_is_damaged() {
        let program = program();
        let (_folder, setup) = made(&program);
        let bytes = std::fs::read(&setup).unwrap();
        for at in program.len().next_multiple_of(8)..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            std::fs::write(&setup, changed).unwrap();
            assert!(Appended::open(&setup).is_err(), "byte {at}");
        }
        for length in 0..bytes.len() {
            std::fs::write(&setup, &bytes[..length]).unwrap();
            assert!(Appended::open(&setup).is_err(), "{length} bytes");
        }
    }
}
