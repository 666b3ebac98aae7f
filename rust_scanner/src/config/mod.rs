//! Rootdir, configuration file and the options that decide what is collected
//! (`_pytest/config/findpaths.py`).

mod environment;
mod ids;
mod ini;
mod locate;
mod options;
mod plugins;
mod source;

use std::path::{Path, PathBuf};

use crate::versions::Versions;

pub use environment::{Environment, Version, is_site_dir};
pub use ids::{IdOptions, LongStrings};
pub use options::{ImportMode, Options};
pub use plugins::PluginOptions;
pub use source::NAMES as FILE_NAMES;

/// What decides about the configuration, as given on the command line.
#[derive(Debug, Clone)]
pub struct Invocation<'a> {
    /// The directory pytest is started in, absolute.
    pub cwd: &'a Path,
    /// Positional arguments: paths or node ids, relative to `cwd` or absolute.
    pub args: &'a [String],
    /// `-c`, `--config-file`.
    pub inifile: Option<&'a str>,
    /// `--rootdir`.
    pub rootdir: Option<&'a str>,
    /// All other words of the command line, after those of `addopts`: options that change what is
    /// collected are heeded, others passed over.
    pub options: &'a [String],
    /// The interpreter that runs the tests.
    pub environment: Environment,
}

/// What pytest would read from the project's configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectConfig {
    /// The directory pytest was to be started in.
    pub cwd: PathBuf,
    /// pytest's rootdir.
    pub root: PathBuf,
    /// The configuration file that counts, if any.
    pub inifile: Option<PathBuf>,
    /// Why pytest would refuse the configuration; the options are the defaults then.
    pub error: Option<String>,
    /// The options, defaults filled in.
    pub options: Options,
    /// The interpreter that runs the tests.
    pub environment: Environment,
}

/// Find rootdir and configuration as pytest does.
///
/// Never fails: where pytest would stop with a usage error, `error` holds it, the directory of the
/// broken file counts as rootdir, and the default options hold.
#[must_use]
pub fn project_config(invocation: &Invocation) -> ProjectConfig {
    let found = locate::determine_setup(invocation);
    let (options, error) = match found
        .settings
        .and_then(|settings| Options::read(&settings, found.inifile.as_deref(), invocation.options))
    {
        Ok(options) => (options, None),
        Err(error) => (Options::default(), Some(error.replace('\n', " "))),
    };
    ProjectConfig {
        cwd: invocation.cwd.to_owned(),
        root: found.root,
        inifile: found.inifile,
        error,
        options: options.with_versions(Versions::of(&invocation.environment)),
        environment: invocation.environment.clone(),
    }
}
