//! What to collect: positional arguments, or `testpaths`, or the working directory (rules 3, 6 and 8).

use std::path::{Path, PathBuf};

use super::glob::glob;
use crate::config::ProjectConfig;
use crate::paths::absolute;

/// One argument, resolved (`CollectionArgument`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Absolute and normalised; it exists.
    pub path: PathBuf,
    /// The names after `::`.
    pub names: Vec<String>,
    /// The part from `[` on.
    pub case: Option<String>,
}

/// The arguments that pytest would use for `args` as given, without those that others contain.
///
/// Those that do not exist are left out: pytest would stop there, a tree has the rest to show.
pub fn arguments(config: &ProjectConfig, args: &[String]) -> Vec<Argument> {
    let mut given: Vec<Argument> =
        args.iter().filter_map(|arg| argument(&config.cwd, arg)).collect();
    if args.is_empty() && config.cwd == config.root {
        let paths = config.options.testpaths.iter().flat_map(|pattern| glob(&config.cwd, pattern));
        given = paths.map(|path| Argument::whole(absolute(&config.cwd, path))).collect();
    }
    if given.is_empty() && args.is_empty() {
        given.push(Argument::whole(config.cwd.clone()));
    }
    normalized(given)
}

fn argument(cwd: &Path, arg: &str) -> Option<Argument> {
    let (base, case) = match arg.find('[').filter(|_| arg.contains("::")) {
        Some(start) => (&arg[..start], Some(arg[start..].to_owned())),
        None => (arg, None),
    };
    let mut parts = base.split("::");
    let path = absolute(cwd, parts.next().unwrap_or_default());
    let names = parts.map(str::to_owned).collect();
    path.exists().then_some(Argument { path, names, case })
}

/// `normalize_collection_arguments`: drop what another argument contains, keep the order.
fn normalized(arguments: Vec<Argument>) -> Vec<Argument> {
    let mut order: Vec<usize> = (0..arguments.len()).collect();
    order.sort_by(|&a, &b| {
        let key = |index: usize| {
            (&arguments[index].path, &arguments[index].names, &arguments[index].case)
        };
        key(a).cmp(&key(b)).then(a.cmp(&b))
    });
    let mut kept: Vec<usize> = Vec::new();
    for index in order {
        if !kept.last().is_some_and(|&last| arguments[last].contains(&arguments[index])) {
            kept.push(index);
        }
    }
    kept.sort_unstable();
    let mut arguments: Vec<Option<Argument>> = arguments.into_iter().map(Some).collect();
    kept.into_iter().filter_map(|index| arguments[index].take()).collect()
}

impl Argument {
    fn whole(path: PathBuf) -> Self {
        Self { path, names: Vec::new(), case: None }
    }

    /// `is_collection_argument_subsumed_by`.
    fn contains(&self, other: &Self) -> bool {
        if self.path != other.path {
            return self.names.is_empty() && other.path.starts_with(&self.path);
        }
        other.names.starts_with(&self.names) && (self.case.is_none() || self.case == other.case)
    }

    /// Whether the item with these names after `::` (the last perhaps with its case) is meant, or lies
    /// within what is meant, or holds it.
    #[must_use]
    pub fn selects(&self, names: &[&str]) -> bool {
        let bare = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
        self.names.iter().zip(names).enumerate().all(|(index, (wanted, name))| {
            let is_last = index + 1 == self.names.len();
            match &self.case {
                Some(case) if is_last && name.contains('[') => **name == format!("{wanted}{case}"),
                _ if is_last => bare(name) == *wanted,
                _ => name == wanted,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(path: &str) -> Argument {
        Argument::whole(PathBuf::from(path))
    }

    #[test]
    fn contained_arguments_are_dropped_and_the_order_kept() {
        let kept = normalized(vec![
            whole("/b/x.py"),
            whole("/a"),
            whole("/b"),
            whole("/a/c"),
            whole("/a"),
            whole("/ab"),
        ]);
        assert_eq!(kept, [whole("/a"), whole("/b"), whole("/ab")]);
    }

    #[test]
    fn selection() {
        let argument = Argument {
            path: PathBuf::new(),
            names: vec!["A".to_owned(), "t".to_owned()],
            case: Some("[1]".to_owned()),
        };
        assert!(argument.selects(&["A"]));
        assert!(argument.selects(&["A", "t"]));
        assert!(argument.selects(&["A", "t[1]"]));
        assert!(!argument.selects(&["A", "t[2]"]));
        assert!(!argument.selects(&["B"]));
        assert!(!argument.selects(&["A", "u"]));
    }
}
