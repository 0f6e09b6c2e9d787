//! Decompressing content to the disk while checking it, in bounded memory: nothing longer than what was signed is read or
//! written.

use std::io::{self, Read, Write};
use std::path::Path;

use crate::digest::Hasher;
use crate::durable;
use crate::error::Error;
use crate::tree::FileEntry;

/// Memory that content may ask for to be decompressed, as a power of two: 128 MiB.
const WINDOW_LOG_MAX: u32 = 27;

/// Unpacks to a new file; after an error the file is gone. `address` is what errors call the content.
pub(super) fn to_file(
    packed: impl Read,
    file: &FileEntry,
    target: &Path,
    address: &str,
) -> Result<(), Error> {
    let cannot_write = || Error::local("the new version cannot be written");
    let mut output = durable::create_new(target, file.mode | 0o600).map_err(cannot_write())?;
    let result = unpack(packed, file, &mut output)
        .and_then(|()| output.finish_unsynced().map_err(Problem::Write));
    result.map_err(|problem| {
        let _ = durable::remove_file_unsynced(target);
        match problem {
            Problem::Write(error) => cannot_write()(error),
            Problem::Content(reason) => Error::damaged(address, reason),
        }
    })
}

enum Problem {
    Write(io::Error),
    Content(String),
}

fn unpack(packed: impl Read, file: &FileEntry, output: &mut impl Write) -> Result<(), Problem> {
    let content = |error: io::Error| Problem::Content(error.to_string());
    let mut source = Watched {
        inner: packed.take(file.packed_size.saturating_add(1)),
        hasher: Hasher::default(),
    };
    let mut plain = Hasher::default();
    {
        let mut decoder = zstd::Decoder::new(&mut source).map_err(content)?;
        decoder.window_log_max(WINDOW_LOG_MAX).map_err(content)?;
        let mut buffer = vec![0; 128 << 10];
        loop {
            let count = decoder.read(&mut buffer).map_err(content)?;
            if count == 0 {
                break;
            }
            plain.update(&buffer[..count]);
            if plain.length() > file.size {
                return Err(Problem::Content(format!(
                    "is longer than {} bytes unpacked",
                    file.size
                )));
            }
            output.write_all(&buffer[..count]).map_err(Problem::Write)?;
        }
    }
    io::copy(&mut source, &mut io::sink()).map_err(content)?;
    if source.hasher.finish() != (file.packed_sha256, file.packed_size) {
        return Err(Problem::Content("is not what was signed".into()));
    }
    if plain.finish() != (file.sha256, file.size) {
        return Err(Problem::Content(
            "does not unpack to what was signed".into(),
        ));
    }
    Ok(())
}

/// A reader that hashes what goes through it.
struct Watched<R> {
    inner: R,
    hasher: Hasher,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::error::ErrorKind;

    fn packed(plain: &[u8]) -> (Vec<u8>, FileEntry) {
        let packed = zstd::encode_all(plain, 3).unwrap();
        let file = FileEntry {
            mode: 0o640,
            sha256: Digest::of(plain),
            size: plain.len() as u64,
            packed_sha256: Digest::of(&packed),
            packed_size: packed.len() as u64,
        };
        (packed, file)
    }

    fn unpacked(packed: &[u8], file: &FileEntry) -> Result<Vec<u8>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("file");
        let result = to_file(packed, file, &target, "content");
        assert_eq!(target.exists(), result.is_ok());
        result.map(|()| std::fs::read(target).unwrap())
    }

    #[test]
    fn content_comes_out_as_it_went_in() {
        for plain in [&b""[..], b"x", &vec![7; 1 << 20]] {
            let (packed, file) = packed(plain);
            assert_eq!(unpacked(&packed, &file).unwrap(), plain);
        }
    }

    #[test]
    fn a_decompression_bomb_is_stopped_at_the_signed_length() {
        let (packed, mut file) = packed(&vec![0; 64 << 20]);
        file.size = 1000;
        let error = unpacked(&packed, &file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(error.to_string().contains("longer than 1000"), "{error}");
    }

    #[test]
    fn a_truncated_an_extended_and_a_changed_file_are_refused() {
        let (packed, file) = packed(b"some content that is long enough");
        unpacked(&packed[..packed.len() - 1], &file).unwrap_err();
        unpacked(&[&packed[..], &packed[..]].concat(), &file).unwrap_err();
        let mut changed = packed.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        unpacked(&changed, &file).unwrap_err();
    }
}
