//! The C interface of `obnova-desktop`. `include/obnova_desktop.h` says what each function does; here is only how values cross
//! the border. The one file of the workspace with `unsafe` in it.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use obnova_desktop::{Attendance, Desktop, Error, Health, Staged, Wanted};
use obnova_text::{Lang, Text};
use serde::Serialize;
use serde_json::{Value, json};

const FAILED: c_int = 1;
const DEFECT: c_int = 255;

/// See `obnova_desktop` in the header.
pub struct Handle {
    desktop: Desktop,
    text: &'static Text,
    work: Mutex<Work>,
    /// That the program is open; apart from the rest, as it is looked at while something else is under way.
    attendance: Mutex<Option<Attendance>>,
}

/// What one call leaves for the next.
#[derive(Default)]
struct Work {
    wanted: Option<Wanted>,
    staged: Option<Staged>,
}

/// See `obnova_desktop_progress` in the header.
pub type Progress = Option<extern "C" fn(context: *mut c_void, done: u64, total: u64)>;

impl Handle {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attendance(&self) -> MutexGuard<'_, Option<Attendance>> {
        let attendance = self.attendance.lock();
        attendance.unwrap_or_else(PoisonError::into_inner)
    }

    /// Once for the life of the handle.
    fn attend(&self) -> Result<MutexGuard<'_, Option<Attendance>>, Error> {
        let mut attendance = self.attendance();
        if attendance.is_none() {
            *attendance = Some(self.desktop.attend()?);
        }
        Ok(attendance)
    }
}

/// Runs a call, turns its result into JSON, and keeps a panic on this side of the border.
///
/// # Safety
/// `out` is NULL or may be written to.
unsafe fn answer(
    text: &'static Text,
    out: *mut *mut c_char,
    call: impl FnOnce() -> Result<Value, Error>,
) -> c_int {
    let (code, value) = match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => (0, value),
        Ok(Err(error)) => (FAILED, explained(text, &error)),
        Err(_) => (DEFECT, Value::Null),
    };
    // SAFETY: the caller's promise.
    unsafe { put(out, &value) };
    code
}

/// # Safety
/// `out` is NULL or may be written to.
unsafe fn put(out: *mut *mut c_char, value: &Value) {
    if out.is_null() {
        return;
    }
    // JSON holds no NUL: it is escaped there.
    let text = CString::new(value.to_string()).unwrap_or_default();
    // SAFETY: not NULL, so the caller's promise holds. Whoever gets it frees it with `obnova_desktop_free`.
    unsafe { *out = text.into_raw() };
}

fn explained(text: &Text, error: &Error) -> Value {
    let [what, state, to_do] = error.texts(text);
    json!({ "error": {
        "code": error.code.name(),
        "what": what,
        "state": state,
        "do": to_do,
        "detail": error.detail,
    } })
}

fn value(result: &impl Serialize) -> Value {
    serde_json::to_value(result).unwrap_or_default()
}

/// A text of the caller's; nothing when it is NULL. What is not UTF-8 is replaced.
///
/// # Safety
/// `text` is NULL or ends in NUL.
unsafe fn read(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not NULL, so the caller's promise holds.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// See the header.
///
/// # Safety
/// Texts are NULL or end in NUL; `handle` and `out` are NULL or may be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn obnova_desktop_open(
    root: *const c_char,
    language: *const c_char,
    handle: *mut *mut Handle,
    out: *mut *mut c_char,
) -> c_int {
    if handle.is_null() {
        return DEFECT;
    }
    // SAFETY: the caller's promise for both texts.
    let (root, language) = unsafe { (read(root), read(language)) };
    let lang: Lang = language
        .and_then(|tag| tag.parse().ok())
        .unwrap_or_default();
    let text = Text::of(lang);
    let open = || {
        let desktop = match &root {
            Some(root) => Desktop::open(&PathBuf::from(root))?,
            None => Desktop::of_this_program()?,
        };
        let opened = Box::new(Handle {
            desktop,
            text,
            work: Mutex::default(),
            attendance: Mutex::default(),
        });
        // SAFETY: not NULL, so the caller's promise holds.
        unsafe { *handle = Box::into_raw(opened) };
        Ok(Value::Null)
    };
    // SAFETY: the caller's promise for `out`.
    unsafe { answer(text, out, open) }
}

/// See the header.
///
/// # Safety
/// `handle` is NULL or was made by `obnova_desktop_open` and not closed yet; nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn obnova_desktop_close(handle: *mut Handle) {
    if !handle.is_null() {
        // SAFETY: the caller's promise; it was made by `Box::into_raw`.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// Makes a function of the header: what it does with the handle, between the checks that all have in common.
macro_rules! function {
    ($name:ident($($argument:ident: $kind:ty),*), $handle:ident => $body:expr) => {
        /// See the header.
        ///
        /// # Safety
        /// `handle` is NULL or was made by `obnova_desktop_open` and not closed yet; texts are NULL or end in NUL; `out` is
        /// NULL or may be written to.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(handle: *const Handle, $($argument: $kind,)* out: *mut *mut c_char) -> c_int {
            // SAFETY: the caller's promise.
            let Some($handle) = (unsafe { handle.as_ref() }) else {
                return DEFECT;
            };
            let call = || $body;
            // SAFETY: the caller's promise for `out`.
            unsafe { answer($handle.text, out, call) }
        }
    };
}

function!(obnova_desktop_status(), handle => Ok(value(&handle.desktop.status()?)));

function!(obnova_desktop_confirm(why: *const c_char), handle => {
    // SAFETY: the caller's promise for texts.
    let why = unsafe { read(why) };
    let confirmed = handle.desktop.confirm(|| why.map_or(Health::Good, Health::Bad))?;
    Ok(json!({ "confirmed": confirmed }))
});

function!(obnova_desktop_check(), handle => {
    let mut work = handle.work();
    *work = Work::default();
    let found = handle.desktop.check()?;
    let answer = value(&found);
    work.wanted = found.wanted;
    Ok(answer)
});

function!(obnova_desktop_download(progress: Progress, context: *mut c_void), handle => {
    let work = handle.work();
    if let Some(wanted) = &work.wanted {
        handle.desktop.download(wanted, &mut |done, total| {
            if let Some(progress) = progress {
                progress(context, done, total);
            }
        })?;
    }
    Ok(Value::Null)
});

function!(obnova_desktop_stage(), handle => {
    let mut work = handle.work();
    if let Some(wanted) = &work.wanted {
        work.staged = Some(handle.desktop.stage(wanted)?);
    }
    Ok(Value::Null)
});

function!(obnova_desktop_apply(insist: c_int), handle => {
    let staged = handle.work().staged.take();
    let applied = match (staged, insist) {
        (None, _) => return Ok(Value::Null),
        (Some(staged), 0) => handle.desktop.apply(staged)?,
        (Some(staged), _) => handle.desktop.insist(staged)?,
    };
    Ok(value(&applied))
});

function!(obnova_desktop_rollback(), handle => Ok(value(&handle.desktop.rollback()?)));

function!(obnova_desktop_take_news(), handle => Ok(value(&handle.desktop.take_news()?)));

function!(obnova_desktop_attend(), handle => handle.attend().map(|_| Value::Null));

function!(obnova_desktop_hold(why: *const c_char), handle => {
    // SAFETY: the caller's promise for texts.
    let why = unsafe { read(why) };
    if let Some(attendance) = &*handle.attend()? {
        attendance.hold(why.as_deref())?;
    }
    Ok(Value::Null)
});

/// See the header.
///
/// # Safety
/// `handle` is NULL or was made by `obnova_desktop_open` and not closed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn obnova_desktop_is_asked_to_close(handle: *const Handle) -> c_int {
    // SAFETY: the caller's promise.
    let Some(handle) = (unsafe { handle.as_ref() }) else {
        return 0;
    };
    let asked = || {
        handle
            .attendance()
            .as_ref()
            .is_some_and(Attendance::is_asked_to_close)
    };
    catch_unwind(AssertUnwindSafe(asked)).map_or(0, c_int::from)
}

/// See the header.
///
/// # Safety
/// `handle` is NULL or was made by `obnova_desktop_open` and not closed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn obnova_desktop_cancel(handle: *const Handle) {
    // SAFETY: the caller's promise.
    if let Some(handle) = unsafe { handle.as_ref() } {
        handle.desktop.cancel();
    }
}

/// See the header.
///
/// # Safety
/// `text` is NULL or was put into an `out` by this library and not freed yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn obnova_desktop_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: the caller's promise; it was made by `CString::into_raw`.
        drop(unsafe { CString::from_raw(text) });
    }
}
