//! Any bytes as each of the configuration files, the first byte choosing which.
#![no_main]

use fastcollect_fuzz::configured;
use fastcollect_scanner::scan::Scan;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] = ["pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "pytest.toml"];

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, text)) = bytes.split_first() else { return };
    let name = NAMES[usize::from(*choice) % NAMES.len()];
    let config = configured(&[(name, text), ("test_a.py", b"def test(): pass")]);
    let scan = Scan::new(config.project, Vec::new());
    scan.refresh(Default::default());
    let _ = scan.tree_json();
});
