//! One shape for all enumerations of the interface: the known values, and room for those that later versions add.

use std::fmt;

/// The text of an enumeration's value that this version does not know: what every `Other` holds.
///
/// Nobody but the conversion from a text can make one, and it knows the known values. So there is one way only to say each
/// value, and a comparison with a known one never misses:
///
/// ```
/// use money_transfer_retailer::model::{ErrorType, ReversalReason};
///
/// assert_eq!(ReversalReason::from("TIMEOUT"), ReversalReason::Timeout);
/// assert_eq!(ErrorType::from("NEW_TYPE").as_str(), "NEW_TYPE");
/// ```
/// ```compile_fail,E0308
/// use money_transfer_retailer::model::ReversalReason;
///
/// let reason = ReversalReason::Other("TIMEOUT".to_owned());
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnknownValue(Box<str>);

impl UnknownValue {
    /// The caller has made sure that the enumeration has no value of this text.
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows the text in quotes, which escape what could break a line of a log.
impl fmt::Debug for UnknownValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Defines an enumeration from pairs of a Rust name and a text on the wire.
///
/// A macro, because thirteen enumerations with a hundred values need the same five conversions each, and a value that is
/// missing from one of them would be lost silently.
macro_rules! wire_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident {
            $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", $text, "` on the wire.")]
                $(#[$variant_meta])*
                $variant,
            )+
            /// A value this version does not know. It is kept as received and written back the same. Made of a text by
            /// `From`.
            Other($crate::model::UnknownValue),
        }

        impl $name {
            /// All values that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The text on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(unknown) => unknown.as_str(),
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    unknown => Self::Other($crate::model::UnknownValue::new(unknown)),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Ok(Self::from(text.as_str()))
            }
        }
    };
}

pub(super) use wire_enum;
