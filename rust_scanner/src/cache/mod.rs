//! Facts that outlive the process: one file per project and build of this crate.
//!
//! ```text
//! directory  whose it is and who may look into it; how many projects it keeps
//! pack       one project's file: header, checked records, appending, compaction
//! record     one file's facts as bytes
//! depth      bounds on what bytes can make the decoder do
//! ```
//!
//! A record holds for a file's stat (`proof::FileState`), which was old enough to tell every later
//! change. Nothing in the cache is trusted: what is not ours, of another build, cut off or damaged is
//! as good as absent, and whatever fails leaves the project without a cache and nobody the wiser.

mod depth;
mod directory;
mod pack;
mod record;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::parse::Source;
use crate::proof::FileState;
pub use record::{decode, encode_facts};

/// Identifies the build: sources of this crate, dependencies, compiler. Made by `build.rs`.
const BUILD: &str = env!("FASTCOLLECT_BUILD");

/// One project's cache on disk.
#[derive(Debug)]
pub struct Cache {
    pack: PathBuf,
}

/// A file's facts on their way to the cache.
#[derive(Debug, Clone, Copy)]
pub struct Fact<'a> {
    /// Absolute path.
    pub path: &'a Path,
    /// The state that they hold for; never a racy one.
    pub state: &'a FileState,
    /// What the file says.
    pub source: &'a Source,
}

impl Cache {
    /// The cache of the project at `root`, in a directory of the user's own that is made if need be.
    ///
    /// # Errors
    /// Why there is none: the directory cannot be made, or is open to others.
    pub fn open(directory: &Path, root: &Path) -> Result<Self, String> {
        directory::secure(directory)?;
        Ok(Self { pack: directory.join(directory::pack_name(root, BUILD)) })
    }

    /// What was kept in earlier runs; empty where it cannot be read.
    #[must_use]
    pub fn load(&self) -> Kept {
        Kept::of(pack::read(&self.pack).unwrap_or_default())
    }

    /// Keep these facts as well; whether they are kept now.
    ///
    /// Other processes may do the same at the same time: whoever comes second leaves it for later.
    #[must_use]
    pub fn add(&self, facts: &[Fact]) -> bool {
        let bodies: Vec<Vec<u8>> = facts.par_iter().filter_map(record::encode).collect();
        if bodies.is_empty() {
            return true;
        }
        let is_new = !self.pack.exists();
        let is_kept = pack::append(&self.pack, &bodies).unwrap_or(false);
        if is_new {
            directory::prune(&self.pack);
        }
        is_kept
    }
}

/// Facts of earlier runs, decoded when they are asked for.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: Vec<u8>,
    /// By path: the state, and where in `bytes` the facts are.
    places: HashMap<PathBuf, (FileState, std::ops::Range<usize>)>,
}

impl Kept {
    fn of(bytes: Vec<u8>) -> Self {
        let mut places = HashMap::new();
        for body in pack::bodies(&bytes) {
            // A later record of the same path is the newer one.
            if let Some((path, state, head)) = record::head(&bytes[body.clone()]) {
                places.insert(path, (state, body.start + head..body.end));
            }
        }
        Self { bytes, places }
    }

    /// The facts of `path` in this state.
    #[must_use]
    pub fn get(&self, path: &Path, state: &FileState) -> Option<Source> {
        let (known, place) = self.places.get(path)?;
        if known != state {
            return None;
        }
        record::decode(&self.bytes[place.clone()])
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether nothing was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Facts in the bytes of a whole pack, whatever they are.
#[must_use]
pub fn kept_in(bytes: Vec<u8>) -> Kept {
    Kept::of(bytes)
}

/// A whole pack of these records, whatever they are.
#[must_use]
pub fn pack_of(records: &[&[u8]]) -> Vec<u8> {
    pack::joined(records, true)
}

#[cfg(test)]
mod tests;
