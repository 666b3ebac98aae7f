use std::fs;

use super::*;
use crate::config::{Environment, Invocation, project_config};
use crate::facts::Overlays;
use crate::scan::Scan;

/// A project made of files, and its scan.
struct Project {
    dir: tempfile::TempDir,
    scan: Scan,
}

impl Project {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        let config = project_config(&Invocation {
            cwd: dir.path(),
            args: &[],
            inifile: None,
            rootdir: None,
            options: &[],
            environment: Environment::default(),
        });
        let scan = Scan::new(config, Vec::new());
        scan.refresh(Overlays::new());
        Self { dir, scan }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn names(&self, paths: &[PathBuf]) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(self.dir.path()).map(Path::to_path_buf);
        paths.iter().map(|path| name(path).expect("inside").to_string_lossy().into()).collect()
    }

    fn imports(&self, name: &str, until: When) -> Vec<String> {
        self.names(&self.scan.imports_of(&self.path(name), until))
    }

    fn dependents(&self, name: &str, until: When) -> Vec<String> {
        self.names(&self.scan.dependents_of(&self.path(name), until))
    }
}

fn project() -> Project {
    Project::new(&[
        ("pytest.ini", "[pytest]\npythonpath = src\n"),
        ("conftest.py", "pytest_plugins = ['plugin']\n"),
        ("plugin.py", "import pkg.a\n"),
        ("src/pkg/__init__.py", "from .b import *\n"),
        ("src/pkg/a.py", "import os\nfrom . import c\n"),
        ("src/pkg/b.py", "def f():\n    from pkg.lazy import x\n"),
        ("src/pkg/c.py", "from pkg import a\nif TYPE_CHECKING:\n    import pkg.types\n"),
        ("src/pkg/lazy.py", "from pkg.sub import *\n"),
        ("src/pkg/sub/__init__.py", "__all__ = ['one', 'nothing']\n"),
        ("src/pkg/sub/one.py", ""),
        ("src/pkg/sub/two.py", ""),
        ("src/pkg/types.py", ""),
        ("src/pkg/unused.py", ""),
        ("tests/__init__.py", ""),
        ("tests/conftest.py", ""),
        ("tests/test_1.py", "def test(): pass\n"),
        ("tests/more/test_2.py", "import helper, sys\nfrom tests.test_1 import test\n"),
        ("tests/more/helper.py", "import missing\n"),
        ("other/test_3.py", "import helper\ndef test(): pass\n"),
    ])
}

const PLUGIN: [&str; 6] = [
    "conftest.py",
    "plugin.py",
    "src/pkg/__init__.py",
    "src/pkg/a.py",
    "src/pkg/b.py",
    "src/pkg/c.py",
];

#[test]
fn imports_are_followed_as_far_as_is_asked_for() {
    let project = project();
    let own = ["tests/__init__.py", "tests/conftest.py"];
    assert_eq!(
        project.imports("tests/test_1.py", When::Imported),
        [PLUGIN.as_slice(), &own].concat()
    );
    let lazy = ["src/pkg/lazy.py", "src/pkg/sub/__init__.py", "src/pkg/sub/one.py"];
    assert_eq!(
        project.imports("tests/test_1.py", When::Called),
        [PLUGIN.as_slice(), &lazy, &own].concat()
    );
    assert_eq!(
        project.imports("tests/test_1.py", When::Never),
        [PLUGIN.as_slice(), &lazy, &["src/pkg/types.py"], &own].concat()
    );
}

#[test]
fn what_pytest_inserts_for_one_file_is_there_for_others() {
    let project = project();
    let helped = ["other/test_3.py", "tests/more/test_2.py"];
    assert_eq!(project.dependents("tests/more/helper.py", When::Never), helped);
}

#[test]
fn a_change_concerns_all_that_import_it() {
    let project = project();
    let all = ["other/test_3.py", "tests/more/test_2.py", "tests/test_1.py"];
    assert_eq!(project.dependents("conftest.py", When::Never), all);
    assert_eq!(project.dependents("src/pkg/a.py", When::Imported), all);
    assert_eq!(project.dependents("src/pkg/types.py", When::Never), all);
    assert!(project.dependents("src/pkg/types.py", When::Called).is_empty());
    assert_eq!(project.dependents("tests/conftest.py", When::Never), all[1..]);
    assert_eq!(project.dependents("tests/test_1.py", When::Never), all[1..]);
    assert_eq!(project.dependents("other/test_3.py", When::Never), all[..1]);
    assert!(project.dependents("src/pkg/unused.py", When::Never).is_empty());
    assert!(project.dependents("src/pkg/sub/two.py", When::Never).is_empty());
}

#[test]
fn changes_are_seen_with_the_next_update_or_refresh() {
    let project = project();
    let test = project.path("tests/test_1.py");
    assert!(project.dependents("src/pkg/unused.py", When::Never).is_empty());
    project.scan.update(&test, Some(b"import pkg.unused\ndef test(): pass\n"));
    let both = ["tests/more/test_2.py", "tests/test_1.py"];
    assert_eq!(project.dependents("src/pkg/unused.py", When::Never), both);
    project.scan.update(&test, None);
    assert!(project.dependents("src/pkg/unused.py", When::Never).is_empty());
    fs::write(project.path("src/pkg/a.py"), "import pkg.unused, missing\n").expect("written");
    fs::write(project.path("src/missing.py"), "").expect("written");
    project.scan.refresh(Overlays::new());
    assert_eq!(project.dependents("src/pkg/unused.py", When::Never).len(), 3);
    assert_eq!(project.dependents("src/missing.py", When::Never).len(), 3);
    let overlay = Overlays::from([(project.path("src/pkg/a.py"), b"".to_vec())]);
    project.scan.refresh(overlay);
    assert!(project.dependents("src/pkg/unused.py", When::Never).is_empty());
}
