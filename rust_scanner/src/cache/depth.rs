//! Bounds on the decoder's recursion.
//!
//! Facts nest through expressions and classes only. The parser stops at 40 levels of the one and 100 of
//! the other; bytes that claim more are not ours, and must not be able to overflow the stack.

use std::cell::Cell;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::syntax::{Class, Expr};

/// Levels of expressions and classes together; more than the parser yields.
const MAX_DEPTH: usize = 200;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One level, left when dropped.
struct Level;

impl Level {
    fn enter() -> Option<Self> {
        let depth = DEPTH.get();
        (depth < MAX_DEPTH).then(|| {
            DEPTH.set(depth + 1);
            Self
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

// `serde(remote = "Self")` on the types makes the derived code inherent functions, which these call.
macro_rules! bounded {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                <$type>::serialize(self, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let _level = Level::enter().ok_or_else(|| D::Error::custom("nested too deeply"))?;
                <$type>::deserialize(deserializer)
            }
        }
    };
}

bounded!(Expr);
bounded!(Class);
