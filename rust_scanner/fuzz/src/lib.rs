//! What the fuzz targets share: small projects in a temporary directory.

use std::path::PathBuf;
use std::sync::LazyLock;

use fastcollect_scanner::cache::{decode, encode_facts};
use fastcollect_scanner::config::{Environment, Invocation, ProjectConfig, project_config};
use fastcollect_scanner::parse::Source;
use fastcollect_scanner::scan::Scan;

/// What is read from a cache that was given `source`.
pub fn in_cache(source: &Source) -> Option<Source> {
    decode(&encode_facts(source)?)
}

/// One project for all executions: files exist once, their text comes as unsaved buffers.
pub struct Project {
    pub root: PathBuf,
    pub scan: Scan,
    _dir: tempfile::TempDir,
}

static PROJECT: LazyLock<Project> = LazyLock::new(|| {
    let made = configured(&[("pytest.ini", b"[pytest]"), ("test_a.py", b""), ("conftest.py", b"")]);
    let (root, scan) = (made.project.root.clone(), Scan::new(made.project, Vec::new()));
    Project { root, scan, _dir: made.dir }
});

impl Project {
    pub fn with(work: impl FnOnce(&Self)) {
        work(&PROJECT);
    }
}

/// A project of these files, and its directory.
pub struct Configured {
    pub project: ProjectConfig,
    dir: tempfile::TempDir,
}

pub fn configured(files: &[(&str, &[u8])]) -> Configured {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let project = project_config(&Invocation {
        cwd: dir.path(),
        args: &[],
        inifile: None,
        rootdir: None,
        options: &[],
        environment: Environment::default(),
    });
    Configured { project, dir }
}
