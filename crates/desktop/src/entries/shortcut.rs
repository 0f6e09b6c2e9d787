//! A shortcut as Explorer reads it: Microsoft's *Shell Link Binary File Format* (MS-SHLLINK), of which this writes the little that a
//! program in the Start menu needs. Windows' own interface for it is a COM object, which cannot be called safely.

use std::os::windows::ffi::OsStrExt;
use std::path::Path;

const HEADER: u32 = 0x4c;
/// `{00021401-0000-0000-C000-000000000046}`
const CLASS: [u8; 16] = [
    0x01, 0x14, 0x02, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46,
];
const HAS_LINK_INFO: u32 = 1 << 1;
const HAS_NAME: u32 = 1 << 2;
const HAS_WORKING_DIR: u32 = 1 << 4;
const HAS_ICON_LOCATION: u32 = 1 << 6;
const IS_UNICODE: u32 = 1 << 7;
const HAS_EXP_STRING: u32 = 1 << 9;
const ATTRIBUTE_ARCHIVE: u32 = 0x20;
const SHOW_NORMAL: u32 = 1;

const LINK_INFO_HEADER: u32 = 0x24;
const VOLUME_AND_PATH: u32 = 1;
const DRIVE_FIXED: u32 = 3;
const VOLUME: u32 = 0x11;

const ENVIRONMENT: u32 = 0xa000_0001;
/// Characters of the path in [`ENVIRONMENT`], the last of which is a zero.
const PATH: usize = 260;

/// A program that is started by a click.
pub(super) struct Shortcut<'a> {
    pub(super) program: &'a Path,
    /// Where it is started.
    pub(super) directory: &'a Path,
    /// What is said about it.
    pub(super) description: &'a str,
    /// A file with its icon.
    pub(super) icon: &'a Path,
}

impl Shortcut<'_> {
    /// The file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let environment = self.environment();
        let mut flags = HAS_LINK_INFO | HAS_NAME | HAS_WORKING_DIR | HAS_ICON_LOCATION | IS_UNICODE;
        if environment.is_some() {
            flags |= HAS_EXP_STRING;
        }
        let mut bytes = Vec::new();
        put(&mut bytes, &[HEADER]);
        bytes.extend(CLASS);
        put(&mut bytes, &[flags, ATTRIBUTE_ARCHIVE]);
        // Times and length of the program are not known yet to whoever makes one for the next version.
        bytes.extend([0; 3 * 8 + 4]);
        put(&mut bytes, &[0, SHOW_NORMAL, 0, 0, 0]);
        bytes.extend(self.link_info());
        let description = self.description.replace(char::is_control, " ");
        for text in [
            description.encode_utf16().collect(),
            wide(self.directory),
            wide(self.icon),
        ] {
            let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
            bytes.extend(length.to_le_bytes());
            put_wide(&mut bytes, &text[..usize::from(length)]);
        }
        bytes.extend(environment.unwrap_or_default());
        put(&mut bytes, &[0]);
        bytes
    }

    /// Where the program is: once as old programs read it, once with all letters.
    fn link_info(&self) -> Vec<u8> {
        let (narrow, wide) = (self.narrow(), wide(self.program));
        let path_at = LINK_INFO_HEADER + VOLUME;
        let suffix_at = path_at + length(narrow.len()) + 1;
        let wide_at = suffix_at + 1;
        let wide_suffix_at = wide_at + (length(wide.len()) + 1) * 2;
        let mut bytes = Vec::new();
        put(
            &mut bytes,
            &[
                wide_suffix_at + 2,
                LINK_INFO_HEADER,
                VOLUME_AND_PATH,
                LINK_INFO_HEADER,
                path_at,
                0,
                suffix_at,
                wide_at,
                wide_suffix_at,
            ],
        );
        // A volume without a number and without a name.
        put(&mut bytes, &[VOLUME, DRIVE_FIXED, 0, VOLUME - 1]);
        bytes.push(0);
        bytes.extend(narrow);
        bytes.extend([0, 0]);
        put_wide(&mut bytes, &wide);
        bytes.extend([0; 4]);
        bytes
    }

    /// The path once more, in the place that Explorer looks at first; nothing when it is too long for that.
    fn environment(&self) -> Option<Vec<u8>> {
        let (mut narrow, mut wide) = (self.narrow(), wide(self.program));
        if narrow.len() >= PATH || wide.len() >= PATH {
            return None;
        }
        narrow.resize(PATH, 0);
        wide.resize(PATH, 0);
        let mut bytes = Vec::new();
        put(&mut bytes, &[8 + length(PATH) * 3, ENVIRONMENT]);
        bytes.extend(narrow);
        put_wide(&mut bytes, &wide);
        Some(bytes)
    }

    /// Letters that are not everywhere the same become question marks, which no path has.
    fn narrow(&self) -> Vec<u8> {
        let path = self.program.to_string_lossy();
        let narrow = |c: char| if c.is_ascii() { c as u8 } else { b'?' };
        path.chars().map(narrow).collect()
    }
}

fn wide(path: &Path) -> Vec<u16> {
    path.as_os_str().encode_wide().collect()
}

fn put(bytes: &mut Vec<u8>, numbers: &[u32]) {
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
}

fn put_wide(bytes: &mut Vec<u8>, text: &[u16]) {
    bytes.extend(text.iter().flat_map(|unit| unit.to_le_bytes()));
}

/// Of paths, which are far shorter than what a number holds.
fn length(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
