//! `sorted(glob.iglob(pattern, recursive=True))`, for `testpaths` (rule 3).

use std::path::{Path, PathBuf};

use crate::fnmatch::matches;

/// Directories within directories beyond this are not entered: links may lead in circles.
const MAX_DEPTH: usize = 40;

/// The paths that match `pattern`, as written relative to `base`, sorted.
pub fn glob(base: &Path, pattern: &str) -> Vec<String> {
    let (start, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("/".to_owned(), rest),
        None => (String::new(), pattern),
    };
    let mut found = vec![start];
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        found = found.iter().flat_map(|path| step(base, path, part, is_last)).collect();
    }
    found.retain(|path| !path.is_empty());
    found.sort();
    found.dedup();
    found
}

fn step(base: &Path, path: &str, part: &str, is_last: bool) -> Vec<String> {
    let here = if path.is_empty() { base.to_owned() } else { base.join(path) };
    if part == "**" {
        let mut found = vec![path.to_owned()];
        descend(&here, path, is_last, 0, &mut found);
        return found;
    }
    if !part.contains(['*', '?', '[']) {
        let exists = here.join(part).symlink_metadata().is_ok();
        return if exists { vec![join(path, part)] } else { Vec::new() };
    }
    let names = entries(&here, !is_last).into_iter();
    let is_match =
        |name: &String| (part.starts_with('.') || !name.starts_with('.')) && matches(name, part);
    names.filter(is_match).map(|name| join(path, &name)).collect()
}

fn descend(here: &Path, path: &str, with_files: bool, depth: usize, found: &mut Vec<String>) {
    if depth > MAX_DEPTH {
        return;
    }
    for name in entries(here, !with_files).into_iter().filter(|name| !name.starts_with('.')) {
        let below: PathBuf = here.join(&name);
        let relative = join(path, &name);
        found.push(relative.clone());
        if below.is_dir() {
            descend(&below, &relative, with_files, depth + 1, found);
        }
    }
}

fn entries(dir: &Path, only_dirs: bool) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let wanted = entries.flatten().filter(|entry| !only_dirs || entry.path().is_dir());
    wanted.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        "/" => format!("/{name}"),
        _ => format!("{path}/{name}"),
    }
}
