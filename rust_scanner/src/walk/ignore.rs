//! What is not collected (rule 4; `pytest_ignore_collect`).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Conftest;
use crate::config::ProjectConfig;
use crate::fnmatch::{matches, matches_path};
use crate::paths::absolute;
use crate::syntax::{Expr, Module, Value};

/// What the command line in `addopts` ignores.
#[derive(Debug, Default)]
pub struct Ignored {
    paths: Vec<PathBuf>,
    globs: Vec<String>,
}

impl Ignored {
    /// As configured.
    pub fn of(config: &ProjectConfig) -> Self {
        let full = |path: &String| absolute(&config.cwd, path);
        Self {
            paths: config.options.ignore.iter().map(full).collect(),
            globs: config.options.ignore_glob.iter().map(|path| display(&full(path))).collect(),
        }
    }

    /// Whether pytest passes over `path`, which lies in a directory with these conftest.py files above.
    pub fn matches(
        &self,
        path: &Path,
        is_dir: bool,
        conftests: &[Arc<Conftest>],
        config: &ProjectConfig,
    ) -> bool {
        if path.file_name().is_some_and(|name| name == "__pycache__") {
            return true;
        }
        let by_conftest = |name: &str| nearest(conftests, name).unwrap_or_default();
        if self.paths.iter().any(|ignored| ignored == path)
            || by_conftest("collect_ignore").iter().any(|p| p == path)
        {
            return true;
        }
        let text = display(path);
        let globs = by_conftest("collect_ignore_glob");
        if self.globs.iter().any(|glob| matches(&text, glob))
            || globs.iter().any(|g| matches(&text, &display(g)))
        {
            return true;
        }
        is_dir
            && (!config.options.collect_in_virtualenv && is_virtualenv(path)
                || config.options.norecursedirs.iter().any(|pattern| matches_path(&text, pattern)))
    }
}

/// Why it is not known whether a conftest.py has pytest pass over `path`.
pub fn doubt(path: &Path, conftests: &[Arc<Conftest>]) -> Option<String> {
    let may_match = |name: &str, is_match: &dyn Fn(&Path) -> bool| {
        let definer = conftests.iter().find(|conftest| conftest.module.names.get(name).is_some());
        definer.is_some_and(|conftest| match literal(&conftest.module, name) {
            Some((_, Certainty::Certain)) => false,
            Some((paths, Certainty::Perhaps)) => {
                paths.into_iter().any(|path| is_match(&absolute(&conftest.dir, path)))
            }
            None => true,
        })
    };
    let is_doubtful = may_match("collect_ignore", &|ignored| path.starts_with(ignored))
        || may_match("collect_ignore_glob", &|glob| {
            path.ancestors().any(|above| matches(&display(above), &display(glob)))
        });
    is_doubtful.then(|| "a conftest.py computes what to ignore".to_owned())
}

/// The paths in `name` of the nearest conftest.py that has it, if they are certain.
fn nearest(conftests: &[Arc<Conftest>], name: &str) -> Option<Vec<PathBuf>> {
    let conftest = conftests.iter().find(|conftest| conftest.module.names.get(name).is_some())?;
    match literal(&conftest.module, name)? {
        (paths, Certainty::Certain) => {
            Some(paths.into_iter().map(|path| absolute(&conftest.dir, path)).collect())
        }
        (_, Certainty::Perhaps) => None,
    }
}

/// Whether a list holds what its text shows, or perhaps only some of it.
enum Certainty {
    Certain,
    Perhaps,
}

/// The texts in a list of literals.
fn literal<'a>(module: &'a Module, name: &str) -> Option<(Vec<&'a str>, Certainty)> {
    let binding = module.names.get(name)?;
    let Value::Expr(value) = &binding.value else { return None };
    let (Expr::List(items) | Expr::Tuple(items)) = value.as_ref() else { return None };
    let text = |item: &'a Expr| match item {
        Expr::Str(text) => Some(text.as_str()),
        _ => None,
    };
    let certainty = if binding.doubt.is_some() { Certainty::Perhaps } else { Certainty::Certain };
    Some((items.iter().map(text).collect::<Option<_>>()?, certainty))
}

fn is_virtualenv(path: &Path) -> bool {
    path.join("pyvenv.cfg").is_file() || path.join("conda-meta/history").is_file()
}

fn display(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
