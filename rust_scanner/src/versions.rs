//! What differs between the versions of pytest and Python that are supported: the only place that
//! compares them.

use crate::config::{Environment, Version};

/// The newest pytest whose rules are known; where none is installed they hold.
const NEWEST_PYTEST: Version = Version(9, 2, 0);

/// The versions that decide what is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pytest: Version,
    /// `None` where it could not be found out.
    python: Option<Version>,
}

impl Default for Versions {
    fn default() -> Self {
        Self { pytest: NEWEST_PYTEST, python: None }
    }
}

impl Versions {
    /// Those of an interpreter.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        Self { pytest: environment.pytest.unwrap_or(NEWEST_PYTEST), python: environment.python }
    }

    fn has_pytest(&self, major: u16, minor: u16) -> bool {
        self.pytest >= Version(major, minor, 0)
    }

    /// Whether `--import-mode=importlib` names a module in a package by its package, and not by its
    /// place below rootdir (since pytest 8.1).
    #[must_use]
    pub fn importlib_mode_knows_packages(&self) -> bool {
        self.has_pytest(8, 1)
    }

    /// Whether an empty list of parameter sets is called `NOTSET`, and not by its argument's names
    /// (since pytest 8.4).
    #[must_use]
    pub fn empty_sets_are_called_notset(&self) -> bool {
        self.has_pytest(8, 4)
    }

    /// Whether `pytest.HIDDEN_PARAM` exists (since pytest 8.4).
    #[must_use]
    pub fn has_hidden_param(&self) -> bool {
        self.has_pytest(8, 4)
    }

    /// Whether ids given to `pytest.param` stay as they are where escaping is switched off (since
    /// pytest 8.4).
    #[must_use]
    pub fn given_ids_can_stay_unescaped(&self) -> bool {
        self.has_pytest(8, 4)
    }

    /// Whether a test that yields is an error, and not an item that is expected to fail (since pytest
    /// 8.4).
    #[must_use]
    pub fn yield_tests_are_errors(&self) -> bool {
        self.has_pytest(8, 4)
    }

    /// Whether `collect_imported_tests` is an option (since pytest 8.4).
    #[must_use]
    pub fn has_collect_imported_tests(&self) -> bool {
        self.has_pytest(8, 4)
    }

    /// Whether abstract classes are passed over (since pytest 8.3).
    #[must_use]
    pub fn abstract_classes_are_skipped(&self) -> bool {
        self.has_pytest(8, 3)
    }

    /// Whether a `TestCase` is made an instance of while it is collected, by a test's name (since pytest
    /// 8.2).
    #[must_use]
    pub fn test_cases_are_made_with_a_name(&self) -> bool {
        self.has_pytest(8, 2)
    }

    /// Whether `pytest.toml` and `[tool.pytest]` are read (since pytest 9.0).
    #[must_use]
    pub fn has_native_configuration(&self) -> bool {
        self.has_pytest(9, 0)
    }

    /// Whether `strict_parametrization_ids` and `strict` are options (since pytest 9.0).
    #[must_use]
    pub fn has_strict_parametrization_ids(&self) -> bool {
        self.has_pytest(9, 0)
    }

    /// Whether `"x,"` names an argument whose values come in tuples (since pytest 9.1).
    #[must_use]
    pub fn trailing_comma_means_tuples(&self) -> bool {
        self.has_pytest(9, 1)
    }

    /// Whether texts of more than 100 characters give no id of their own, by
    /// `parametrize_long_str_id_strategy` (since pytest 9.2).
    #[must_use]
    pub fn has_long_str_strategy(&self) -> bool {
        self.has_pytest(9, 2)
    }

    /// Whether `str()` of an `IntEnum`'s member is its number (since Python 3.11); `None` where the
    /// version is not known.
    #[must_use]
    pub fn int_enums_are_written_as_numbers(&self) -> Option<bool> {
        self.python.map(|python| python >= Version(3, 11, 0))
    }

    /// Whether f-strings write members of `class C(str, Enum)` by their names (since Python 3.12);
    /// `None` where the version is not known.
    #[must_use]
    pub fn mixed_enums_are_formatted_by_name(&self) -> Option<bool> {
        self.python.map(|python| python >= Version(3, 12, 0))
    }
}
