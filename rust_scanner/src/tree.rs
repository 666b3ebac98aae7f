//! The tree as editors get it: `TestItem`s in JSON (the project's editor protocol).

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::items::{FileItems, Item, Kind};
use crate::syntax::Range;
use crate::walk::FoundDir;

#[derive(Serialize)]
struct Position {
    line: u32,
    character: u32,
}

#[derive(Serialize)]
struct LspRange {
    start: Position,
    end: Position,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestItem<'a> {
    id: &'a str,
    label: &'a str,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a str>,
    uri: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<LspRange>,
    sort_text: String,
    tags: &'a [String],
    dynamic: bool,
    can_resolve_children: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Why it is dynamic.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Where a file stands in the tree.
pub struct Place<'a> {
    /// Its path, absolute.
    pub path: &'a Path,
    /// Its node id.
    pub id: &'a str,
    /// pytest's rootdir.
    pub root: &'a Path,
}

/// Writes items as one JSON array.
pub struct Writer {
    json: Vec<u8>,
}

impl Writer {
    /// An empty array so far.
    #[must_use]
    pub fn new() -> Self {
        Self { json: vec![b'['] }
    }

    /// The array.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.json.push(b']');
        self.json
    }

    /// Add a directory.
    pub fn dir(&mut self, dir: &FoundDir, root: &Path) {
        let id = relative(&dir.path, root);
        self.item(&TestItem {
            id: &id,
            label: label(&id),
            kind: if dir.is_package { Kind::Package } else { Kind::Dir },
            parent: id.rsplit_once('/').map(|(parent, _)| parent),
            uri: &uri(&dir.path),
            range: None,
            sort_text: sort_text(label(&id)),
            tags: &[],
            dynamic: false,
            can_resolve_children: true,
            error: None,
            reason: None,
        });
    }

    /// Add a file and what is in it.
    pub fn file(&mut self, place: &Place, content: &FileItems) {
        let uri = uri(place.path);
        let is_inside = place.path.starts_with(place.root);
        self.item(&TestItem {
            id: place.id,
            label: label(place.id),
            kind: Kind::File,
            parent: place.id.rsplit_once('/').map(|(parent, _)| parent).filter(|_| is_inside),
            uri: &uri,
            range: content.error.as_ref().and_then(|(range, _)| *range).map(lsp_range),
            sort_text: sort_text(label(place.id)),
            tags: &[],
            dynamic: content.doubt.is_some(),
            can_resolve_children: !content.items.is_empty(),
            error: content.error.as_ref().map(|(range, message)| match range {
                Some(range) => format!("line {}: {message}", range.start.0 + 1),
                None => message.clone(),
            }),
            reason: content.doubt.as_deref(),
        });
        let mut has_children = vec![false; content.items.len()];
        content
            .items
            .iter()
            .filter_map(|item| item.parent)
            .for_each(|parent| has_children[parent] = true);
        for (index, item) in content.items.iter().enumerate() {
            let parent = item.parent.map_or(place.id, |parent| &content.items[parent].id);
            self.inner(item, index, parent, &uri, has_children[index]);
        }
    }

    fn inner(&mut self, item: &Item, index: usize, parent: &str, uri: &str, has_children: bool) {
        self.item(&TestItem {
            id: &item.id,
            label: &item.label,
            kind: item.kind,
            parent: Some(parent),
            uri,
            range: Some(lsp_range(item.range)),
            sort_text: format!("{index:06}"),
            tags: &item.tags,
            dynamic: item.doubt.is_some(),
            can_resolve_children: has_children,
            error: item.error.clone(),
            reason: item.doubt.as_deref(),
        });
    }

    fn item(&mut self, item: &TestItem) {
        if self.json.len() > 1 {
            self.json.push(b',');
        }
        let start = self.json.len();
        // Writing strings and numbers to memory does not fail; if it did, the item would be missing.
        if serde_json::to_writer(&mut self.json, item).is_err() {
            self.json.truncate(start);
        }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

fn lsp_range(range: Range) -> LspRange {
    let position = |(line, character)| Position { line, character };
    LspRange { start: position(range.start), end: position(range.end) }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

fn label(id: &str) -> &str {
    id.rsplit('/').next().unwrap_or(id)
}

/// What sorts files and directories as pytest does, whichever way a client compares: hexadecimal, after
/// an `__init__.py`. Unlike a number it does not change when siblings come and go.
fn sort_text(name: &str) -> String {
    let mut text = String::from(if name == "__init__.py" { "0" } else { "1" });
    for byte in name.bytes() {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A `file:` URI, escaped as VS Code and Python's `urllib.parse.quote` do.
fn uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            byte => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}
