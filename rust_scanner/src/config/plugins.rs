//! The options that decide which installed plugins pytest loads (`-p`, `--disable-plugin-autoload`).

/// Which plugins are loaded besides those that come with pytest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PluginOptions {
    /// Whether those that distributions announce are left alone.
    pub is_autoload_off: bool,
    /// `-p NAME`: names of entry points, or modules.
    pub named: Vec<String>,
    /// `-p no:NAME`.
    blocked: Vec<String>,
}

impl PluginOptions {
    /// Take in the value of one `-p`; a later one of the same name counts.
    pub(super) fn add(&mut self, value: &str) {
        let value = crate::pystr::strip(value);
        match value.strip_prefix("no:") {
            Some(name) => {
                self.named.retain(|known| known != name);
                self.blocked.push(name.to_owned());
            }
            None => {
                self.blocked.retain(|known| known != value);
                self.named.push(value.to_owned());
            }
        }
    }

    /// Whether `-p no:NAME` keeps the plugin called `name` from being loaded.
    #[must_use]
    pub fn is_blocked(&self, name: &str) -> bool {
        // pytest blocks `pytest_NAME` along with `NAME`.
        let short = name.strip_prefix("pytest_").unwrap_or(name);
        self.blocked.iter().any(|blocked| blocked == name || blocked == short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let mut options = PluginOptions::default();
        ["a", "no:a", "no:b", "b", "no:c"].iter().for_each(|value| options.add(value));
        assert_eq!(options.named, ["b"]);
        assert!(options.is_blocked("a") && options.is_blocked("pytest_c"));
        assert!(!options.is_blocked("b"));
    }
}
