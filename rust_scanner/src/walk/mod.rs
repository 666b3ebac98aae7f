//! Finding test files (rules 3 to 8), in pytest's order.
//!
//! Directories are listed in parallel. The crates for walking read `.gitignore` or hand out entries in
//! any order; pytest does neither, and asks each directory's own files what to pass over.

mod arguments;
mod collectors;
mod glob;
mod ignore;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::prelude::*;

use crate::collect::Roles;
use crate::config::ProjectConfig;
use crate::paths::absolute;
use crate::syntax::Module;
pub use arguments::Argument;
use ignore::Ignored;

/// A conftest.py: what it says, and the directory it is for.
#[derive(Debug)]
pub struct Conftest {
    /// Its directory.
    pub dir: PathBuf,
    /// What it says.
    pub module: Arc<Module>,
}

/// A directory that holds test files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundDir {
    /// Its path, absolute.
    pub path: PathBuf,
    /// Whether it has an `__init__.py`.
    pub is_package: bool,
}

/// A test file.
#[derive(Debug, Clone)]
pub struct FoundFile {
    /// Its path, absolute.
    pub path: PathBuf,
    /// Its node id.
    pub id: String,
    /// What it is collected as.
    pub roles: Roles,
    /// The conftest.py files that apply, nearest first.
    pub conftests: Arc<[Arc<Conftest>]>,
    /// The arguments that mean a part of it; empty where all of it is meant.
    pub selection: Vec<Argument>,
    /// Why pytest may pass over it.
    pub doubt: Option<String>,
}

impl FoundFile {
    /// Whether it is Python, as pytest tells it.
    #[must_use]
    pub fn is_python(&self) -> bool {
        self.path.extension().is_some_and(|suffix| suffix == "py")
    }
}

/// What a walk found.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that may hold tests, in pytest's order.
    pub files: Vec<FoundFile>,
    /// Every directory that was looked into, rootdir too, with and without test files; sorted.
    pub walked: Vec<PathBuf>,
    /// Whether a directory that was walked is a package.
    packages: HashMap<PathBuf, bool>,
}

/// Reads conftest.py files; several threads ask at once.
pub type Reader<'a> = dyn Fn(&Path) -> Option<Arc<Module>> + Sync + 'a;

/// Find what pytest would collect for the positional arguments `args`.
#[must_use]
pub fn walk(config: &ProjectConfig, args: &[String], read: &Reader) -> Found {
    let arguments = arguments::arguments(config, args);
    let walker = Walker { config, ignored: Ignored::of(config), read, arguments: &arguments };
    let mut found = Gathered { config, packages: HashMap::new(), files: Vec::new() };
    for argument in &arguments {
        if let Some(node) = walker.start(argument) {
            found.add(node, argument);
        }
    }
    found.finish()
}

struct Walker<'a> {
    config: &'a ProjectConfig,
    ignored: Ignored,
    read: &'a Reader<'a>,
    arguments: &'a [Argument],
}

/// What lies below a path.
enum Node {
    Dir { path: PathBuf, is_package: bool, children: Vec<Node> },
    File { path: PathBuf, roles: Roles, conftests: Arc<[Arc<Conftest>]>, doubt: Option<String> },
}

/// A directory's entry that is a file or directory, links followed.
struct Entry {
    name: OsString,
    path: PathBuf,
    is_dir: bool,
    is_link: bool,
}

impl Walker<'_> {
    fn start(&self, argument: &Argument) -> Option<Node> {
        let path = &argument.path;
        let dir = if path.is_dir() { path } else { path.parent()? };
        let above: Vec<&Path> =
            dir.ancestors().skip(1).take_while(|above| self.may_have_conftest(above)).collect();
        let mut conftests: Vec<Arc<Conftest>> = Vec::new();
        for above in above.into_iter().rev() {
            conftests = self.with_conftest(above, &conftests);
        }
        if path.is_dir() {
            return Some(self.dir(path, &conftests));
        }
        let conftests: Arc<[_]> = self.with_conftest(dir, &conftests).into();
        let roles = collectors::roles(path, true, &conftests, self.config);
        (roles != Roles::default()).then(|| Node::File {
            path: path.clone(),
            roles,
            doubt: None,
            conftests,
        })
    }

    /// Whether `dir` is not above `confcutdir`.
    fn may_have_conftest(&self, dir: &Path) -> bool {
        let config = self.config;
        let given = config.options.confcutdir.as_ref().map(|given| absolute(&config.cwd, given));
        let cut = given
            .as_deref()
            .or_else(|| config.inifile.as_deref()?.parent())
            .unwrap_or(&config.root);
        !config.options.noconftest && (dir == cut || !cut.starts_with(dir))
    }

    /// The conftest.py files that apply in `dir`, nearest first, given those that apply above.
    fn with_conftest(&self, dir: &Path, above: &[Arc<Conftest>]) -> Vec<Arc<Conftest>> {
        let own =
            if self.may_have_conftest(dir) { (self.read)(&dir.join("conftest.py")) } else { None };
        let own = own.map(|module| Arc::new(Conftest { dir: dir.to_owned(), module }));
        own.into_iter().chain(above.iter().cloned()).collect()
    }

    fn dir(&self, path: &Path, above: &[Arc<Conftest>]) -> Node {
        let mut entries = entries(path);
        let is_file = |name: &str| entries.iter().any(|entry| !entry.is_dir && entry.name == name);
        let is_package = is_file("__init__.py");
        let conftests: Arc<[_]> =
            if is_file("conftest.py") { self.with_conftest(path, above) } else { above.to_vec() }
                .into();
        // In packages `__init__.py` comes first, as if its name were empty.
        entries.sort_by(|a, b| {
            let key =
                |entry: &Entry| (!(is_package && entry.name == "__init__.py"), entry.name.clone());
            key(a).cmp(&key(b))
        });
        let child = |entry: Entry| {
            let roles = self.roles(&entry, &conftests)?;
            if !entry.is_dir {
                let doubt = ignore::doubt(&entry.path, &conftests);
                let conftests = Arc::clone(&conftests);
                return Some(Node::File { path: entry.path, roles, conftests, doubt });
            }
            (!entry.is_link || !leads_back(&entry.path)).then(|| self.dir(&entry.path, &conftests))
        };
        let children = entries.into_par_iter().filter_map(child).collect();
        Node::Dir { path: path.to_owned(), is_package, children }
    }

    /// What an entry is collected as, of a directory nothing; `None` where pytest passes over it.
    fn roles(&self, entry: &Entry, conftests: &[Arc<Conftest>]) -> Option<Roles> {
        let is_given = self.arguments.iter().any(|argument| {
            argument.path == entry.path || entry.is_dir && argument.path.starts_with(&entry.path)
        });
        let roles = if entry.is_dir {
            Roles::default()
        } else {
            let roles = collectors::roles(&entry.path, is_given, conftests, self.config);
            (roles != Roles::default()).then_some(roles)?
        };
        let ignored = || self.ignored.matches(&entry.path, entry.is_dir, conftests, self.config);
        (is_given || !ignored()).then_some(roles)
    }
}

/// The files and directories in `dir`; what cannot be read is not there, as for pytest.
fn entries(dir: &Path) -> Vec<Entry> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let entry = |entry: std::fs::DirEntry| {
        let kind = entry.file_type().ok()?;
        let path = entry.path();
        let (is_dir, is_file) = if kind.is_symlink() {
            let target = std::fs::metadata(&path).ok()?;
            (target.is_dir(), target.is_file())
        } else {
            (kind.is_dir(), kind.is_file())
        };
        (is_dir || is_file).then(|| Entry {
            name: entry.file_name(),
            path,
            is_dir,
            is_link: kind.is_symlink(),
        })
    };
    entries.flatten().filter_map(entry).collect()
}

/// Whether a link leads to a directory that it lies in. pytest follows it some forty times.
fn leads_back(link: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino())).ok();
    let target = identity(link);
    link.ancestors().skip(1).any(|above| identity(above) == target)
}

/// What has been found so far, argument by argument.
struct Gathered<'a> {
    config: &'a ProjectConfig,
    /// Whether a directory that was walked is a package.
    packages: HashMap<PathBuf, bool>,
    files: Vec<FoundFile>,
}

impl Gathered<'_> {
    fn add(&mut self, node: Node, argument: &Argument) {
        match node {
            Node::Dir { path, is_package, children } => {
                self.packages.insert(path, is_package);
                children.into_iter().for_each(|child| self.add(child, argument));
            }
            Node::File { path, roles, conftests, doubt } => {
                let selection =
                    if argument.names.is_empty() { Vec::new() } else { vec![argument.clone()] };
                // Only of a file with names may another argument mean another part.
                let known =
                    self.files.iter_mut().find(|file| !selection.is_empty() && file.path == path);
                if let Some(known) = known {
                    known.selection.extend(selection);
                    return;
                }
                let id = node_id(&path, &argument.path, &self.config.root);
                self.files.push(FoundFile { path, id, roles, conftests, selection, doubt });
            }
        }
    }

    fn finish(self) -> Found {
        let mut walked: Vec<PathBuf> = self.packages.keys().cloned().collect();
        walked.sort_unstable();
        Found { files: self.files, walked, packages: self.packages }
    }
}

impl Found {
    /// The directories that hold `files`, parents first; not rootdir.
    pub fn dirs<'f>(&self, files: impl Iterator<Item = &'f Path>, root: &Path) -> Vec<FoundDir> {
        let mut seen: HashSet<&Path> = HashSet::new();
        let mut dirs = Vec::new();
        for file in files {
            let above =
                file.ancestors().skip(1).take_while(|dir| *dir != root && dir.starts_with(root));
            // Once a directory is known, so are those above it.
            let new: Vec<&Path> = above.take_while(|dir| seen.insert(dir)).collect();
            dirs.extend(new.into_iter().rev().map(|dir| {
                FoundDir {
                    path: dir.to_owned(),
                    is_package: self
                        .packages
                        .get(dir)
                        .copied()
                        .unwrap_or_else(|| dir.join("__init__.py").is_file()),
                }
            }));
        }
        dirs
    }
}

/// The node id of a file: relative to rootdir, or else to the argument it was found by.
fn node_id(path: &Path, argument: &Path, root: &Path) -> String {
    let relative = path.strip_prefix(root).or_else(|_| path.strip_prefix(argument)).unwrap_or(path);
    let relative = if relative.as_os_str().is_empty() {
        path.file_name().map(Path::new)
    } else {
        Some(relative)
    };
    relative.unwrap_or(path).to_string_lossy().into_owned()
}
