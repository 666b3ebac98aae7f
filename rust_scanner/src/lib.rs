//! The Rust core of pytest-fastcollect: project configuration, static collection, proofs of
//! unchanged inputs, and a watcher of the file system.
//!
//! Everything is plain Rust; only `python` knows about Python, and is compiled in with the feature
//! `pyo3` alone, so that the tests of this crate need no interpreter.
//!
//! From a file to its items:
//!
//! ```text
//! walk     which files, in pytest's order, below which conftest.py files
//! facts    what each file says, kept until the file changes
//!   cache  the same across processes
//!   parse  text → syntax::Module; the only place that knows the parser
//! collect  facts + configuration + conftest.py files → items, by pytest's rules
//! graph    which files import which
//! scan     all of it together, and what differs from the time before
//! tree     items as the editor protocol has them
//! ```
//!
//! What the text does not decide is never guessed: it becomes a doubt, with a reason for people.

pub mod cache;
pub mod collect;
pub mod config;
pub mod doctest;
pub mod facts;
pub mod fnmatch;
pub mod graph;
pub mod items;
pub mod parse;
pub mod paths;
pub mod pool;
pub mod proof;
mod pyrepr;
mod pystr;
#[cfg(feature = "pyo3")]
mod python;
pub mod resolve;
pub mod scan;
pub mod syntax;
pub mod tree;
pub mod versions;
pub mod walk;
pub mod watch;

/// Fuzzing has an allocator of its own, which looks for errors.
#[cfg(not(fuzzing))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The version of the distribution this crate is built into.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
