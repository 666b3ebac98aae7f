use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use super::*;

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// What differs after `change`, of the paths `files` and `dirs` below a directory made by `prepare`.
fn differs(
    prepare: impl Fn(&Path),
    files: &[&str],
    dirs: &[&str],
    change: impl Fn(&Path),
) -> Vec<String> {
    let dir = dir();
    prepare(dir.path());
    let full = |names: &[&str]| names.iter().map(|name| dir.path().join(name)).collect();
    let inputs = InputSet::snapshot(full(files), full(dirs), vec![], vec![]);
    assert!(inputs.changed(20).is_empty(), "nothing has changed yet");
    change(dir.path());
    let changed = inputs.changed(20);
    assert_eq!(changed, inputs.changed(20), "a difference stays one");
    let name = |path: PathBuf| path.strip_prefix(dir.path()).expect("below").display().to_string();
    changed.into_iter().map(name).collect()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("writable");
}

fn set_mtime(path: &Path, time: SystemTime) {
    fs::File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(time))
        .expect("settable");
}

#[test]
fn same_size_and_mtime_restored_is_a_change() {
    let changed = differs(
        |dir| write(&dir.join("a"), "one"),
        &["a"],
        &[],
        |dir| {
            let before =
                fs::metadata(dir.join("a")).and_then(|meta| meta.modified()).expect("mtime");
            // The clock of ctime may not have ticked since; wait for it as a reader of it would.
            let ctime = || FileState::of(&dir.join("a")).ctime_ns();
            let first = ctime();
            while ctime() == first {
                write(&dir.join("a"), "two");
                set_mtime(&dir.join("a"), before);
            }
        },
    );
    assert_eq!(changed, ["a"]);
}

#[test]
fn older_times_count_too() {
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let changed = differs(
        |dir| write(&dir.join("a"), "x"),
        &["a"],
        &[],
        |dir| set_mtime(&dir.join("a"), old),
    );
    assert_eq!(changed, ["a"]);
}

#[test]
fn absence_is_a_state() {
    assert_eq!(differs(|_| {}, &["a", "b/c"], &[], |dir| write(&dir.join("a"), "")), ["a"]);
    assert_eq!(
        differs(|_| {}, &["b/c"], &[], |dir| write(&dir.join("b"), "")),
        Vec::<String>::new()
    );
    let remove = |dir: &Path| fs::remove_file(dir.join("a")).expect("removable");
    assert_eq!(differs(|dir| write(&dir.join("a"), ""), &["a"], &[], remove), ["a"]);
}

#[test]
fn a_file_that_takes_anothers_place_is_a_change() {
    let prepare = |dir: &Path| ["a", "b"].iter().for_each(|name| write(&dir.join(name), "same"));
    assert_eq!(
        differs(prepare, &["a"], &[], |dir| fs::rename(dir.join("b"), dir.join("a"))
            .expect("moved")),
        ["a"]
    );
}

#[test]
fn links_are_followed_and_watched_themselves() {
    let prepare = |dir: &Path| {
        write(&dir.join("a"), "x");
        fs::hard_link(dir.join("a"), dir.join("same_file")).expect("linked");
        symlink("a", dir.join("link")).expect("linked");
        symlink("nowhere", dir.join("dangling")).expect("linked");
    };
    let retarget = |dir: &Path| {
        fs::remove_file(dir.join("link")).expect("removed");
        symlink("same_file", dir.join("link")).expect("linked");
    };
    assert_eq!(differs(prepare, &["link", "dangling"], &[], retarget), ["link"]);
    assert_eq!(differs(prepare, &["link"], &[], |dir| write(&dir.join("a"), "longer")), ["link"]);
    assert_eq!(
        differs(prepare, &["dangling"], &[], |dir| write(&dir.join("nowhere"), "")),
        ["dangling"]
    );
}

#[test]
fn of_a_link_to_a_directory_it_counts_where_it_leads() {
    let prepare = |dir: &Path| {
        for name in ["a", "b"] {
            fs::create_dir(dir.join(name)).expect("made");
        }
        symlink("a", dir.join("link")).expect("linked");
    };
    let retarget = |dir: &Path| {
        fs::remove_file(dir.join("link")).expect("removed");
        symlink("b", dir.join("link")).expect("linked");
    };
    assert_eq!(differs(prepare, &["link"], &[], retarget), ["link"]);
    let replace = |dir: &Path| {
        fs::remove_dir(dir.join("a")).expect("removed");
        fs::rename(dir.join("b"), dir.join("a")).expect("moved");
    };
    assert_eq!(differs(prepare, &["link"], &[], replace), ["link"]);
    let fill = |dir: &Path| write(&dir.join("a/x"), "");
    assert_eq!(differs(prepare, &["link"], &[], fill), Vec::<String>::new());
}

#[test]
fn a_loop_of_links_is_a_state() {
    let prepare = |dir: &Path| {
        symlink("b", dir.join("a")).expect("linked");
        symlink("a", dir.join("b")).expect("linked");
    };
    let repair = |dir: &Path| {
        fs::remove_file(dir.join("b")).expect("removed");
        write(&dir.join("b"), "");
    };
    assert_eq!(differs(prepare, &["a"], &["b"], |_| {}), Vec::<String>::new());
    assert_eq!(differs(prepare, &["a"], &["b"], repair), ["a", "b"]);
}

#[test]
fn directories_change_by_relevant_names_only() {
    let prepare = |dir: &Path| {
        write(&dir.join("a.py"), "");
        fs::create_dir(dir.join("sub")).expect("made");
    };
    for (name, is_dir, is_relevant) in [
        ("b.py", false, true),
        ("b.so", false, true),
        ("b.pth", false, true),
        ("pytest.ini", false, true),
        (".pytest.toml", false, true),
        ("pyvenv.cfg", false, true),
        ("readme.md", false, true),
        ("b.py~", false, false),
        (".coverage", false, false),
        ("data.json", false, false),
        ("new", true, true),
        (".git", true, false),
        ("__pycache__", true, false),
    ] {
        let change = |dir: &Path| {
            let path = dir.join(name);
            if is_dir { fs::create_dir(path).expect("made") } else { write(&path, "") }
        };
        let expected: &[&str] = if is_relevant { &[""] } else { &[] };
        assert_eq!(differs(prepare, &[], &[""], change), expected, "{name}");
    }
}

#[test]
fn a_file_that_becomes_a_directory_is_a_change() {
    let change = |dir: &Path| {
        fs::remove_file(dir.join("a.py")).expect("removed");
        fs::create_dir(dir.join("a.py")).expect("made");
    };
    assert_eq!(differs(|dir| write(&dir.join("a.py"), ""), &["a.py"], &[""], change), ["a.py", ""]);
}

#[test]
fn a_directory_replaced_by_an_equal_one_is_none() {
    let prepare = |dir: &Path| {
        for name in ["a", "b"] {
            fs::create_dir(dir.join(name)).expect("made");
            write(&dir.join(name).join("x.py"), "");
        }
    };
    let replace = |dir: &Path| {
        fs::remove_dir_all(dir.join("a")).expect("removed");
        fs::rename(dir.join("b"), dir.join("a")).expect("moved");
    };
    assert_eq!(differs(prepare, &[], &["a"], replace), Vec::<String>::new());
}

#[test]
fn a_change_within_the_clock_tick_of_the_snapshot_is_seen() {
    // Many rounds: with time stamps alone some of them would fail.
    for _ in 0..50 {
        let dir = dir();
        let inputs = InputSet::snapshot(vec![], vec![dir.path().to_owned()], vec![], vec![]);
        write(&dir.path().join("a.py"), "");
        assert_eq!(inputs.changed(1).len(), 1);
    }
}

#[test]
fn the_limit_is_kept_and_never_hides_a_change() {
    let dir = dir();
    let paths: Vec<PathBuf> = (0..1_000).map(|index| dir.path().join(index.to_string())).collect();
    let inputs = InputSet::snapshot(paths.clone(), vec![], vec![], vec![]);
    assert_eq!(inputs.len(), 1_000);
    paths.iter().for_each(|path| write(path, ""));
    assert_eq!(inputs.changed(20).len(), 20);
    assert_eq!(inputs.changed(0).len(), 1);
    assert_eq!(inputs.changed(5_000), paths);
}

#[test]
fn the_newest_ctime_is_that_of_any_input() {
    let dir = dir();
    let file = dir.path().join("a");
    write(&file, "");
    let ctime = FileState::of(&file).ctime_ns();
    let absent = dir.path().join("b");
    let inputs = InputSet::snapshot(vec![file.clone(), absent], vec![], vec![], vec![]);
    assert_eq!(Some(inputs.newest_ctime_ns()), ctime);
    let beginning = InputSet::snapshot(vec![], vec![], vec![(file, 1)], vec![]);
    assert_eq!(Some(beginning.newest_ctime_ns()), ctime);
    let inputs = InputSet::snapshot(vec![], vec![dir.path().to_owned()], vec![], vec![]);
    assert_eq!(Some(inputs.newest_ctime_ns()), FileState::of(dir.path()).ctime_ns());
    assert!(inputs.taken_ns() > 0);
    assert_eq!(InputSet::snapshot(vec![], vec![], vec![], vec![]).newest_ctime_ns(), 0);
}

#[test]
fn of_a_listing_every_name_counts_but_what_python_puts_there() {
    let dir = dir();
    let listed = || InputSet::snapshot(vec![], vec![], vec![], vec![dir.path().to_owned()]);
    let inputs = listed();
    fs::create_dir(dir.path().join("__pycache__")).expect("writable");
    assert!(inputs.changed(20).is_empty());
    write(&dir.path().join("case.yaml"), "");
    assert_eq!(inputs.changed(20), [dir.path()]);
    let inputs = listed();
    write(&dir.path().join("case.yaml"), "other content, same name");
    assert!(inputs.changed(20).is_empty());
    fs::remove_file(dir.path().join("case.yaml")).expect("there");
    fs::create_dir(dir.path().join("case.yaml")).expect("writable");
    assert_eq!(inputs.changed(20), [dir.path()], "a directory is no file");
}

#[test]
fn what_is_in_a_snapshot() {
    let dir = dir();
    let paths = |names: &[&str]| -> Vec<PathBuf> {
        names.iter().map(|name| dir.path().join(name)).collect()
    };
    let before = now_ns();
    fs::write(dir.path().join("written now"), "").expect("writable");
    let written = fs::metadata(dir.path().join("written now")).expect("there").modified();
    let written =
        written.expect("known").duration_since(SystemTime::UNIX_EPOCH).expect("later").as_nanos();
    let apart = before - i128::try_from(written).expect("small");
    assert!(apart.abs() < 3600 * 1_000_000_000, "the clock of files, and in its unit");
    let beginnings = paths(&["p", "q", "r", "s", "t"]).into_iter().map(|path| (path, 1)).collect();
    let inputs =
        InputSet::snapshot(paths(&["a", "b"]), paths(&["c", "d"]), beginnings, paths(&["e"]));
    assert!(before > 0 && before <= inputs.taken_ns() && inputs.taken_ns() <= now_ns());
    assert_eq!(inputs.len(), 10);
    assert!(!inputs.is_empty());
    let files: Vec<&Path> = inputs.files().collect();
    assert_eq!(files, paths(&["a", "b", "p", "q", "r", "s", "t"]));
    let dirs: Vec<&Path> = inputs.dirs().collect();
    assert_eq!(dirs, paths(&["c", "d", "e"]));
    let none = InputSet::snapshot(vec![], vec![], vec![], vec![]);
    assert!(none.is_empty());
    assert_eq!(none.len(), 0);
    assert_eq!((none.files().count(), none.dirs().count()), (0, 0));
    for kind in 0..3 {
        let mut one = [vec![], vec![], vec![]];
        one[kind].push(dir.path().join("a"));
        let [files, dirs, beginnings] = one;
        let beginnings = beginnings.into_iter().map(|path| (path, 1)).collect();
        assert!(!InputSet::snapshot(files, dirs, beginnings, vec![]).is_empty());
    }
}

#[test]
fn of_many_beginnings_those_that_differ() {
    let dir = dir();
    let paths: Vec<PathBuf> = (0..5).map(|index| dir.path().join(index.to_string())).collect();
    paths.iter().for_each(|path| write(path, "import numpy"));
    let beginnings = paths.iter().map(|path| (path.clone(), 6)).collect();
    let inputs = InputSet::snapshot(vec![], vec![], beginnings, vec![]);
    assert!(inputs.changed(20).is_empty());
    write(&paths[3], "from numpy");
    assert_eq!(inputs.changed(20), [paths[3].clone()]);
}

#[test]
fn a_link_to_a_directory_is_a_directory_to_who_lists() {
    let prepare = |dir: &Path| fs::create_dir(dir.join("real")).expect("made");
    let to_directory = |dir: &Path| symlink("real", dir.join("link")).expect("linked");
    assert_eq!(differs(prepare, &[], &[""], to_directory), [""]);
    let to_nothing = |dir: &Path| symlink("nowhere", dir.join("link")).expect("linked");
    assert_eq!(differs(prepare, &[], &[""], to_nothing), Vec::<String>::new());
}
