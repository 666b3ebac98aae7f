//! Finding rootdir and configuration file (`determine_setup` and `locate_config`).

use std::path::{Path, PathBuf};

use super::Invocation;
use super::source::{self, Settings};
use crate::paths::{absolute, common, is_root};
use crate::versions::Versions;

/// The outcome: always a rootdir, and the settings or why there are none.
pub struct Setup {
    pub root: PathBuf,
    pub inifile: Option<PathBuf>,
    pub settings: Result<Settings, String>,
}

/// A configuration file that was found, broken or not; its directory is the rootdir.
struct Located {
    file: PathBuf,
    settings: Result<Settings, String>,
}

/// Rootdir, configuration file and its content, as `determine_setup` finds them.
pub fn determine_setup(invocation: &Invocation) -> Setup {
    let dirs = argument_dirs(invocation);
    let mut setup = match invocation.inifile.filter(|name| !name.is_empty()) {
        Some(name) => explicit(invocation, &dirs, absolute(invocation.cwd, name)),
        None => discovered(invocation, &dirs),
    };
    if let Some(name) = invocation.rootdir.filter(|name| !name.is_empty()) {
        let root = absolute(invocation.cwd, expand_variables(name));
        if root.is_dir() {
            setup.root = root;
        } else {
            setup.settings = Err(format!(
                "Directory '{}' not found. Check your '--rootdir' option.",
                root.display()
            ));
        }
    }
    setup
}

/// `-c FILE`: that file and no other, and its directory.
fn explicit(invocation: &Invocation, dirs: &[PathBuf], file: PathBuf) -> Setup {
    let refuse = |problem: &str| {
        Err(format!(
            "Config file '{}' {problem}. Check your '-c/--config-file' option.",
            file.display()
        ))
    };
    let settings = if !file.exists() {
        refuse("not found")
    } else if file.is_dir() {
        refuse("is a directory")
    } else {
        source::load(&file).map(Option::unwrap_or_default)
    };
    let root = match file.parent() {
        Some(parent) if file.is_file() => parent.to_owned(),
        // `/dev/null` asks for no configuration and says nothing about the project's place.
        _ => {
            let ancestor = common_ancestor(invocation.cwd, dirs);
            if is_root(&ancestor) { invocation.cwd.to_owned() } else { ancestor }
        }
    };
    Setup { root, inifile: Some(file), settings }
}

fn discovered(invocation: &Invocation, dirs: &[PathBuf]) -> Setup {
    let versions = Versions::of(&invocation.environment);
    let ancestor = common_ancestor(invocation.cwd, dirs);
    if let Some(located) = locate(std::slice::from_ref(&ancestor), versions) {
        return located.into();
    }
    // With `--rootdir`, pytest asks neither setup.py nor the arguments' own ancestors.
    if invocation.rootdir.is_none() {
        if let Some(root) = ancestor.ancestors().find(|dir| dir.join("setup.py").is_file()) {
            return Setup::bare(root.to_owned());
        }
        if dirs != [ancestor.clone()]
            && let Some(located) = locate(
                if dirs.is_empty() { std::slice::from_ref(&ancestor) } else { dirs },
                versions,
            )
        {
            return located.into();
        }
    }
    let root = common_ancestor(invocation.cwd, &[invocation.cwd.to_owned(), ancestor.clone()]);
    Setup::bare(if is_root(&root) { ancestor } else { root })
}

/// The first configuration file from each of `dirs` upwards; else the first pyproject.toml without one.
fn locate(dirs: &[PathBuf], versions: Versions) -> Option<Located> {
    let mut plain_pyproject: Option<PathBuf> = None;
    for base in dirs.iter().flat_map(|dir| dir.ancestors()) {
        for (index, name) in source::NAMES.iter().enumerate() {
            let file = base.join(name);
            let is_new = name.ends_with("pytest.toml");
            if is_new && !versions.has_native_configuration() || !file.is_file() {
                continue;
            }
            let loaded = source::load(&file).map(|settings| {
                settings.filter(|settings| {
                    versions.has_native_configuration() || !source::is_native(settings)
                })
            });
            match loaded {
                Ok(None) if *name == "pyproject.toml" => {
                    plain_pyproject.get_or_insert(file);
                }
                Ok(None) => {}
                Ok(Some(settings)) => {
                    let settings = check_ignored(base, index).map(|()| settings);
                    return Some(Located { file, settings });
                }
                Err(error) => return Some(Located { file, settings: Err(error) }),
            }
        }
    }
    plain_pyproject.map(|file| Located { file, settings: Ok(Settings::new()) })
}

/// pytest reads the files it is going to ignore as well, to say so: a broken one of them is an error.
fn check_ignored(base: &Path, chosen: usize) -> Result<(), String> {
    source::NAMES[chosen + 1..]
        .iter()
        .map(|name| base.join(name))
        .filter(|file| file.is_file())
        .try_for_each(|file| source::load(&file).map(drop))
}

/// The directories of those arguments that exist (`get_dirs_from_args`).
fn argument_dirs(invocation: &Invocation) -> Vec<PathBuf> {
    let paths = invocation.args.iter().filter(|arg| !arg.starts_with('-'));
    let paths =
        paths.map(|arg| absolute(invocation.cwd, arg.split("::").next().unwrap_or_default()));
    paths
        .filter(|path| path.exists())
        .map(|path| match path.parent() {
            Some(parent) if !path.is_dir() => parent.to_owned(),
            _ => path,
        })
        .collect()
}

/// `get_common_ancestor`.
fn common_ancestor(cwd: &Path, paths: &[PathBuf]) -> PathBuf {
    let ancestor = paths.iter().filter(|path| path.exists()).cloned().reduce(|a, b| common(&a, &b));
    match ancestor {
        None => cwd.to_owned(),
        Some(path) => match path.parent() {
            Some(parent) if path.is_file() => parent.to_owned(),
            _ => path,
        },
    }
}

/// `os.path.expandvars`: unknown variables stay as they are.
fn expand_variables(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let (name, length) = match after.strip_prefix('{').and_then(|body| body.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let end = after
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match std::env::var(name) {
            Ok(value) if !name.is_empty() => out.push_str(&value),
            _ => out.push_str(&rest[start..=start + length]),
        }
        rest = &after[length..];
    }
    out + rest
}

impl Setup {
    fn bare(root: PathBuf) -> Self {
        Self { root, inifile: None, settings: Ok(Settings::new()) }
    }
}

impl From<Located> for Setup {
    fn from(located: Located) -> Self {
        let root = located.file.parent().unwrap_or(&located.file).to_owned();
        Self { root, inifile: Some(located.file), settings: located.settings }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_expand_as_in_python() {
        assert_eq!(expand_variables("a$/b${FASTCOLLECT_NO_SUCH}$"), "a$/b${FASTCOLLECT_NO_SUCH}$");
        let home = std::env::var("PATH").unwrap_or_default();
        assert_eq!(expand_variables("x/$PATH/y${PATH}"), format!("x/{home}/y{home}"));
    }
}
