//! All that differs between operating systems.

#[cfg_attr(unix, path = "platform/unix.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod system;

#[cfg(unix)]
pub(crate) use system::MENU_OF_FILES;
pub use system::tell;
pub(crate) use system::{
    ICON, TOOLS, ask_to_end, free_bytes, give_name, has_open_files, leave, machine_policy, pass_on,
    prepare, put_in_place, run, user_policy,
};

/// The user's language: by the rules of POSIX, or else as the system is set; English where neither says one that is known.
pub fn language() -> obnova_text::Lang {
    let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let said = of("LC_ALL")
        .or_else(|| of("LC_MESSAGES"))
        .or_else(|| of("LANG"))
        .or_else(system::language);
    said.and_then(|tag| tag.parse().ok()).unwrap_or_default()
}

/// The file name of a program.
pub(crate) fn program(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

/// What the vendor calls a computer like this one: `linux-x86_64`, `windows-x86_64`.
pub fn name() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
