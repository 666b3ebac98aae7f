//! The sets of values that `parametrize` is given, and the id of each (rules 15 and 16).

use super::calls::Callable;
use super::constant::{Constant, Param};
use super::params::Refusal;
use super::value_id::{self, ValueId};
use crate::config::Options;

/// A set of values, before it has an id.
pub struct ParameterSet {
    values: Vec<Constant>,
    /// `pytest.param(id=…)`; `None` where there is none.
    id: Option<Constant>,
    /// Whether it has marks of its own.
    pub has_marks: bool,
}

/// Where `parametrize` takes ids from that no `pytest.param` gives.
pub enum Ids {
    /// From the values.
    Generated,
    /// From this list, as far as it goes.
    Given(Vec<Constant>),
    /// From what a function makes of each value.
    Called(Callable),
}

/// The set that `value` is; with `wrap` a value that is no `pytest.param` stands for itself.
///
/// `None` where that is not decided by the text.
pub fn parameter_set(value: Constant, wrap: bool) -> Option<ParameterSet> {
    let plain = |values| ParameterSet { values, id: None, has_marks: false };
    match value {
        Constant::Param(param) => {
            let Param { values, id, has_marks } = *param;
            Some(ParameterSet { values, id: (id != Constant::None).then_some(id), has_marks })
        }
        Constant::Unknown => None,
        value if wrap => Some(plain(vec![value])),
        Constant::List(values) | Constant::Tuple(values) => Some(plain(values)),
        _ => None,
    }
}

impl ParameterSet {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Its id, as the set number `index`; `None` for a hidden set.
    ///
    /// # Errors
    /// Why the id is not decided by the text, or refused.
    pub fn id(
        &self,
        names: &[String],
        index: usize,
        ids: &Ids,
        options: &Options,
    ) -> Result<Option<String>, Refusal> {
        match (&self.id, ids) {
            (Some(Constant::Hidden), _) => Ok(None),
            (Some(Constant::Str(id)), _) if options.versions.given_ids_can_stay_unescaped() => {
                Ok(Some(value_id::escaped(id, options)))
            }
            (Some(Constant::Str(id)), _) => Ok(Some(value_id::ascii_escaped(id))),
            (Some(_), _) => Err(Refusal::unclear("the id of a pytest.param is not a literal")),
            (None, Ids::Given(ids)) => match ids.get(index) {
                Some(Constant::Hidden) => Ok(None),
                None | Some(Constant::None) => {
                    self.generated(names, index, None, options).map(Some)
                }
                Some(id) => match value_id::of_supported(id, options) {
                    ValueId::Text(id) => Ok(Some(id)),
                    ValueId::Unknown => {
                        Err(Refusal::unclear("the ids of parametrize are not literals"))
                    }
                    ValueId::Indexed | ValueId::Refused => {
                        Err(Refusal::Failure("ids contains unsupported value".to_owned()))
                    }
                },
            },
            (None, Ids::Generated) => self.generated(names, index, None, options).map(Some),
            (None, Ids::Called(function)) => {
                self.generated(names, index, Some(*function), options).map(Some)
            }
        }
    }

    fn generated(
        &self,
        names: &[String],
        index: usize,
        function: Option<Callable>,
        options: &Options,
    ) -> Result<String, Refusal> {
        let mut parts = Vec::with_capacity(self.values.len());
        for (value, name) in self.values.iter().zip(names) {
            let id = match function.map(|function| function.call(value, &options.versions)) {
                None => value_id::of_value(value, options),
                Some(Some(text)) => ValueId::Text(value_id::escaped(&text, options)),
                Some(None) => ValueId::Unknown,
            };
            parts.push(match id {
                ValueId::Text(text) => text,
                ValueId::Indexed => format!("{name}{index}"),
                ValueId::Unknown => {
                    return Err(Refusal::unclear("a value of parametrize is not a literal"));
                }
                ValueId::Refused => {
                    return Err(Refusal::Failure(format!(
                        "parametrize value for '{name}' at index {index} is too long for an \
                         auto-generated ID"
                    )));
                }
            });
        }
        Ok(parts.join("-"))
    }
}
