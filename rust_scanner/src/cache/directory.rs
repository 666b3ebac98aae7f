//! The directory of all caches: the user's own, 0700, bounded.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use xxhash_rust::xxh3::xxh3_128;

/// Packs of projects, and of other builds, beyond these are removed, the least recently used first.
const MAX_PACKS: usize = 64;
/// The same for their length together, in bytes.
const MAX_BYTES: u64 = 512 << 20;

const SUFFIX: &str = "facts";

/// Make sure that `directory` exists and is ours alone.
///
/// # Errors
/// Why it cannot be used.
pub fn secure(directory: &Path) -> Result<(), String> {
    let describe = |error: std::io::Error| format!("{}: {error}", directory.display());
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(describe)?;
    let meta = std::fs::symlink_metadata(directory).map_err(describe)?;
    if !meta.is_dir() || !is_ours(&meta) {
        return Err(format!("{} is not a directory of ours alone", directory.display()));
    }
    Ok(())
}

/// Whether only this user may read or write what this is about.
pub fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0
}

/// The name of the pack of the project at `root` for one build of this crate.
pub fn pack_name(root: &Path, build: &str) -> String {
    format!("{:032x}-{build}.{SUFFIX}", xxh3_128(root.as_os_str().as_bytes()))
}

/// Remove packs that have not been used for longest, but never `own`.
pub fn prune(own: &Path) {
    let Some(entries) = own.parent().and_then(|directory| std::fs::read_dir(directory).ok()) else {
        return;
    };
    let mut packs: Vec<(SystemTime, u64, PathBuf)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path != own && path.extension().is_some_and(|suffix| suffix == SUFFIX))
        .filter_map(|path| {
            let meta = std::fs::symlink_metadata(&path).ok().filter(Metadata::is_file)?;
            Some((meta.modified().ok()?, meta.len(), path))
        })
        .collect();
    packs.sort_unstable_by(|a, b| b.cmp(a));
    let (mut kept, mut bytes) = (1, 0);
    for (_, length, path) in packs {
        (kept, bytes) = (kept + 1, bytes + length);
        if kept > MAX_PACKS || bytes > MAX_BYTES {
            // Whoever is reading it has it open.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_least_recently_used_packs_go_first() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let pack = |index: usize| dir.path().join(format!("{index}.{SUFFIX}"));
        for index in 0..MAX_PACKS + 3 {
            let file = File::create(pack(index)).expect("created");
            let age = Duration::from_secs(1_000 * index as u64);
            file.set_modified(SystemTime::UNIX_EPOCH + age).expect("a time");
        }
        std::fs::write(dir.path().join("foreign.txt"), "").expect("written");
        prune(&pack(0));
        let left = |index: usize| pack(index).exists();
        assert!(left(0), "its own pack is not removed, however old");
        assert!((1..4).all(|index| !left(index)) && (4..MAX_PACKS + 3).all(left));
        assert!(dir.path().join("foreign.txt").exists());
    }
}
