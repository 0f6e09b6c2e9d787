//! All that differs between operating systems.

#[cfg_attr(unix, path = "platform/unix.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod system;

pub(crate) use system::{
    ask_to_end, free_bytes, has_open_files, machine_policy, pass_on, run, user_policy,
};

/// What the vendor calls a computer like this one: `linux-x86_64`, `windows-x86_64`.
pub fn name() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
