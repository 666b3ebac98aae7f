//! What is watched, and which events matter.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use notify::EventKind;
use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RemoveKind, RenameMode};

use crate::config;
use crate::proof::{InputSet, is_relevant_dir, is_relevant_file};

/// The directories and files that matter.
#[derive(Debug, Default)]
pub struct Aim {
    /// Directories whose entries matter, whether or not they exist.
    dirs: HashSet<PathBuf>,
    /// All directories above those: whole trees are moved and removed at once.
    above: HashSet<PathBuf>,
    /// Inputs that are no modules: their names alone would not say that they matter.
    files: HashSet<PathBuf>,
}

/// What an event says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happening {
    /// It came, went, or another took its place; whether it is a directory, if known.
    Entry(Option<bool>),
    /// What is in it may be different.
    Content,
}

impl Aim {
    /// Of `directories` and those of `inputs`; and the places to watch for that, the former first.
    ///
    /// A directory that is not there is waited for in the nearest one above that is.
    #[must_use]
    pub fn new(directories: Vec<PathBuf>, inputs: &[&InputSet]) -> (Self, Vec<PathBuf>) {
        let mut aim = Self::default();
        let mut places = Vec::new();
        let mut waiting = Vec::new();
        let mut add = |aim: &mut Self, dir: &Path| {
            if aim.dirs.contains(dir) || !dir.is_absolute() {
                return;
            }
            aim.dirs.insert(dir.to_owned());
            // Once a directory is known, so are those above it.
            for above in dir.ancestors().skip(1) {
                if !aim.above.insert(above.to_owned()) {
                    break;
                }
            }
            if dir.is_dir() { places.push(dir.to_owned()) } else { waiting.push(dir.to_owned()) }
        };
        for dir in directories.iter().filter(|dir| !is_never_walked(dir)) {
            add(&mut aim, dir);
        }
        for set in inputs {
            set.dirs().for_each(|dir| add(&mut aim, dir));
            for file in set.files() {
                let Some(dir) = file.parent() else { continue };
                // Bytecode follows from sources; every cold run writes there.
                if dir.file_name().is_some_and(|name| name == "__pycache__") {
                    continue;
                }
                add(&mut aim, dir);
                if !is_module(file) {
                    aim.files.insert(file.to_owned());
                }
            }
        }
        let mut known: HashSet<PathBuf> = places.iter().cloned().collect();
        for dir in waiting {
            let stand_in = dir.ancestors().skip(1).find(|above| above.is_dir());
            places
                .extend(stand_in.filter(|dir| known.insert((*dir).to_owned())).map(Path::to_owned));
        }
        (aim, places)
    }

    /// Whether an event of this kind at `path` is worth a look.
    #[must_use]
    pub fn matters(&self, kind: &EventKind, path: &Path) -> bool {
        let Some(happening) = happening(kind) else { return false };
        if self.files.contains(path) {
            return true;
        }
        if self.dirs.contains(path) || self.above.contains(path) {
            return matches!(happening, Happening::Entry(_));
        }
        // Elsewhere means: where something that is not there yet is waited for.
        path.parent().is_some_and(|dir| self.dirs.contains(dir)) && is_relevant(path, happening)
    }

    /// Whether after an event of this kind others than the directories that are watched may be at
    /// `path` and below: those that move with a directory above them are told nothing.
    #[must_use]
    pub fn is_lost(&self, kind: &EventKind, path: &Path) -> bool {
        matches!(kind, EventKind::Modify(ModifyKind::Name(_)))
            && (self.dirs.contains(path) || self.above.contains(path))
    }
}

fn happening(kind: &EventKind) -> Option<Happening> {
    match kind {
        EventKind::Create(CreateKind::Folder) | EventKind::Remove(RemoveKind::Folder) => {
            Some(Happening::Entry(Some(true)))
        }
        // What is no directory may be a link to one. The two halves of a rename come one by one, too.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
        EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)) => {
            Some(Happening::Entry(None))
        }
        EventKind::Modify(_) | EventKind::Access(AccessKind::Close(AccessMode::Write)) => {
            Some(Happening::Content)
        }
        _ => None,
    }
}

/// Whether a path in a directory that matters does so itself, by its name.
fn is_relevant(path: &Path, happening: Happening) -> bool {
    let Some(name) = path.file_name() else { return false };
    let is_config = || config::FILE_NAMES.iter().any(|known| name == *known);
    // Emacs' locks are links with names of modules.
    if name.as_bytes().starts_with(b".#") {
        return false;
    }
    match happening {
        Happening::Content => is_module(path) || is_config(),
        Happening::Entry(is_dir) => {
            is_relevant_file(name) && !name.as_bytes().ends_with(b".pyc")
                || is_relevant_dir(name)
                    && name != "node_modules"
                    && is_dir.unwrap_or_else(|| may_be_dir(path))
        }
    }
}

/// Whether a directory, or a link to one, is or was at `path`.
fn may_be_dir(path: &Path) -> bool {
    std::fs::metadata(path).map_or_else(|_| path.extension().is_none(), |meta| meta.is_dir())
}

fn is_module(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b".py")
}

/// Whether a directory of the project is one that tools keep for themselves.
fn is_never_walked(dir: &Path) -> bool {
    dir.components().any(|part| {
        [".git", "node_modules", "__pycache__"].iter().any(|name| part.as_os_str() == *name)
    })
}
