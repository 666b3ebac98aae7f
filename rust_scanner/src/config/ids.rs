//! The options that decide what cases are called.

use super::options::{text, truth};
use super::source::Setting;

/// What gives ids to texts of more than 100 characters (`parametrize_long_str_id_strategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongStrings {
    /// The argument's name and an index.
    #[default]
    Short,
    /// Their SHA-256.
    Sha256,
    /// The texts themselves.
    Legacy,
    /// Nothing: it is an error.
    Disallow,
}

/// How ids are made of values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdOptions {
    /// Whether ids keep what is not ASCII
    /// (`disable_test_id_escaping_and_forfeit_all_rights_to_community_support`).
    pub are_unescaped: bool,
    /// What gives ids to long texts.
    pub long_strings: LongStrings,
    /// Whether an empty list of parameter sets is an error (`empty_parameter_set_mark`).
    pub empty_sets_fail: bool,
    /// `strict_parametrization_ids`.
    strict_ids: Option<bool>,
    /// `strict`.
    strict: bool,
}

impl IdOptions {
    /// Whether ids that come twice are an error.
    #[must_use]
    pub fn are_strict(&self) -> bool {
        self.strict_ids.unwrap_or(self.strict)
    }

    /// Set one option of the configuration file; whether it is one of these.
    pub(super) fn set(&mut self, name: &str, setting: &Setting) -> Result<bool, String> {
        match name {
            "disable_test_id_escaping_and_forfeit_all_rights_to_community_support" => {
                self.are_unescaped = truth(setting)?;
            }
            "strict_parametrization_ids" => self.strict_ids = Some(truth(setting)?),
            "strict" => self.strict = truth(setting)?,
            "empty_parameter_set_mark" => {
                self.empty_sets_fail = text(setting) == Some("fail_at_collect");
            }
            "parametrize_long_str_id_strategy" => {
                self.long_strings = match text(setting) {
                    Some("sha256") => LongStrings::Sha256,
                    Some("legacy") => LongStrings::Legacy,
                    Some("disallow") => LongStrings::Disallow,
                    _ => LongStrings::Short,
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
