//! The objects, each from one list of its fields.

/// Defines the struct of a JSON object. Each field has its key, and behind it how it is written where it is empty:
///
/// * nothing: it is always written;
/// * `omit`: it is left out where it is empty (`omitempty`, `omitzero`);
/// * `inline` in place of the key: its own fields stand in its place (an embedded struct).
#[macro_export]
macro_rules! go_object {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[$field_meta:meta])* $field_vis:vis $field:ident : $kind:ty => $key:tt $($omit:ident)? ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        $vis struct $name {
            $( $(#[$field_meta])* $field_vis $field: $kind, )*
        }

        impl $name {
            /// Reads the value of `key` if it is one of these fields, and says whether it was.
            pub(crate) fn read_field<'de, A>(&mut self, key: &str, map: &mut A) -> Result<bool, A::Error>
            where
                A: $crate::json::serde_parts::MapAccess<'de>,
            {
                $( $crate::go_object!(@read self, key, map, $field, $key); )*
                Ok(false)
            }

            /// Writes the fields.
            pub(crate) fn write_fields<M>(&self, map: &mut M) -> Result<(), M::Error>
            where
                M: $crate::json::serde_parts::SerializeMap,
            {
                $( $crate::go_object!(@write self, map, $field, $key $($omit)?); )*
                Ok(())
            }
        }

        impl $crate::json::IsEmpty for $name {
            fn is_empty_value(&self) -> bool {
                *self == Self::default()
            }
        }

        impl $crate::json::serde_parts::Serialize for $name {
            fn serialize<S>(&self, serializer: S) -> Result<S::Ok, S::Error>
            where
                S: $crate::json::serde_parts::Serializer,
            {
                let mut map = serializer.serialize_map(None)?;
                self.write_fields(&mut map)?;
                $crate::json::serde_parts::SerializeMap::end(map)
            }
        }

        impl $crate::json::FromGo for $name {
            fn from_go<'de, D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: $crate::json::serde_parts::Deserializer<'de>,
            {
                use $crate::json::serde_parts::{DeError, Deserializer, IgnoredAny, MapAccess, Visitor};

                struct Object;

                impl<'de> Visitor<'de> for Object {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_unit<E: DeError>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }

                    fn visit_none<E: DeError>(self) -> Result<$name, E> {
                        Ok($name::default())
                    }

                    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<$name, D::Error> {
                        inner.deserialize_map(self)
                    }

                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut value = $name::default();
                        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
                            if !value.read_field(&key, &mut map)? {
                                map.next_value::<IgnoredAny>()?;
                            }
                        }
                        Ok(value)
                    }
                }

                deserializer.deserialize_option(Object)
            }
        }

        impl<'de> $crate::json::serde_parts::Deserialize<'de> for $name {
            fn deserialize<D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: $crate::json::serde_parts::Deserializer<'de>,
            {
                <Self as $crate::json::FromGo>::from_go(deserializer)
            }
        }
    };
    (@read $self:ident, $key:ident, $map:ident, $field:ident, inline) => {
        if $self.$field.read_field($key, $map)? {
            return Ok(true);
        }
    };
    (@read $self:ident, $key:ident, $map:ident, $field:ident, $name:literal) => {
        if $key.eq_ignore_ascii_case($name) {
            $self.$field = $map.next_value::<$crate::json::Wrapped<_>>()?.0;
            return Ok(true);
        }
    };
    (@write $self:ident, $map:ident, $field:ident, inline) => {
        $self.$field.write_fields($map)?;
    };
    (@write $self:ident, $map:ident, $field:ident, $name:literal) => {
        $crate::json::serde_parts::SerializeMap::serialize_entry($map, $name, &$self.$field)?;
    };
    (@write $self:ident, $map:ident, $field:ident, $name:literal omit) => {
        if !$crate::json::IsEmpty::is_empty_value(&$self.$field) {
            $crate::json::serde_parts::SerializeMap::serialize_entry($map, $name, &$self.$field)?;
        }
    };
}

/// Defines an enum whose values are numbers in Go and texts in JSON. The first is the empty one. `else` says what a text
/// gives that is none of them: a value, or `error`.
#[macro_export]
macro_rules! go_text {
    (
        $(#[$meta:meta])*
        pub enum $name:ident else $otherwise:ident {
            $( $(#[$variant_meta:meta])* $variant:ident => $text:literal ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[$variant_meta])* $variant, )*
        }

        impl $name {
            /// All of them, in Trivy's order.
            pub const ALL: &'static [Self] = &[$( Self::$variant ),*];

            /// The text in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $text, )*
                }
            }

            /// The one with this text.
            pub fn with_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::json::IsEmpty for $name {
            fn is_empty_value(&self) -> bool {
                *self == Self::default()
            }
        }

        impl $crate::json::serde_parts::Serialize for $name {
            fn serialize<S>(&self, serializer: S) -> Result<S::Ok, S::Error>
            where
                S: $crate::json::serde_parts::Serializer,
            {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::json::FromGo for $name {
            fn from_go<'de, D>(deserializer: D) -> Result<Self, D::Error>
            where
                D: $crate::json::serde_parts::Deserializer<'de>,
            {
                let text = <Option<String> as $crate::json::FromGo>::from_go(deserializer)?;
                let Some(text) = text else {
                    return Ok(Self::default());
                };
                match Self::with_text(&text) {
                    Some(value) => Ok(value),
                    None => $crate::go_text!(@otherwise $otherwise, text),
                }
            }
        }
    };
    (@otherwise error, $text:ident) => {
        Err($crate::json::serde_parts::DeError::custom(format_args!("\"{}\" is not known", $text.escape_debug())))
    };
    (@otherwise default, $text:ident) => {
        Ok(Self::default())
    };
}
