//! The edge to Python: the module `fastcollect_lsp._core`, typed in `fastcollect_lsp/_core.pyi`.
//!
//! Work is done with the GIL released; no panic crosses.

// PyO3's macros expand to code that these lints look into.
#![allow(missing_docs, clippy::needless_pass_by_value)]

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::cache::Cache;
use crate::collect::{Asked, Definition};
use crate::config::{self, Environment, Invocation, Version};
use crate::syntax::When;
use crate::{proof, scan, watch};

/// Run `work` without the GIL; a panic becomes a `RuntimeError` that says it is our fault.
fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    py.detach(|| catch_unwind(AssertUnwindSafe(work))).map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
        PyRuntimeError::new_err(format!(
            "internal error of the scanner: {}",
            message.unwrap_or("panic")
        ))
    })
}

/// A path as a Python `str`, undecodable bytes as surrogates.
fn text(path: &Path) -> OsString {
    path.as_os_str().to_owned()
}

fn texts(paths: &[PathBuf]) -> Vec<OsString> {
    paths.iter().map(|path| text(path)).collect()
}

fn when(name: &str) -> PyResult<When> {
    match name {
        "imported" => Ok(When::Imported),
        "called" => Ok(When::Called),
        "never" => Ok(When::Never),
        _ => Err(PyValueError::new_err("until: one of imported, called, never")),
    }
}

#[pyclass(frozen)]
struct ProjectConfig(config::ProjectConfig);

#[pymethods]
impl ProjectConfig {
    #[getter]
    fn root(&self) -> OsString {
        text(&self.0.root)
    }
    #[getter]
    fn inifile(&self) -> Option<OsString> {
        self.0.inifile.as_deref().map(text)
    }
    #[getter]
    fn error(&self) -> Option<&str> {
        self.0.error.as_deref()
    }
    #[getter]
    fn python_version(&self) -> Option<(u16, u16)> {
        self.0.environment.python.map(|Version(major, minor, _)| (major, minor))
    }
    #[getter]
    fn pytest_version(&self) -> Option<(u16, u16, u16)> {
        self.0.environment.pytest.map(|Version(major, minor, micro)| (major, minor, micro))
    }
    #[getter]
    fn python_files(&self) -> Vec<String> {
        self.0.options.python_files.clone()
    }
    #[getter]
    fn python_classes(&self) -> Vec<String> {
        self.0.options.python_classes.clone()
    }
    #[getter]
    fn python_functions(&self) -> Vec<String> {
        self.0.options.python_functions.clone()
    }
    #[getter]
    fn testpaths(&self) -> Vec<String> {
        self.0.options.testpaths.clone()
    }
    #[getter]
    fn norecursedirs(&self) -> Vec<String> {
        self.0.options.norecursedirs.clone()
    }
}

#[pyfunction]
#[pyo3(
    signature = (cwd, args=Vec::new(), *, inifile=None, rootdir=None, options=Vec::new(), search_path=None),
    text_signature = "(cwd, args=(), *, inifile=None, rootdir=None, options=(), search_path=None)"
)]
fn project_config(
    py: Python<'_>,
    cwd: PathBuf,
    args: Vec<String>,
    inifile: Option<String>,
    rootdir: Option<String>,
    options: Vec<String>,
    search_path: Option<Vec<PathBuf>>,
) -> PyResult<ProjectConfig> {
    let search_path = match search_path {
        Some(search_path) => search_path,
        None => py.import("sys")?.getattr("path")?.extract()?,
    };
    detached(py, || {
        ProjectConfig(config::project_config(&Invocation {
            cwd: &cwd,
            args: &args,
            inifile: inifile.as_deref(),
            rootdir: rootdir.as_deref(),
            options: &options,
            environment: Environment::read(search_path),
        }))
    })
}

#[pyclass(frozen)]
struct Scan(scan::Scan);

#[pymethods]
impl Scan {
    #[new]
    #[pyo3(
        signature = (config, args=Vec::new(), *, cache=None),
        text_signature = "(config, args=(), *, cache=None)"
    )]
    fn new(config: &ProjectConfig, args: Vec<String>, cache: Option<PathBuf>) -> Self {
        // Without a cache everything is only slower.
        let cache = cache.and_then(|directory| Cache::open(&directory, &config.0.root).ok());
        let scan = scan::Scan::new(config.0.clone(), args);
        Self(match cache {
            Some(cache) => scan.cached(cache),
            None => scan,
        })
    }

    #[pyo3(signature = (overlays=HashMap::new()))]
    fn refresh(
        &self,
        py: Python<'_>,
        overlays: HashMap<PathBuf, Vec<u8>>,
    ) -> PyResult<Vec<OsString>> {
        detached(py, || texts(&self.0.refresh(overlays)))
    }

    fn update(&self, py: Python<'_>, path: PathBuf, text: Option<Vec<u8>>) -> PyResult<bool> {
        detached(py, || self.0.update(&path, text.as_deref()))
    }

    #[getter]
    fn paths(&self) -> Vec<OsString> {
        texts(&self.0.paths())
    }

    #[getter]
    fn directories(&self) -> Vec<OsString> {
        texts(&self.0.directories())
    }

    #[getter]
    fn counts(&self) -> (usize, usize) {
        self.0.counts()
    }

    #[pyo3(signature = (path, until="never"))]
    fn imports_of(&self, py: Python<'_>, path: PathBuf, until: &str) -> PyResult<Vec<OsString>> {
        let until = when(until)?;
        detached(py, || texts(&self.0.imports_of(&path, until)))
    }

    #[pyo3(signature = (path, until="never"))]
    fn dependents_of(&self, py: Python<'_>, path: PathBuf, until: &str) -> PyResult<Vec<OsString>> {
        let until = when(until)?;
        detached(py, || texts(&self.0.dependents_of(&path, until)))
    }

    #[pyo3(signature = (path, line, name, named=false))]
    fn fixture(
        &self,
        py: Python<'_>,
        path: PathBuf,
        line: u32,
        name: String,
        named: bool,
    ) -> PyResult<Option<(OsString, (u32, u32, u32, u32), Option<&'static str>)>> {
        let found =
            detached(py, || self.0.fixture(&path, &Asked { line, name: &name, is_named: named }))?;
        Ok(found.map(|Definition { path, range, lifetime }| {
            let (start, end) = (range.start, range.end);
            (text(&path), (start.0, start.1, end.0, end.1), lifetime)
        }))
    }

    fn items_json<'py>(&self, py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &detached(py, || self.0.items_json(&path))?))
    }

    fn tree_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &detached(py, || self.0.tree_json())?))
    }
}

#[pyclass(frozen)]
struct InputSet(proof::InputSet);

#[pymethods]
impl InputSet {
    #[new]
    #[pyo3(
        signature = (files, dirs, prefixes=vec![], listings=vec![]),
        text_signature = "(files, dirs, prefixes=[], listings=[])"
    )]
    fn new(
        py: Python<'_>,
        files: Vec<PathBuf>,
        dirs: Vec<PathBuf>,
        prefixes: Vec<(PathBuf, u64)>,
        listings: Vec<PathBuf>,
    ) -> PyResult<Self> {
        detached(py, || Self(proof::InputSet::snapshot(files, dirs, prefixes, listings)))
    }

    #[pyo3(signature = (limit=20))]
    fn changed(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<OsString>> {
        detached(py, || texts(&self.0.changed(limit)))
    }

    #[getter]
    fn newest_ctime_ns(&self) -> i128 {
        self.0.newest_ctime_ns()
    }

    #[getter]
    fn taken_ns(&self) -> i128 {
        self.0.taken_ns()
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }
}

#[pyclass(frozen)]
struct Watcher(watch::Watcher);

#[pymethods]
impl Watcher {
    #[new]
    #[pyo3(signature = (most=1000, limit=20_000))]
    fn new(most: usize, limit: usize) -> PyResult<Self> {
        // `OSError(errno, text)` chooses the subclass, as everywhere in Python.
        watch::Watcher::new(most, limit)
            .map(Self)
            .map_err(|error| PyOSError::new_err((error.raw_os_error(), error.to_string())))
    }

    fn fileno(&self) -> RawFd {
        self.0.signal()
    }

    #[pyo3(
        signature = (directories, inputs=Vec::new()),
        text_signature = "($self, directories, inputs=())"
    )]
    fn watch(
        &self,
        py: Python<'_>,
        directories: Vec<PathBuf>,
        inputs: Vec<Py<InputSet>>,
    ) -> PyResult<Vec<OsString>> {
        detached(py, || {
            let inputs: Vec<&proof::InputSet> = inputs.iter().map(|set| &set.get().0).collect();
            texts(&self.0.watch(directories, &inputs))
        })
    }

    fn take(&self, py: Python<'_>) -> PyResult<Option<Vec<OsString>>> {
        detached(py, || match self.0.take() {
            watch::Taken::Paths(paths) => Some(texts(&paths)),
            watch::Taken::Everything => None,
        })
    }

    fn state(&self, py: Python<'_>) -> PyResult<(usize, usize, Option<String>, String)> {
        let state = detached(py, || self.0.state())?;
        let text = state.to_string();
        Ok((state.watched, state.wanted, state.trouble, text))
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.0.close())
    }
}

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::{InputSet, ProjectConfig, Scan, Watcher, project_config};

    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = crate::VERSION;
}
