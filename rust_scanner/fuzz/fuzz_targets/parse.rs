//! Any bytes as a test file, and as its conftest.py: facts, items, their JSON, and their way through the cache.
#![no_main]

use std::path::PathBuf;

use fastcollect_fuzz::{Project, in_cache};
use fastcollect_scanner::facts::Overlays;
use fastcollect_scanner::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let source = parse(bytes);
    assert_eq!(in_cache(&source), Some(source), "the cache changes what a file says");
    Project::with(|project| {
        let file = |name: &str| -> PathBuf { project.root.join(name) };
        let half = bytes.len() / 2;
        let overlays = Overlays::from([
            (file("test_a.py"), bytes.to_vec()),
            (file("conftest.py"), bytes[half..].to_vec()),
        ]);
        project.scan.refresh(overlays);
        let _ = project.scan.tree_json();
        project.scan.update(&file("test_a.py"), Some(&bytes[..half]));
        let _ = project.scan.items_json(&file("test_a.py"));
    });
});
