//! The steps by which the launcher confines itself, each one thing.
//!
//! Invariant: called in a process with one thread, before the interpreter is executed. The single
//! `unsafe` of this crate is here: closing files this process inherited but does not know.
//! Not here: limits over several processes (`cgroup`, `cage`).

use crate::launch_spec::Rlimits;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, Signal};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// System calls of the x32 interface carry this bit and the architecture of x86_64.
#[cfg(target_arch = "x86_64")]
const X32_BIT: i64 = 0x4000_0000;
/// CLONE_NEW* without CLONE_NEWTIME, whose bit is part of the exit signal in `clone`.
const NAMESPACE_FLAGS: u64 = 0x7e02_0000;

/// A session of its own: no terminal, and its number is the guest's process group.
pub(crate) fn own_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// The kernel kills this process when the agent ends, however it ends.
pub(crate) fn die_with_parent(parent: i32) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let now = rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero);
    if now.map(std::num::NonZeroI32::get) != Some(parent) {
        return Err(io::Error::other("the agent is gone"));
    }
    Ok(())
}

/// The channel arrives as standard input; closes whatever else was inherited, moves the channel to
/// file 3, which the interpreter inherits while the returned value lives, and leaves an empty input.
pub(crate) fn take_channel() -> io::Result<OwnedFd> {
    close_all_but_standard()?;
    // The lowest free number, which is the channel's, because all above the standard three are closed.
    let channel = rustix::io::dup(rustix::stdio::stdin())?;
    let nothing = rustix::fs::open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok(channel)
}

fn close_all_but_standard() -> io::Result<()> {
    if std::fs::read_dir("/proc/self/task")?.count() != 1 {
        return Err(io::Error::other("run_if_asked must come first in main, before any thread"));
    }
    let mut inherited = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let number = entry?.file_name().to_string_lossy().parse::<i32>();
        inherited.extend(number.ok().filter(|fd| *fd > 2));
    }
    for fd in inherited {
        close_unowned(fd);
    }
    Ok(())
}

#[allow(unsafe_code)]
fn close_unowned(fd: i32) {
    // SAFETY: the launcher has one thread and owns no file beyond the standard three at this point, so
    // no other value can name this number. The directory listed above is closed already; closing its
    // number again only fails.
    unsafe {
        libc::close(fd);
    }
}

/// Writes all of `bytes`.
pub(crate) fn write_all(file: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::write(&file, bytes)?;
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Files a guest makes are its own.
pub(crate) fn private_umask() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// Limits of this process, inherited by its children.
pub(crate) fn limit_resources(limits: &Rlimits) -> io::Result<()> {
    limit(Resource::Core, Some(0))?;
    limit(Resource::Nofile, Some(limits.open_files))?;
    limit(Resource::Fsize, Some(limits.file_bytes))?;
    limit(Resource::As, limits.address_space)?;
    limit(Resource::Nproc, limits.tasks_of_user)?;
    limit(Resource::Cpu, limits.cpu_seconds)
}

fn limit(resource: Resource, value: Option<u64>) -> io::Result<()> {
    let Some(value) = value else { return Ok(()) };
    let ceiling = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let value = value.min(ceiling);
    // One more second above the CPU limit tells SIGXCPU, which we report, from a plain kill.
    let hard = if resource == Resource::Cpu { value.saturating_add(1).min(ceiling) } else { value };
    rustix::process::setrlimit(resource, Rlimit { current: Some(value), maximum: Some(hard) })?;
    Ok(())
}

/// No program that the guest executes gains privileges.
pub(crate) fn give_up_privileges() -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Whether this architecture has a system call filter.
pub(crate) fn filter_architecture() -> Option<TargetArch> {
    TargetArch::try_from(std::env::consts::ARCH).ok()
}

/// Denies what no plugin needs; does nothing on an architecture without a filter (`layers` says so).
pub(crate) fn filter_system_calls() -> Result<(), String> {
    let Some(arch) = filter_architecture() else { return Ok(()) };
    for program in filters(arch)? {
        seccompiler::apply_filter(&program).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Two filters, because one filter answers with one error: `clone3` must look absent, so that the C
/// library falls back to `clone`, whose namespace flags can be seen.
#[allow(clippy::useless_conversion, reason = "numbers are 32 bits wide on 32-bit boards")]
fn filters(arch: TargetArch) -> Result<[BpfProgram; 2], String> {
    let mut denied: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for number in DENIED.iter().chain(DENIED_HERE).copied() {
        deny(&mut denied, i64::from(number), Vec::new());
    }
    let mut namespaces = Vec::new();
    for bit in (0..32).map(|bit| 1_u64 << bit).filter(|bit| NAMESPACE_FLAGS & bit != 0) {
        let set =
            SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(bit), bit)
                .map_err(|error| error.to_string())?;
        namespaces.push(SeccompRule::new(vec![set]).map_err(|error| error.to_string())?);
    }
    deny(&mut denied, i64::from(libc::SYS_clone), namespaces);
    let mut absent = BTreeMap::new();
    deny(&mut absent, i64::from(libc::SYS_clone3), Vec::new());
    Ok([compile(denied, Errno::PERM, arch)?, compile(absent, Errno::NOSYS, arch)?])
}

fn deny(rules: &mut BTreeMap<i64, Vec<SeccompRule>>, number: i64, when: Vec<SeccompRule>) {
    #[cfg(target_arch = "x86_64")]
    rules.insert(number | X32_BIT, when.clone());
    rules.insert(number, when);
}

fn compile(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    answer: Errno,
    arch: TargetArch,
) -> Result<BpfProgram, String> {
    let answer = SeccompAction::Errno(answer.raw_os_error().unsigned_abs());
    SeccompFilter::new(rules, SeccompAction::Allow, answer, arch)
        .and_then(TryInto::try_into)
        .map_err(|error: seccompiler::BackendError| error.to_string())
}

/// Denied everywhere: other processes' memory, mounts, namespaces, the machine's clock, name and
/// modules, kernel facilities with a history of holes.
const DENIED: &[libc::c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_fanotify_init,
];

/// Denied where the architecture has them.
#[cfg(target_arch = "x86_64")]
const DENIED_HERE: &[libc::c_long] =
    &[libc::SYS_kexec_file_load, libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_HERE: &[libc::c_long] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_compile_for_this_machine() {
        if let Some(arch) = filter_architecture() {
            let [denied, absent] = filters(arch).unwrap();
            assert!(denied.len() > DENIED.len() && !absent.is_empty());
        }
    }
}
