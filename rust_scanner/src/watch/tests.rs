//! Against the real kernel. Events are awaited on the signal's descriptor; where none must come,
//! another one that must come is awaited behind it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::*;

/// After which a test that waits for an event is taken to hang.
const HANG: Duration = Duration::from_secs(30);

fn watcher() -> Watcher {
    Watcher::new(1_000, 1_000).expect("descriptors")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("writable");
}

/// All that is taken until `last` is among it.
fn until(watcher: &Watcher, last: &Path) -> Vec<PathBuf> {
    let began = Instant::now();
    let mut all = Vec::new();
    while !all.iter().any(|path| path == last) {
        assert!(began.elapsed() < HANG, "no event of {}: {all:?}", last.display());
        match watcher.take() {
            Taken::Paths(paths) => all.extend(paths),
            Taken::Everything => panic!("more than expected"),
        }
        std::thread::yield_now();
    }
    all.sort();
    all.dedup();
    all
}

/// The names below `dir` that are reported for `act`.
fn reported(dir: &Path, watcher: &Watcher, act: impl FnOnce()) -> Vec<String> {
    act();
    let last = dir.join("last.py");
    write(&last, "");
    let name = |path: PathBuf| path.strip_prefix(dir).expect("below").display().to_string();
    until(watcher, &last).into_iter().map(name).filter(|name| name != "last.py").collect()
}

#[test]
fn names_decide_what_matters() {
    let dir = tempfile::tempdir().expect("a directory");
    let watcher = watcher();
    watcher.watch(vec![dir.path().to_owned()], &[]);
    let names = reported(dir.path(), &watcher, || {
        for name in ["a.py", "pytest.ini", "a.pyc", ".#b.py", "b.py~", ".c.py.swp", "data.json"] {
            write(&dir.path().join(name), "x");
        }
        for name in ["package", ".git", "__pycache__", "node_modules"] {
            fs::create_dir(dir.path().join(name)).expect("made");
        }
    });
    assert_eq!(names, ["a.py", "package", "pytest.ini"]);
}

#[test]
fn inputs_matter_whatever_their_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let input = dir.path().join("data.json");
    let later = dir.path().join("later/data.csv");
    let inputs = InputSet::snapshot(vec![input.clone(), later.clone()], vec![], vec![], vec![]);
    let watcher = watcher();
    watcher.watch(vec![], &[&inputs]);
    let change = || {
        write(&input, "1");
        write(&dir.path().join("other.json"), "1");
        fs::create_dir(dir.path().join("later")).expect("made");
    };
    assert_eq!(reported(dir.path(), &watcher, change), ["data.json", "later"]);
    assert_eq!(watcher.watch(vec![], &[&inputs]), [dir.path().join("later")]);
    write(&later, "1");
    // One write is more than one event: those of the file behind which all was awaited may still come.
    let last = dir.path().join("last.py");
    let paths: Vec<_> = until(&watcher, &later).into_iter().filter(|path| *path != last).collect();
    assert_eq!(paths, [later]);
}

#[test]
fn what_stands_in_for_a_missing_directory_is_no_place_of_interest() {
    let dir = tempfile::tempdir().expect("a directory");
    let wanted = dir.path().join("a/b");
    let watcher = watcher();
    assert_eq!(watcher.watch(vec![wanted.clone()], &[]), [dir.path()]);
    write(&dir.path().join("x.py"), "");
    fs::create_dir(dir.path().join("a")).expect("made");
    assert_eq!(until(&watcher, &dir.path().join("a")), [dir.path().join("a")]);
    assert_eq!(watcher.watch(vec![wanted.clone()], &[]), [dir.path().join("a")]);
    fs::create_dir(&wanted).expect("made");
    until(&watcher, &wanted);
    assert_eq!(watcher.watch(vec![wanted.clone()], &[]), [wanted]);
    assert_eq!(watcher.state().to_string(), "watching 1 directory");
}

#[test]
fn a_directory_that_takes_anothers_place_is_watched_in_its_stead() {
    let top = tempfile::tempdir().expect("a directory");
    let dir = top.path().join("dir");
    fs::create_dir(&dir).expect("made");
    let watcher = watcher();
    watcher.watch(vec![dir.clone()], &[]);
    // The directory above is not watched: only the directory itself tells that it moved.
    fs::rename(&dir, top.path().join("away")).expect("moved");
    until(&watcher, &dir);
    fs::create_dir(&dir).expect("made");
    assert_eq!(watcher.watch(vec![dir.clone()], &[]).len(), 1);
    assert!(watcher.watch(vec![dir.clone()], &[]).is_empty(), "it is watched by now");
    write(&top.path().join("away/a.py"), "");
    write(&dir.join("b.py"), "");
    assert_eq!(until(&watcher, &dir.join("b.py")), [dir.join("b.py")]);
}

#[test]
fn directories_that_were_moved_with_the_one_above_are_replaced_too() {
    let top = tempfile::tempdir().expect("a directory");
    let deep = top.path().join("a/b/c");
    fs::create_dir_all(&deep).expect("made");
    let watcher = watcher();
    let wanted = vec![top.path().to_owned(), deep.clone()];
    watcher.watch(wanted.clone(), &[]);
    fs::rename(top.path().join("a"), top.path().join("z")).expect("moved");
    until(&watcher, &top.path().join("a"));
    fs::create_dir_all(&deep).expect("made");
    until(&watcher, &top.path().join("a"));
    assert!(watcher.watch(wanted, &[]).contains(&deep));
    write(&top.path().join("z/b/c/x.py"), "");
    write(&deep.join("y.py"), "");
    let names = until(&watcher, &deep.join("y.py"));
    assert!(!names.contains(&top.path().join("z/b/c/x.py")) && !names.contains(&deep.join("x.py")));
}

#[test]
fn many_that_are_given_up_do_not_end_the_others() {
    let top = tempfile::tempdir().expect("a directory");
    let dirs: Vec<PathBuf> =
        (0..MOST_UNWATCHED + 2).map(|index| top.path().join(index.to_string())).collect();
    dirs.iter().for_each(|dir| fs::create_dir(dir).expect("made"));
    let watcher = watcher();
    watcher.watch(dirs.clone(), &[]);
    // Nobody has seen what happened in it meanwhile.
    assert_eq!(watcher.watch(dirs[..1].to_vec(), &[]), dirs[..1]);
    write(&dirs[0].join("a.py"), "");
    until(&watcher, &dirs[0].join("a.py"));
    assert_eq!(watcher.state().to_string(), "watching 1 directory");
}

#[test]
fn too_many_paths_are_everything() {
    let dir = Path::new("/nowhere");
    let (aim, _) = Aim::new(vec![dir.to_owned()], &[]);
    let mailbox = Mailbox::new(2).expect("descriptors");
    let put = |name: &str| {
        let kind = notify::EventKind::Modify(notify::event::ModifyKind::Any);
        mailbox.put(&notify::Event::new(kind).add_path(dir.join(name)), &aim);
    };
    ["b.py", "a.py", "a.py"].into_iter().for_each(put);
    assert_eq!(mailbox.take(), Taken::Paths(vec![dir.join("a.py"), dir.join("b.py")]));
    ["a.py", "b.py", "c.py", "d.py"].into_iter().for_each(put);
    assert_eq!(mailbox.take(), Taken::Everything);
    assert_eq!(mailbox.take(), Taken::Paths(vec![]));
}

#[test]
fn the_limit_leaves_the_first_ones() {
    let top = tempfile::tempdir().expect("a directory");
    let dirs: Vec<PathBuf> = ["a", "b", "c"].iter().map(|name| top.path().join(name)).collect();
    dirs.iter().for_each(|dir| fs::create_dir(dir).expect("made"));
    let watcher = Watcher::new(10, 2).expect("descriptors");
    assert_eq!(watcher.state().to_string(), "watching nothing yet");
    assert_eq!(watcher.watch(dirs.clone(), &[]), dirs[..2]);
    assert_eq!(watcher.state().to_string(), "watching 2 of 3 directories: more would be too many");
    assert!(watcher.watch(vec![dirs[1].clone()], &[]).is_empty());
    assert_eq!(watcher.state().to_string(), "watching 1 directory");
}
