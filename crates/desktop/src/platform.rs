//! All that differs between operating systems.

#[cfg_attr(unix, path = "platform/unix.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod system;

pub(crate) use system::{
    MENU_OF_FILES, ask_to_end, free_bytes, give_name, has_open_files, machine_policy, pass_on,
    put_in_place, run, user_policy,
};

/// The file name of a program.
pub(crate) fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// What the vendor calls a computer like this one: `linux-x86_64`, `windows-x86_64`.
pub fn name() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
