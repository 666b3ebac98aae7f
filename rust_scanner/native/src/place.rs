//! Which environment this command belongs to, and where its server is met (`fastcollect_lsp/rendezvous.py`).

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};
use fastcollect_scanner::config::{Environment, Invocation, project_config};

/// The virtual environment that this command is installed in.
pub struct Installation {
    /// The interpreter, by the name that the console scripts of the environment use.
    pub python: PathBuf,
    /// `sys.prefix`.
    prefix: PathBuf,
    /// pytest's own console script.
    pub script: PathBuf,
    /// Whether this stands in the place of that script.
    pub is_shim: bool,
}

impl Installation {
    /// `name`: how this command was called.
    pub fn find(name: &OsStr) -> Result<Self, String> {
        let called = locate(name).ok_or_else(|| format!("{} is not on PATH", name.display()))?;
        let directories = [called.clone(), fs::canonicalize(&called).unwrap_or_default()];
        for directory in directories.iter().filter_map(|path| path.parent()) {
            let is_shim = called.file_name().is_some_and(|name| name != "fastcollect");
            // Where `fastcollect shim` has put it.
            for script in [directory.join(".fastcollect").join("pytest"), directory.join("pytest")]
            {
                if let Some(python) = interpreter_of(&script) {
                    let prefix = python.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
                    let prefix = prefix.to_owned();
                    return Ok(Self { python, prefix, script, is_shim });
                }
            }
        }
        Err(String::from("there is no pytest beside this command: pip install pytest-fastcollect"))
    }

    /// The directory of the server for what `arguments` would run in `cwd`; None where only pytest can tell.
    pub fn server(&self, cwd: &Path, arguments: &[String]) -> Option<PathBuf> {
        if !self.prefix.join("pyvenv.cfg").exists() {
            return None;
        }
        let root = root(cwd, arguments)?;
        let mut text = fs::canonicalize(root).ok()?.into_os_string().into_vec();
        text.push(0);
        text.extend(fs::canonicalize(&self.python).ok()?.as_os_str().as_bytes());
        text.extend(b" in ");
        text.extend(self.prefix.as_os_str().as_bytes());
        let digest = Blake2b::<U8>::digest(&text);
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some(base_directory()?.join(name))
    }
}

/// The file that a command name means, not resolved.
fn locate(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return std::path::absolute(name).ok();
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|directory| directory.join(name));
    found.filter(|file| file.is_absolute()).find(|file| file.is_file())
}

/// The interpreter that a console script is for.
fn interpreter_of(script: &Path) -> Option<PathBuf> {
    let text = fs::read(script).ok()?;
    let line = text.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let words: Vec<&[u8]> =
        line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
    let [path] = words[..] else { return None }; // with options, or by /bin/sh for a long path
    let path = PathBuf::from(OsString::from_vec(path.to_vec()));
    (path.is_absolute() && path.exists()).then_some(path)
}

fn base_directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(explicit) = variable("FASTCOLLECT_DIR") {
        return std::path::absolute(explicit).ok();
    }
    if let Some(runtime) = variable("XDG_RUNTIME_DIR").map(PathBuf::from)
        && runtime.is_absolute()
        && rustix::fs::access(&runtime, rustix::fs::Access::WRITE_OK).is_ok()
    {
        return Some(runtime.join("fastcollect"));
    }
    Some(PathBuf::from(format!("/tmp/fastcollect-{}", rustix::process::getuid().as_raw())))
}

/// pytest's rootdir, unless an option that is hard to read decides it.
fn root(cwd: &Path, arguments: &[String]) -> Option<PathBuf> {
    let addopts = std::env::var("PYTEST_ADDOPTS").unwrap_or_default();
    let decides = |word: &str| {
        word.starts_with("--rootdir") || word.starts_with("--config-file") || word.starts_with("-c")
    };
    if arguments.iter().any(|word| decides(word)) || addopts.split_whitespace().any(decides) {
        return None;
    }
    let paths: Vec<String> = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .filter(|word| cwd.join(word.split("::").next().unwrap_or_default()).exists())
        .cloned()
        .collect();
    let invocation = Invocation {
        cwd,
        args: &paths,
        inifile: None,
        rootdir: None,
        options: &[],
        environment: Environment::read(Vec::new()),
    };
    Some(project_config(&invocation).root)
}

/// Whether a directory is one of ours alone.
pub fn is_private(directory: &Path) -> bool {
    fs::symlink_metadata(directory).is_ok_and(|state| {
        state.is_dir()
            && state.uid() == rustix::process::geteuid().as_raw()
            && state.mode() & 0o077 == 0
    })
}
