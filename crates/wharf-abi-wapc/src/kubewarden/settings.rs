//! A policy's settings.

use serde_json::value::RawValue;

use super::json::{self, JsonProblem};

/// The settings of a policy: a JSON object, whose meaning is the policy's.
#[derive(Debug, Clone)]
pub struct Settings(Box<RawValue>);

/// Why something is no settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a policy's settings are an object: {0}")]
pub struct SettingsError(#[source] JsonProblem);

impl Settings {
    /// Takes JSON as settings. `null` is an empty object, as are no settings at all.
    ///
    /// # Errors
    /// [`SettingsError`] where it is neither an object nor `null`.
    pub fn parse(json: &[u8]) -> Result<Self, SettingsError> {
        let raw: &RawValue = json::decode(json).map_err(SettingsError)?;
        match raw.get().as_bytes().first() {
            Some(b'{') => Ok(Self(raw.to_owned())),
            Some(b'n') => Ok(Self::default()),
            _ => {
                let shown: String = raw.get().chars().take(40).collect();
                Err(SettingsError(JsonProblem::at("", format!("this is `{shown}`"))))
            }
        }
    }

    /// The object.
    pub fn json(&self) -> &RawValue {
        &self.0
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self(RawValue::from_string("{}".to_owned()).expect("this is JSON"))
    }
}

impl PartialEq for Settings {
    /// By text: the order of keys counts.
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<String, String> {
        Settings::parse(json.as_bytes())
            .map(|settings| settings.json().get().to_owned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn objects_are_settings_and_null_is_an_empty_one() {
        assert_eq!(check(" {\"a\": 1.50} ").unwrap(), "{\"a\": 1.50}");
        assert_eq!(check("null").unwrap(), "{}");
        assert_eq!(Settings::default().json().get(), "{}");
    }

    #[test]
    fn anything_else_is_refused() {
        assert_eq!(
            check("[1, 2]").unwrap_err(),
            "a policy's settings are an object: this is `[1, 2]`"
        );
        assert_eq!(
            check("{").unwrap_err(),
            "a policy's settings are an object: EOF while parsing an object at line 1 column 1"
        );
        for json in ["\"null\"", "7", "true", "", "{} {}"] {
            check(json).unwrap_err();
        }
    }
}
