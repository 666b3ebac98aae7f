//! This process, described as `fastcollect_lsp.protocol.NativeRequest`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use rustix::fs::FileType;
use rustix::process::{Resource, Rlimit};
use serde::Serialize;

use crate::place::Installation;

/// All that the server needs to know of a caller that is no Python.
#[derive(Serialize)]
pub struct NativeRequest {
    argv: Vec<String>,
    orig_argv: Vec<String>,
    python: String,
    cwd: String,
    env: Environment,
    umask: u32,
    ignored_signals: Vec<u32>,
    blocked_signals: Vec<u32>,
    rlimits: BTreeMap<&'static str, [i64; 2]>,
    nice: i32,
    affinity: Vec<usize>,
    streams: Vec<Endpoint>,
    /// Descriptors beyond the standard ones that its parent has left open for it.
    pub inherited: Vec<i32>,
    user: [Vec<u32>; 3],
    namespaces: Vec<String>,
}

/// Says that an interpreter has become this process, and not to do so again (`pytest_fastcollect.start`).
pub const LEFT: &str = "FASTCOLLECT_LEFT";

/// Variables in their order, which a program can see.
struct Environment(Vec<(String, String)>);

impl Environment {
    /// This process'; None where JSON cannot say it.
    fn read() -> Option<Self> {
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os()
            .filter(|(name, _)| name != LEFT)
            .map(text)
            .collect::<Option<_>>()
            .map(Self)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Serialize for Environment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// What a standard descriptor leads to (`protocol.Stream`).
#[derive(Serialize)]
struct Endpoint {
    kind: &'static str,
    size: Option<[u16; 2]>,
}

const LIMITS: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_OFILE", Resource::Nofile),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];
/// `run_child.LEAST_DESCRIPTORS`; pytest shows that there are fewer.
const LEAST_DESCRIPTORS: u64 = 64;
/// `protocol.MAX_INHERITED`; pytest shows that there are more.
const MAX_INHERITED: usize = 250;
const NAMESPACES: [&str; 7] = ["mnt", "pid", "net", "user", "ipc", "uts", "cgroup"];
/// Python ignores these itself at its start.
const IGNORED_BY_PYTHON: u64 = 1 << (13 - 1) | 1 << (25 - 1);

/// This process; None where it is to be left to pytest: inside of another pytest, a background job of a
/// terminal, what is switched off, or what JSON cannot say.
pub fn describe(installation: &Installation, arguments: &[String]) -> Option<NativeRequest> {
    let env = Environment::read()?;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mask = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let groups = rustix::process::getgroups().ok()?;
    let mut groups: Vec<u32> = groups.iter().map(|group| group.as_raw()).collect();
    groups.sort_unstable();
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    let effective = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let descriptors = rustix::process::getrlimit(Resource::Nofile).current;
    if is_unwanted(&env, installation)
        || is_nested(&env)
        || is_in_background()
        || (uid, gid) != effective
        || descriptors.is_some_and(|most| most < LEAST_DESCRIPTORS)
    {
        return None;
    }
    let script = text(installation.script.as_os_str())?;
    let python = text(installation.python.as_os_str())?;
    let argv: Vec<String> = std::iter::once(script).chain(arguments.iter().cloned()).collect();
    Some(NativeRequest {
        orig_argv: std::iter::once(python.clone()).chain(argv.iter().cloned()).collect(),
        argv,
        python,
        cwd: text(std::env::current_dir().ok()?.as_os_str())?,
        env,
        umask: umask(),
        ignored_signals: signals(mask("SigIgn:")? | IGNORED_BY_PYTHON),
        blocked_signals: signals(mask("SigBlk:")?),
        rlimits: LIMITS.iter().map(|(name, resource)| (*name, limit(*resource))).collect(),
        nice: rustix::process::getpriority_process(None).ok()?,
        affinity: affinity()?,
        streams: standard()?,
        inherited: inherited()?,
        user: [vec![uid; 3], vec![gid; 3], groups],
        namespaces: NAMESPACES.iter().map(|name| namespace(name)).collect(),
    })
}

fn text(value: &OsStr) -> Option<String> {
    value.to_str().map(String::from)
}

fn is_set(env: &Environment, name: &str) -> bool {
    env.get(name).is_some_and(|value| !value.is_empty())
}

/// What `eligibility.judge` says of a run that nobody wants handed over; pytest shows why. Relative entries
/// of PYTHONPATH mean something else in every directory.
fn is_unwanted(env: &Environment, installation: &Installation) -> bool {
    let forced = env.get("FASTCOLLECT");
    let by_ci = is_set(env, "CI") && forced != Some("1") && installation.is_shim;
    let path = env.get("PYTHONPATH").unwrap_or_default();
    let is_relative = !path.is_empty() && path.split(':').any(|entry| !entry.starts_with('/'));
    forced == Some("0") || by_ci || is_relative
}

/// Whether a pytest is among our ancestors (`eligibility._is_nested`).
fn is_nested(env: &Environment) -> bool {
    let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if env.get("FASTCOLLECT_TOP_LEVEL").is_some_and(|pid| *pid == parent.to_string()) {
        return false;
    }
    if ["PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_VERSION"]
        .iter()
        .any(|name| env.get(name).is_some())
    {
        return true;
    }
    let mut pid = parent;
    for _ in 0..64 {
        if pid <= 1 {
            return false;
        }
        let (Ok(command), Ok(stat)) = (
            fs::read(format!("/proc/{pid}/cmdline")),
            fs::read_to_string(format!("/proc/{pid}/stat")),
        ) else {
            return false;
        };
        if is_pytest(&command) {
            return true;
        }
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        pid = parent.and_then(|pid| pid.parse().ok()).unwrap_or(0);
    }
    false
}

/// Whether a command line may be that of pytest or of a zygote; those that only look like it run cold.
fn is_pytest(command: &[u8]) -> bool {
    let mut words = command.split(|byte| *byte == 0);
    let name = |word: &[u8]| word.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    let program = name(words.next().unwrap_or_default());
    let is_python = program.starts_with(b"python") || program.starts_with(b"pypy");
    is_python
        && words.any(|word| {
            let name = name(word);
            name == b"pytest"
                || name == b"py.test"
                || word.windows(26).any(|part| part == b"pytest_fastcollect.zygote ")
        })
}

/// `eligibility._in_background`.
fn is_in_background() -> bool {
    let stdin = rustix::stdio::stdin();
    rustix::termios::isatty(stdin)
        && rustix::termios::tcgetpgrp(stdin).is_ok_and(|group| group != rustix::process::getpgrp())
}

/// Descriptors beyond the standard ones that its parent has left open for it: ours are closed on exec.
fn inherited() -> Option<Vec<i32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc/self/fdinfo").ok()? {
        let name = entry.ok()?.file_name();
        let number: i32 = name.to_str()?.parse().ok()?;
        if number < 3 {
            continue;
        }
        let Ok(info) = fs::read_to_string(format!("/proc/self/fdinfo/{number}")) else { continue };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"))?;
        if u32::from_str_radix(flags.trim(), 8).ok()? & 0o2_000_000 == 0 {
            found.push(number);
        }
    }
    found.sort_unstable();
    (found.len() <= MAX_INHERITED).then_some(found)
}

fn umask() -> u32 {
    let mask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(mask);
    mask.as_raw_mode()
}

/// The numbers in a mask, but for the two that the C library keeps for itself: Python does not know them.
fn signals(mask: u64) -> Vec<u32> {
    (1..=64).filter(|number| mask >> (number - 1) & 1 == 1 && !matches!(number, 32 | 33)).collect()
}

fn limit(resource: Resource) -> [i64; 2] {
    let Rlimit { current, maximum } = rustix::process::getrlimit(resource);
    [current, maximum].map(|value| value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1))
}

fn affinity() -> Option<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None).ok()?;
    Some((0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

fn standard() -> Option<Vec<Endpoint>> {
    [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()]
        .into_iter()
        .map(endpoint)
        .collect()
}

/// `handoff.endpoint`; None for a closed stream.
fn endpoint(fd: BorrowedFd<'_>) -> Option<Endpoint> {
    let state = rustix::fs::fstat(fd).ok()?;
    if rustix::termios::isatty(fd) {
        let size = rustix::termios::tcgetwinsize(fd).ok()?;
        return Some(Endpoint { kind: "tty", size: Some([size.ws_col, size.ws_row]) });
    }
    let null = fs::metadata("/dev/null").ok()?.rdev();
    let kind = match FileType::from_raw_mode(state.st_mode) {
        FileType::RegularFile => "file",
        FileType::Fifo | FileType::Socket => "pipe",
        FileType::CharacterDevice if state.st_rdev == null => "null",
        _ => "other",
    };
    Some(Endpoint { kind, size: None })
}

fn namespace(name: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{name}")).unwrap_or_default();
    OsString::from(link).to_str().unwrap_or_default().to_owned()
}

/// Arguments as text; None where JSON cannot say them.
pub fn texts(arguments: &[OsString]) -> Option<Vec<String>> {
    arguments
        .iter()
        .map(|word| std::str::from_utf8(word.as_bytes()).ok().map(String::from))
        .collect()
}
