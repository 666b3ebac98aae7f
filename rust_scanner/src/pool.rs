//! The threads that all parallel work runs on.

use std::sync::OnceLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// More threads than this gain nothing: the work is short and bound by the kernel's directory cache.
const MAX_THREADS: usize = 8;

/// Stack of one thread, in bytes; virtual memory until used. The parser grows its own stack, but the
/// destructors of deep syntax trees and our walks over them use this one.
const STACK_SIZE: usize = 64 << 20;

/// Run `work` on the crate's thread pool, so that rayon's iterators inside use its threads.
///
/// The pool is our own, not rayon's global one: other extension modules may have set that up with
/// small stacks. Where threads cannot be started, the work runs on the caller's thread.
pub fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let pool = POOL.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        ThreadPoolBuilder::new()
            .num_threads(cores.min(MAX_THREADS))
            .stack_size(STACK_SIZE)
            .thread_name(|index| format!("fastcollect-{index}"))
            .build()
            .ok()
    });
    match pool {
        Some(pool) => pool.install(work),
        None => work(),
    }
}
