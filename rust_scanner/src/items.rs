//! What collection yields: the nodes of pytest's tree, flat, parents first.

use std::collections::HashSet;

use crate::syntax::Range;

/// The kind of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A directory.
    Dir,
    /// A directory with an `__init__.py`.
    Package,
    /// A test file.
    File,
    /// A test class.
    Class,
    /// A test function or method.
    Function,
    /// One parametrized case of a function.
    Case,
}

/// A class, function or case within a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// pytest's node id, relative to rootdir.
    pub id: String,
    /// What people read: the last part of the id.
    pub label: String,
    /// Its kind.
    pub kind: Kind,
    /// The place of the parent among the file's items; `None` for the file itself.
    pub parent: Option<usize>,
    /// Where it is written.
    pub range: Range,
    /// The names of its marks.
    pub tags: Vec<String>,
    /// Why it, or what is in it, is not decided by the text.
    pub doubt: Option<String>,
    /// Why pytest would report an error here instead of collecting.
    pub error: Option<String>,
}

/// The items of one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileItems {
    /// Parents before their children, in pytest's order.
    pub items: Vec<Item>,
    /// Why there may be others, or fewer.
    pub doubt: Option<String>,
    /// Why pytest would report an error for the file, and where.
    pub error: Option<(Option<Range>, String)>,
}

impl FileItems {
    /// The number of tests: cases, and functions without known cases.
    #[must_use]
    pub fn tests(&self) -> usize {
        let is_test = |item: &&Item| matches!(item.kind, Kind::Function | Kind::Case);
        let cases = self.items.iter().filter(|item| item.kind == Kind::Case);
        let parents: HashSet<_> = cases.filter_map(|item| item.parent).collect();
        self.items.iter().filter(is_test).count() - parents.len()
    }

    /// Nothing in the file is certain, for this reason.
    pub fn doubt_all(&mut self, reason: &str) {
        self.doubt.get_or_insert_with(|| reason.to_owned());
        for item in &mut self.items {
            item.doubt.get_or_insert_with(|| reason.to_owned());
        }
    }

    /// Keep only items whose names, after the file's id, are wanted.
    ///
    /// What held others and holds none any more goes as well.
    pub fn retain(&mut self, is_wanted: impl Fn(&[&str]) -> bool) {
        self.keep(self.items.iter().map(|item| is_wanted(&names(&item.id))).collect());
    }

    /// Drop items whose ids begin with one of `prefixes` (`--deselect`), and what holds none then.
    pub fn deselect(&mut self, prefixes: &[String]) {
        let is_kept =
            |item: &Item| !prefixes.iter().any(|prefix| item.id.starts_with(prefix.as_str()));
        self.keep(self.items.iter().map(is_kept).collect());
    }

    fn keep(&mut self, mut keep: Vec<bool>) {
        let mut had_children = vec![false; keep.len()];
        let mut has_children = vec![false; keep.len()];
        for place in (0..keep.len()).rev() {
            keep[place] &= has_children[place] || !had_children[place];
            if let Some(parent) = self.items[place].parent {
                had_children[parent] = true;
                has_children[parent] |= keep[place];
            }
        }
        let mut places = vec![None; keep.len()];
        let mut kept: Vec<Item> = Vec::new();
        for (place, mut item) in std::mem::take(&mut self.items).into_iter().enumerate() {
            let parent = item.parent.and_then(|parent| places[parent]);
            if keep[place] && parent.is_some() == item.parent.is_some() {
                item.parent = parent;
                places[place] = Some(kept.len());
                kept.push(item);
            }
        }
        self.items = kept;
    }
}

/// The names after the file's id; the last with its case, in which `::` means nothing.
fn names(id: &str) -> Vec<&str> {
    let names = id.find("::").map_or("", |start| &id[start + 2..]);
    let case = names.find('[').unwrap_or(names.len());
    let last = names[..case].rfind("::").map_or(0, |end| end + 2);
    let mut parts: Vec<&str> = names[..last].split("::").filter(|name| !name.is_empty()).collect();
    parts.push(&names[last..]);
    parts
}
