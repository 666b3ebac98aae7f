use std::path::{Path, PathBuf};

use super::{Resolution, Resolver};
use crate::config::{Environment, Invocation, project_config};

/// A project in `dir/project`, with an environment in `dir/env`.
struct Project {
    dir: tempfile::TempDir,
}

impl Project {
    fn of(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            let text = text.replace("{dir}", dir.path().to_str().expect("text"));
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn resolver(&self) -> Resolver {
        Resolver::new(&project_config(&Invocation {
            cwd: &self.path("project"),
            args: &[],
            inifile: None,
            rootdir: None,
            options: &[],
            environment: Environment::read(vec![self.path("env/lib/python3.11/site-packages")]),
        }))
    }

    /// What an import in `project/FROM` names, below the project's or the environment's directory.
    fn resolve(&self, from: &str, module: &str, level: usize) -> String {
        let resolution = self.resolver().resolve(&self.path("project").join(from), module, level);
        let short = |path: &Path| {
            let path = path.strip_prefix(self.dir.path()).expect("inside");
            path.to_str().expect("text").replace("env/lib/python3.11/site-packages", "site")
        };
        match resolution {
            Resolution::Source(path) => short(&path),
            Resolution::Namespace(dirs) => {
                format!("{}/", dirs.iter().map(|dir| short(dir)).collect::<Vec<_>>().join("/ "))
            }
            Resolution::Compiled => "compiled".to_owned(),
            Resolution::Missing => "missing".to_owned(),
        }
    }
}

const SITE: &str = "env/lib/python3.11/site-packages";

#[test]
fn relative_imports_follow_directories() {
    let project = Project::of(&[
        ("project/pytest.ini", ""),
        ("project/tests/__init__.py", ""),
        ("project/tests/base.py", ""),
        ("project/tests/sub/__init__.py", ""),
        ("project/tests/sub/test_a.py", ""),
        ("project/tests/data/x.py", ""),
    ]);
    let from = "tests/sub/test_a.py";
    assert_eq!(project.resolve(from, "", 1), "project/tests/sub/__init__.py");
    assert_eq!(project.resolve(from, "", 2), "project/tests/__init__.py");
    assert_eq!(project.resolve(from, "base", 2), "project/tests/base.py");
    assert_eq!(project.resolve(from, "data", 2), "project/tests/data/");
    assert_eq!(project.resolve(from, "data.x", 2), "project/tests/data/x.py");
    assert_eq!(project.resolve(from, "nothing", 1), "missing");
    assert_eq!(project.resolve(from, "base.more", 2), "missing");
    assert_eq!(project.resolve("tests/__init__.py", "base", 1), "project/tests/base.py");
}

#[test]
fn pytest_puts_the_roots_of_packages_on_the_path() {
    let files = [
        ("project/pytest.ini", ""),
        ("project/conftest.py", ""),
        ("project/tests/conftest.py", ""),
        ("project/tests/util.py", ""),
        ("project/tests/unit/test_a.py", ""),
        ("project/tests/unit/helper.py", ""),
        ("project/tests/pkg/__init__.py", ""),
        ("project/tests/pkg/test_b.py", ""),
        ("project/tests/pkg/base.py", ""),
        ("project/top.py", ""),
    ];
    let project = Project::of(&files);
    let from = "tests/unit/test_a.py";
    assert_eq!(project.resolve(from, "helper", 0), "project/tests/unit/helper.py");
    assert_eq!(project.resolve(from, "util", 0), "project/tests/util.py");
    assert_eq!(project.resolve(from, "top", 0), "project/top.py");
    let from = "tests/pkg/test_b.py";
    assert_eq!(project.resolve(from, "pkg.base", 0), "project/tests/pkg/base.py");
    assert_eq!(project.resolve(from, "base", 0), "missing");
    assert_eq!(project.resolve(from, "tests.pkg.base", 0), "project/tests/pkg/base.py");

    let mut importlib = files.to_vec();
    importlib[0].1 = "[pytest]\naddopts = --import-mode=importlib\npythonpath = tests/unit\n";
    let project = Project::of(&importlib);
    assert_eq!(project.resolve("tests/unit/test_a.py", "util", 0), "missing");
    assert_eq!(project.resolve(from, "helper", 0), "project/tests/unit/helper.py");
    assert_eq!(project.resolve(from, "top", 0), "project/top.py", "python -m pytest adds the cwd");
}

#[test]
fn order_of_the_search_path() {
    let mut files = vec![
        ("project/pytest.ini", "[pytest]\npythonpath = src lib\n"),
        ("project/tests/test_a.py", ""),
        ("project/tests/one.py", ""),
        ("project/src/one.py", ""),
        ("project/src/two.py", ""),
        ("project/lib/two.py", ""),
        ("project/lib/three.py", ""),
        ("project/three.py", ""),
    ];
    files.push(("env/lib/python3.11/site-packages/four.py", ""));
    let project = Project::of(&files);
    let resolve = |name| project.resolve("tests/test_a.py", name, 0);
    assert_eq!(resolve("one"), "project/tests/one.py");
    assert_eq!(resolve("two"), "project/src/two.py");
    assert_eq!(resolve("three"), "project/lib/three.py");
    assert_eq!(resolve("four"), "site/four.py");
    assert_eq!(resolve("sys"), "compiled");
    files[0].1 = "[pytest]\npythonpath = src lib\naddopts = --import-mode append\n";
    assert_eq!(Project::of(&files).resolve("tests/test_a.py", "one", 0), "project/src/one.py");
}

#[test]
fn files_of_the_environment_do_not_see_the_tests_directory() {
    let project = Project::of(&[
        ("project/pytest.ini", ""),
        ("project/tests/helper.py", ""),
        ("env/lib/python3.11/site-packages/lib.py", ""),
    ]);
    let lib = project.path(SITE).join("lib.py");
    assert_eq!(project.resolver().resolve(&lib, "helper", 0), Resolution::Missing);
    assert!(!project.resolver().is_first_party(&lib));
    assert!(project.resolver().is_first_party(&project.path("project/tests/helper.py")));
    let own = project.path("project/.venv/lib/python3.11/site-packages/x.py");
    assert!(!project.resolver().is_first_party(&own));
}

#[test]
fn editable_installs() {
    let project = Project::of(&[
        ("project/pytest.ini", ""),
        ("project/tests/test_a.py", ""),
        ("project/src/direct/__init__.py", ""),
        ("project/src/direct/sub/mod.py", ""),
        ("project/lib/mapped/__init__.py", ""),
        ("project/lib/single.py", ""),
        ("project/lib/ns/part/__init__.py", ""),
        (&format!("{SITE}/_direct.pth"), "# comment\n\n{dir}/project/src\n/no/such/dir\n"),
        (
            &format!("{SITE}/__editable__.mapped-1.0.pth"),
            "import __editable___mapped_1_0_finder; __editable___mapped_1_0_finder.install()",
        ),
        (
            &format!("{SITE}/__editable___mapped_1_0_finder.py"),
            "MAPPING: dict[str, str] = {'mapped': '{dir}/project/lib/mapped', \
             'single': '{dir}/project/lib/single', 'ns.part': '{dir}/project/lib/ns/part'}\n\
             NAMESPACES: dict[str, list[str]] = {'ns': ['{dir}/project/lib/ns']}\n",
        ),
    ]);
    let resolve = |name| project.resolve("tests/test_a.py", name, 0);
    assert_eq!(resolve("direct"), "project/src/direct/__init__.py");
    assert_eq!(resolve("direct.sub"), "project/src/direct/sub/");
    assert_eq!(resolve("direct.sub.mod"), "project/src/direct/sub/mod.py");
    assert_eq!(resolve("mapped"), "project/lib/mapped/__init__.py");
    assert_eq!(resolve("single"), "project/lib/single.py");
    assert_eq!(resolve("ns"), "project/lib/ns/");
    assert_eq!(resolve("ns.part"), "project/lib/ns/part/__init__.py");
}

#[test]
fn namespaces_join_and_compiled_modules_hide_sources() {
    let project = Project::of(&[
        ("project/pytest.ini", ""),
        ("project/tests/test_a.py", ""),
        ("project/ns/a.py", ""),
        (&format!("{SITE}/ns/b.py"), ""),
        (&format!("{SITE}/fast.cpython-311-x86_64-linux-gnu.so"), ""),
        (&format!("{SITE}/fast.py"), ""),
        (&format!("{SITE}/package/__init__.py"), ""),
        (&format!("{SITE}/package/ext.abi3.so"), ""),
    ]);
    let resolve = |name| project.resolve("tests/test_a.py", name, 0);
    assert_eq!(resolve("ns"), "project/ns/ site/ns/");
    assert_eq!(resolve("ns.a"), "project/ns/a.py");
    assert_eq!(resolve("ns.b"), "site/ns/b.py");
    assert_eq!(resolve("fast"), "compiled");
    assert_eq!(resolve("fast.x"), "compiled");
    assert_eq!(resolve("package.ext"), "compiled");
}

#[test]
fn all_that_an_import_executes() {
    let project = Project::of(&[
        ("project/pytest.ini", ""),
        ("project/a/__init__.py", ""),
        ("project/a/b/c.py", ""),
    ]);
    let from = project.path("project/test_x.py");
    let source = |name: &str| Resolution::Source(project.path("project").join(name));
    let b = Resolution::Namespace(vec![project.path("project/a/b")]);
    let all = |module| project.resolver().resolve_all(&from, module, 0);
    assert_eq!(all("a.b.c"), [source("a/__init__.py"), b.clone(), source("a/b/c.py")]);
    assert_eq!(all("a.b.x.y"), [source("a/__init__.py"), b, Resolution::Missing]);
}
