//! Names this build, so that caches of another one are never read (`src/cache/`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use xxhash_rust::xxh3::Xxh3;

fn main() {
    let crate_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut inputs =
        BTreeSet::from([crate_dir.join("Cargo.toml"), crate_dir.join("../Cargo.lock")]);
    sources(&crate_dir.join("src"), &mut inputs);
    let mut hash = Xxh3::new();
    for input in &inputs {
        println!("cargo::rerun-if-changed={}", input.display());
        let text = fs::read(input).unwrap_or_default();
        hash.update(&text.len().to_le_bytes());
        hash.update(&text);
    }
    // A directory's own time tells of files that come and go.
    println!("cargo::rerun-if-changed={}", crate_dir.join("src").display());
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(compiler).arg("-vV").output();
    hash.update(&version.map(|output| output.stdout).unwrap_or_default());
    hash.update(env::var("TARGET").unwrap_or_default().as_bytes());
    hash.update(env::var("CARGO_PKG_VERSION").unwrap_or_default().as_bytes());
    println!("cargo::rustc-env=FASTCOLLECT_BUILD={:016x}", hash.digest());
}

fn sources(dir: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.insert(path);
        }
    }
}
