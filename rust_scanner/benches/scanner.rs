//! What the scanner's promises cost: `cargo bench` (`benchmarks/` compares with others).

#![allow(clippy::expect_used, missing_docs, reason = "a bench that cannot be set up is to say so")]

mod support;

use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use fastcollect_scanner::cache::Cache;
use fastcollect_scanner::facts::Overlays;
use fastcollect_scanner::proof::InputSet;
use fastcollect_scanner::scan::Scan;
use fastcollect_scanner::syntax::When;
use support::{FILES, Project, TESTS_PER_FILE, buffer};

/// The scan is given back: to free all that it holds is no part of a refresh.
fn refreshed(scan: Scan) -> Scan {
    scan.refresh(Overlays::new());
    scan
}

fn scan(criterion: &mut Criterion) {
    let project = Project::new();
    let config = project.config();
    let fresh = || Scan::new(config.clone(), Vec::new());
    let mut group = criterion.benchmark_group("10,000 tests in 500 files");
    group.throughput(Throughput::Bytes(project.bytes()));
    group.bench_function("cold scan", |bencher| {
        bencher.iter_batched(fresh, refreshed, BatchSize::LargeInput);
    });
    let directory = project.root().join(".cache");
    let cached = || fresh().cached(Cache::open(&directory, project.root()).expect("a cache"));
    cached().refresh(Overlays::new());
    group.bench_function("cached scan", |bencher| {
        bencher.iter_batched(cached, refreshed, BatchSize::LargeInput);
    });
    let scan = fresh();
    scan.refresh(Overlays::new());
    assert_eq!(scan.counts(), (FILES, FILES * TESTS_PER_FILE));
    group.bench_function("scan of nothing new", |bencher| {
        bencher.iter(|| scan.refresh(Overlays::new()));
    });
    group.bench_function("tree as JSON", |bencher| bencher.iter(|| scan.tree_json()));
    group.finish();
}

fn edit(criterion: &mut Criterion) {
    let project = Project::new();
    let scan = Scan::new(project.config(), Vec::new());
    scan.refresh(Overlays::new());
    let (_, test) = project.module_and_test();
    let texts = [buffer(100_000, 1), buffer(100_000, 2)];
    let mut group = criterion.benchmark_group("edit");
    group.throughput(Throughput::Bytes(texts[0].len() as u64));
    let mut turn = 0;
    group.bench_function("a buffer of 100 KB", |bencher| {
        bencher.iter(|| {
            turn += 1;
            scan.update(&test, Some(&texts[turn % 2]))
        });
    });
    black_box(scan.imports_of(&test, When::Never));
    group.bench_function("the same with the import graph", |bencher| {
        bencher.iter(|| {
            turn += 1;
            scan.update(&test, Some(&texts[turn % 2]))
        });
    });
    group.finish();
}

fn graph(criterion: &mut Criterion) {
    let project = Project::new();
    let scan = Scan::new(project.config(), Vec::new());
    scan.refresh(Overlays::new());
    let (module, test) = project.module_and_test();
    let mut group = criterion.benchmark_group("import graph");
    assert!(scan.imports_of(&test, When::Never).len() > 100);
    assert_eq!(scan.dependents_of(&module, When::Never).len(), FILES);
    group.bench_function("imports of a file", |bencher| {
        bencher.iter(|| black_box(scan.imports_of(&test, When::Never)));
    });
    group.bench_function("dependents of a file", |bencher| {
        bencher.iter(|| black_box(scan.dependents_of(&module, When::Never)));
    });
    group.bench_function("refresh with the graph, nothing new", |bencher| {
        bencher.iter(|| scan.refresh(Overlays::new()));
    });
    group.finish();
}

fn proof(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let files: Vec<PathBuf> = (0..10_000)
        .map(|index| {
            let path = dir.path().join(format!("{}/{index}.py", index / 100));
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, "").expect("written");
            path
        })
        .collect();
    let dirs = (0..100).map(|index| dir.path().join(index.to_string())).collect();
    let inputs = InputSet::snapshot(files, dirs, Vec::new(), Vec::new());
    criterion.bench_function("proof of 10,000 files", |bencher| {
        bencher.iter(|| assert!(inputs.changed(1).is_empty()));
    });
}

criterion_group!(benches, scan, edit, graph, proof);
criterion_main!(benches);
