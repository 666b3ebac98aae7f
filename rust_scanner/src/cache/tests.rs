use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::parse::parse;
use crate::syntax::{Expr, Module};

const TEXT: &[u8] = br#"
import unittest.mock as mock
from .base import *
from typing import TYPE_CHECKING

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="\xe4")]
VALUES = (1, -2.5, 1j, None, ..., b"\x00\xff", "text", f"{x}", {1: 2}, *others)

@pytest.mark.parametrize("a, b", [(1, "x"), pytest.param(2, lambda y: y, id="two")])
async def test_one(a, /, b=1, *, c): yield a

class TestBase(unittest.TestCase, metaclass=Meta):
    class TestInner:
        def test_two(self): pass
    test_one.__test__ = False

if unknown():
    def test_three(): (
"#;

/// A project with a cache: a directory for the cache, and one file in a certain state.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary directory") }
    }

    fn directory(&self) -> PathBuf {
        self.dir.path().join("cache/facts")
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.directory(), Path::new("/project")).expect("a cache")
    }

    fn file(&self, name: &str) -> (PathBuf, FileState) {
        let path = self.dir.path().join(name);
        std::fs::write(&path, name).expect("written");
        let state = FileState::of(&path);
        (path, state)
    }

    /// Have the cache keep `source` for files of these names; their paths and states.
    fn keep(&self, names: &[&str], source: &Source) -> Vec<(PathBuf, FileState)> {
        let files: Vec<_> = names.iter().map(|name| self.file(name)).collect();
        let facts: Vec<_> =
            files.iter().map(|(path, state)| Fact { path, state, source }).collect();
        assert!(self.cache().add(&facts));
        files
    }
}

fn source() -> Source {
    parse(TEXT)
}

#[test]
fn what_is_kept_is_what_was_parsed() {
    let bench = Bench::new();
    assert!(bench.cache().load().is_empty());
    let files = bench.keep(&["a.py", "b.py"], &source());
    let kept = bench.cache().load();
    assert_eq!(kept.len(), 2);
    for (path, state) in &files {
        assert_eq!(kept.get(path, state), Some(source()));
    }
    let (path, other) = bench.file("c.py");
    assert_eq!(kept.get(&files[0].0, &other), None, "another state of the file");
    assert_eq!(kept.get(&path, &other), None, "another file");
}

#[test]
fn a_later_record_stands_for_the_earlier_and_links_are_told_apart() {
    let bench = Bench::new();
    let old = bench.keep(&["a.py"], &source());
    let (path, state) = &old[0];
    let link = bench.dir.path().join("link.py");
    std::os::unix::fs::symlink(path, &link).expect("a link");
    let link_state = FileState::of(&link);
    let new = parse(b"def test_new(): pass");
    let facts = [
        Fact { path, state, source: &new },
        Fact { path: &link, state: &link_state, source: &new },
    ];
    assert!(bench.cache().add(&facts));
    let kept = bench.cache().load();
    assert_eq!(kept.get(path, state), Some(new.clone()));
    assert_eq!(kept.get(&link, &link_state), Some(new));
    assert_eq!(kept.get(&link, state), None);
}

#[test]
fn the_directory_and_its_files_are_for_the_user_alone() {
    let bench = Bench::new();
    bench.keep(&["a.py"], &source());
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode(&bench.directory()), 0o700);
    let pack = bench.cache().pack;
    assert_eq!(mode(&pack), 0o600);
    std::fs::set_permissions(&pack, Permissions::from_mode(0o644)).expect("changed");
    assert!(bench.cache().load().is_empty(), "a file that others may read is not ours");
    std::fs::set_permissions(bench.directory(), Permissions::from_mode(0o755)).expect("changed");
    assert!(Cache::open(&bench.directory(), Path::new("/project")).is_err());
}

#[test]
fn links_and_pipes_in_its_place_are_neither_followed_nor_waited_for() {
    let bench = Bench::new();
    let (file, state) = bench.file("victim");
    let pack = bench.cache().pack;
    let source = source();
    let fact = Fact { path: &file, state: &state, source: &source };
    std::os::unix::fs::symlink(&file, &pack).expect("a link");
    assert!(!bench.cache().add(&[fact]) && bench.cache().load().is_empty());
    assert_eq!(std::fs::read(&file).expect("there"), b"victim");
    std::fs::remove_file(&pack).expect("removed");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pack,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe");
    assert!(!bench.cache().add(&[fact]) && bench.cache().load().is_empty());
}

#[test]
fn another_build_has_a_pack_of_its_own() {
    let name = |build| directory::pack_name(Path::new("/project"), build);
    assert_ne!(name("1"), name("2"));
    let bench = Bench::new();
    bench.keep(&["a.py"], &source());
    let pack = bench.cache().pack;
    let bytes = std::fs::read(&pack).expect("there");
    let place = bytes.windows(BUILD.len()).position(|part| part == BUILD.as_bytes());
    let mut foreign = bytes.clone();
    foreign[place.expect("the build is in the header")] ^= 1;
    std::fs::write(&pack, &foreign).expect("written");
    assert!(bench.cache().load().is_empty(), "renamed by somebody, it is not read either");
    bench.keep(&["b.py"], &source());
    assert_eq!(bench.cache().load().len(), 1, "and makes room for one that is");
}

#[test]
fn what_is_cut_off_is_ignored_and_overwritten() {
    let bench = Bench::new();
    let files = bench.keep(&["a.py", "b.py"], &source());
    let pack = bench.cache().pack;
    let whole = std::fs::read(&pack).expect("there");
    for length in 0..whole.len() {
        let kept = kept_in(whole[..length].to_vec());
        assert!(kept.len() < 2);
        let facts = files.iter().filter_map(|(path, state)| kept.get(path, state));
        facts.for_each(|facts| assert_eq!(facts, source()));
    }
    std::fs::write(&pack, &whole[..whole.len() - 1]).expect("written");
    bench.keep(&["c.py"], &source());
    let kept = bench.cache().load();
    assert_eq!(kept.len(), 2);
    assert!(kept.get(&files[0].0, &files[0].1).is_some());
}

#[test]
fn no_damaged_byte_makes_other_facts() {
    let bench = Bench::new();
    let files = bench.keep(&["a.py"], &source());
    let whole = std::fs::read(bench.cache().pack).expect("there");
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        assert_eq!(kept_in(damaged).get(&files[0].0, &files[0].1), None);
    }
}

#[test]
fn a_record_that_nests_without_end_is_refused() {
    // `Starred(Starred(...))`: what the decoder would recurse over, with no end but the stack's.
    let starred = postcard::to_allocvec(&Expr::Starred(Box::new(Expr::None))).expect("encoded")[0];
    let deep = vec![starred; 4 << 20];
    assert!(postcard::from_bytes::<Expr>(&deep).is_err());
    let as_deep_as_parsed = parse(format!("@{}\ndef f(): pass", "x.".repeat(39) + "x").as_bytes());
    let bytes = postcard::to_allocvec(&as_deep_as_parsed).expect("encoded");
    assert_eq!(decode(&bytes), Some(as_deep_as_parsed));
    let classes: String =
        (0..99).map(|depth| format!("{}class A:\n", " ".repeat(depth))).collect::<String>();
    let nested = parse((classes + &" ".repeat(99) + "x = [[[[1]]]]\n").as_bytes());
    let bytes = postcard::to_allocvec(&nested).expect("encoded");
    assert_eq!(decode(&bytes), Some(nested));
}

#[test]
fn lengths_that_lie_allocate_nothing() {
    // A module of 2^60 bindings, a record of 4 GiB.
    let many = [0_u8, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
    assert_eq!(decode(&many), None);
    let bench = Bench::new();
    bench.keep(&["a.py"], &Source::Module(Module::default().into()));
    let mut bytes = std::fs::read(bench.cache().pack).expect("there");
    bytes.extend([0xff; 12]);
    assert_eq!(kept_in(bytes).len(), 1);
}

#[test]
fn whoever_comes_second_leaves_it() {
    let bench = Bench::new();
    let files = bench.keep(&["a.py"], &source());
    let held = std::fs::File::open(bench.cache().pack).expect("opened");
    held.lock().expect("locked");
    let (path, state) = bench.file("b.py");
    let source = source();
    let fact = Fact { path: &path, state: &state, source: &source };
    assert!(!bench.cache().add(&[fact]));
    assert!(bench.cache().load().get(&files[0].0, &files[0].1).is_some(), "reading needs no lock");
    drop(held);
    assert!(bench.cache().add(&[fact]));
    assert_eq!(bench.cache().load().len(), 2);
}

#[test]
fn many_writers_at_once_leave_a_whole_pack() {
    let bench = Bench::new();
    let source = source();
    let files: Vec<_> = (0..64).map(|index| bench.file(&format!("{index}.py"))).collect();
    std::thread::scope(|scope| {
        for files in files.chunks(8) {
            let (bench, source) = (&bench, &source);
            scope.spawn(move || {
                for (path, state) in files {
                    while !bench.cache().add(&[Fact { path, state, source }]) {
                        std::thread::yield_now();
                    }
                    assert!(bench.cache().load().get(path, state).is_some());
                }
            });
        }
    });
    let kept = bench.cache().load();
    assert!(files.iter().all(|(path, state)| kept.get(path, state).as_ref() == Some(&source)));
}

#[test]
fn superseded_records_are_cleared_away() {
    let bench = Bench::new();
    let text = "def test_with_a_name_of_some_length(): pass\n".repeat(2_000);
    let text: String = text
        .lines()
        .enumerate()
        .map(|(n, line)| line.replace("some", &n.to_string()) + "\n")
        .collect();
    let large = parse(text.as_bytes());
    let gone = bench.keep(&["gone.py"], &source());
    std::fs::remove_file(&gone[0].0).expect("removed");
    let pack = bench.cache().pack;
    let mut longest = 0;
    let mut last = Vec::new();
    for _ in 0..40 {
        last = bench.keep(&["a.py"], &large);
        longest = longest.max(std::fs::metadata(&pack).expect("there").len());
    }
    let record = postcard::to_allocvec(&large).expect("encoded").len() as u64;
    assert!(longest < 2 * (record + (1 << 20)) && record * 40 > longest, "{record} {longest}");
    let kept = bench.cache().load();
    assert_eq!(kept.get(&last[0].0, &last[0].1), Some(large));
    assert_eq!(kept.get(&gone[0].0, &gone[0].1), None, "nor are files that are no more");
}

#[test]
fn records_changed_at_random_decode_to_something_or_nothing() {
    let sound = encode_facts(&source()).expect("encoded");
    let mut state = 1_u64;
    let mut below = |end: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % end
    };
    let mut decoded = 0;
    for _ in 0..3_000 {
        let mut bytes = sound.clone();
        for _ in 0..=below(4) {
            let place = below(bytes.len());
            match below(3) {
                0 => bytes[place] = u8::try_from(below(256)).expect("a byte"),
                1 => bytes.insert(place, u8::try_from(below(256)).expect("a byte")),
                _ => bytes.truncate(place.max(1)),
            }
        }
        // Who can write the right checksum still gets no further than this.
        let _ = kept_in(pack_of(&[&bytes])).get(Path::new("/"), &FileState::of(Path::new("/")));
        decoded +=
            usize::from(decode(&bytes).is_some_and(|source| encode_facts(&source).is_some()));
    }
    assert!(0 < decoded && decoded < 3_000, "{decoded}");
}
