//! Cuts a rehearsal off from the world: a network of its own in which nothing but loopback is up, so that no mail, payment or
//! web hook leaves; processes of its own, which end all at once; and a view of the files in which the original data can only be
//! read, and sockets and mail queues of this machine are not there.

use std::ffi::CStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::mount::{MountFlags, mount, mount_bind, mount_bind_recursive, mount_remount};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, sendto, socket};

/// Places of sockets, mail queues and shared memory of this machine, with the permissions of what is put there instead.
const HIDDEN: [(&str, &CStr); 3] = [
    ("/run", c"mode=755"),
    ("/var/spool", c"mode=755"),
    ("/dev/shm", c"mode=1777"),
];
/// Places of temporary files. What is put there instead lies on the disk with the clone, since there may be much of it.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// What makes the namespaces. Part of util-linux, which every distribution has.
const UNSHARE: &str = "unshare";

/// The words before a command that cut it off: the strictest that is possible here. `probe` is a command that brings loopback up
/// and succeeds.
///
/// # Errors
/// No way is possible, and why.
pub(crate) fn way(probe: &[String]) -> Result<Vec<String>, String> {
    let is_root = rustix::process::geteuid().is_root();
    // The user stays the same in a user namespace, since database servers refuse to run as root.
    let own_user: &[&str] = match is_root {
        true => &[],
        false => &["--user", "--map-current-user", "--keep-caps"],
    };
    let whole: &[&str] = &[
        "--net",
        "--ipc",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ];
    let network_only: &[&str] = &["--net", "--mount"];
    let mut complaints = String::new();
    for flags in [whole, network_only] {
        let words: Vec<String> = [UNSHARE]
            .iter()
            .chain(own_user)
            .chain(flags)
            .chain(&["--"])
            .map(|word| (*word).to_owned())
            .collect();
        match succeeds(&words, probe) {
            Ok(()) => return Ok(words),
            Err(complaint) => complaints = complaint,
        }
    }
    Err(complaints)
}

fn succeeds(words: &[String], probe: &[String]) -> Result<(), String> {
    let output = Command::new(&words[0])
        .args(&words[1..])
        .args(probe)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{UNSHARE}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "{}: {} {}",
            words.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Brings loopback up in a new network namespace: one netlink message, as rtnetlink(7) has it.
///
/// # Errors
/// The kernel refuses it.
pub(super) fn bring_loopback_up() -> io::Result<()> {
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 0x1 | 0x4;
    const UP: u32 = 1;
    // The first interface of every network namespace.
    const LOOPBACK: i32 = 1;
    let mut message = Vec::with_capacity(32);
    message.extend_from_slice(&32_u32.to_ne_bytes());
    message.extend_from_slice(&NEW_LINK.to_ne_bytes());
    message.extend_from_slice(&REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&LOOPBACK.to_ne_bytes());
    message.extend_from_slice(&UP.to_ne_bytes());
    message.extend_from_slice(&UP.to_ne_bytes());
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    let kernel = SocketAddrNetlink::new(0, 0);
    sendto(&netlink, &message, SendFlags::empty(), &kernel)?;
    let mut answer = [0; 256];
    let (length, _) = recv(&netlink, &mut answer, RecvFlags::empty())?;
    // A header of 16 bytes, then the error's number, negative; 0 is an acknowledgement.
    let error = answer
        .get(16..20)
        .filter(|_| length >= 20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match error {
        Some(0) => Ok(()),
        Some(error) => Err(io::Error::from_raw_os_error(-error)),
        None => Err(io::Error::other("the kernel's answer is too short")),
    }
}

/// Rights in a user namespace that are not needed any more once it is set up. Only here can they be; they would not reach the
/// world outside either.
pub(super) fn drop_rights() {
    if !rustix::process::geteuid().is_root()
        && let Err(error) = rustix::thread::clear_ambient_capability_set()
    {
        eprintln!("rights within the namespace could not be dropped: {error}");
    }
}

/// Makes `originals` readable only but for `own` inside them, closes `sockets`, and hides places of this machine that none of
/// `needed` lies in, with `temporary` in the place of those for temporary files. The answer says what was done. In a mount
/// namespace of its own.
///
/// # Errors
/// The kernel refuses it.
pub(super) fn seal(
    originals: &[PathBuf],
    own: &Path,
    temporary: &Path,
    sockets: &[PathBuf],
    needed: &[PathBuf],
) -> io::Result<Vec<String>> {
    let mut done = Vec::new();
    // First, so that it is a mount of its own, which is carried into that of the directory around it and stays writable.
    mount_bind(own, own)?;
    for original in originals.iter().filter(|it| it.exists()) {
        mount_bind_recursive(original, original)?;
        for point in mount_points()? {
            if point.starts_with(original) && !point.starts_with(own) {
                remount_read_only(&point)?;
            }
        }
        done.push(format!("{} can only be read", original.display()));
    }
    for path in sockets.iter().filter(|it| it.exists()) {
        mount_bind(c"/dev/null", path)?;
    }
    let is_needed = |place: &Path| needed.iter().any(|path| path.starts_with(place));
    let there = |place: &str| std::fs::canonicalize(place).ok().filter(|it| it.is_dir());
    for (place, options) in HIDDEN {
        if let Some(place) = there(place).filter(|place| !is_needed(place)) {
            mount(c"tmpfs", &place, c"tmpfs", MountFlags::NOSUID, options)?;
            done.push(format!("{} is empty", place.display()));
        }
    }
    for place in TEMPORARY {
        if let Some(place) = there(place).filter(|place| !is_needed(place)) {
            mount_bind(temporary, &place)?;
            done.push(format!("{} is the clone's own", place.display()));
        }
    }
    Ok(done)
}

/// proc(5): the fifth field, with blanks written as \040.
fn mount_points() -> io::Result<Vec<PathBuf>> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(4));
    Ok(points
        .map(|point| PathBuf::from(point.replace("\\040", " ")))
        .collect())
}

/// Flags that a user namespace must not take off stay on.
fn remount_read_only(point: &Path) -> io::Result<()> {
    use rustix::fs::StatVfsMountFlags as Now;
    let now = rustix::fs::statvfs(point)?.f_flag;
    let mut flags = MountFlags::BIND | MountFlags::RDONLY;
    for (is_on, stays) in [
        (Now::NOSUID, MountFlags::NOSUID),
        (Now::NODEV, MountFlags::NODEV),
        (Now::NOEXEC, MountFlags::NOEXEC),
        (Now::NOATIME, MountFlags::NOATIME),
        (Now::NODIRATIME, MountFlags::NODIRATIME),
        (Now::RELATIME, MountFlags::RELATIME),
    ] {
        if now.contains(is_on) {
            flags |= stays;
        }
    }
    Ok(mount_remount(point, flags, c"")?)
}
