//! Projects to measure: the same ones in every run.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use fastcollect_scanner::config::{Environment, Invocation, ProjectConfig, project_config};

/// Files with tests, and tests in each of them.
pub const FILES: usize = 500;
/// 8 functions, 4 cases, 8 methods.
pub const TESTS_PER_FILE: usize = 20;
/// Modules of the project itself, which tests import.
const MODULES: usize = 200;
/// Each imports so many others.
const FAN_OUT: u64 = 6;

/// Numbers that look random and are the same in every run (SplitMix64).
pub struct Numbers(u64);

impl Numbers {
    /// The numbers that belong to a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// A project of 500 test files with 10,000 tests, and 200 modules that import each other.
pub struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    /// Write it.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut numbers = Numbers::new(1);
        let write = |name: String, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        write("pytest.ini".into(), "[pytest]\npythonpath = src\ntestpaths = tests\n");
        write("src/app/__init__.py".into(), "");
        for module in 0..MODULES {
            write(format!("src/app/m{module}.py"), &source(module, &mut numbers));
        }
        for file in 0..FILES {
            write(format!("tests/d{}/test_{file}.py", file / 20), &test_file(&mut numbers));
        }
        for dir in 0..FILES / 20 {
            write(format!("tests/d{dir}/conftest.py"), "from app.m0 import value\n");
        }
        Self { dir }
    }

    /// Its root.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Its configuration.
    pub fn config(&self) -> ProjectConfig {
        project_config(&Invocation {
            cwd: self.root(),
            args: &[],
            inifile: None,
            rootdir: None,
            options: &[],
            environment: Environment::default(),
        })
    }

    /// Bytes of Python in its test files and conftest.py files.
    pub fn bytes(&self) -> u64 {
        let dirs = fs::read_dir(self.root().join("tests")).expect("there").flatten();
        let files = dirs.flat_map(|dir| fs::read_dir(dir.path()).expect("there").flatten());
        files.map(|file| file.metadata().expect("there").len()).sum()
    }

    /// A module that others import, and a test file.
    pub fn module_and_test(&self) -> (PathBuf, PathBuf) {
        (self.root().join("src/app/m0.py"), self.root().join("tests/d0/test_0.py"))
    }
}

fn source(module: usize, numbers: &mut Numbers) -> String {
    let mut text = String::from("import os\n");
    for _ in 0..FAN_OUT {
        let _ = writeln!(text, "from app.m{} import value", numbers.below(MODULES as u64));
    }
    let _ = writeln!(text, "value = {module}\n");
    text
}

/// A test file as people write them: some 6 KB.
pub fn test_file(numbers: &mut Numbers) -> String {
    let mut text =
        String::from("\"\"\"Tests.\"\"\"\nimport os\nimport pytest\nfrom unittest import mock\n");
    for _ in 0..2 {
        let _ = writeln!(text, "from app import m{}", numbers.below(MODULES as u64));
    }
    for test in 0..8 {
        let _ = writeln!(text, "\n\ndef test_plain_{test}(tmp_path):");
        body(&mut text, "    ", numbers);
    }
    text.push_str(
        "\n\n@pytest.mark.parametrize('a, b', [(1, 'x'), (2, 'y'), (3, 'z'), (4, None)])\n",
    );
    text.push_str("def test_param(a, b):\n    assert a\n\n\nclass TestThing:\n");
    for test in 0..8 {
        let _ = writeln!(text, "    def test_method_{test}(self):");
        body(&mut text, "        ", numbers);
    }
    text
}

fn body(text: &mut String, indent: &str, numbers: &mut Numbers) {
    let (a, b) = (numbers.below(100), numbers.below(100));
    for line in [
        format!("\"\"\"Whether {a} and {b} go together as they should.\"\"\""),
        format!("value = {{'a': {a}, 'b': [1, 2, {b}], 'name': f'{{os.sep}}name'}}"),
        format!("result = [key.upper() for key, item in value.items() if item != {b}]"),
        "with mock.patch.object(os, 'getcwd', return_value='/') as patched:".into(),
        "    assert os.getcwd() == '/', f'{patched} is not in place'".into(),
        format!("assert value['a'] == {a} and len(result) <= 3  # {b}"),
    ] {
        let _ = writeln!(text, "{indent}{line}");
    }
}

/// A buffer of at least `bytes` bytes.
pub fn buffer(bytes: usize, seed: u64) -> Vec<u8> {
    let mut numbers = Numbers::new(seed);
    let mut text = String::new();
    while text.len() < bytes {
        text.push_str(&test_file(&mut numbers));
    }
    text.into_bytes()
}
