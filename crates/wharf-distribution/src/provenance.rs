//! Where a plugin is from and who signed it, as JSON: the same on the admin port, for policies as for other plugins, and in what
//! commands print.
//!
//! ```json
//! {
//!   "layout": "kubewarden",
//!   "resolved": "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
//!   "origin": "store",
//!   "registryError": "the registry registry.example cannot be reached",
//!   "verification": "signed",
//!   "signatures": [
//!     { "signer": "https://github.com/acme/plugins/.github/workflows/release.yml@refs/tags/v1",
//!       "issuer": "https://token.actions.githubusercontent.com",
//!       "logIndex": 25579,
//!       "time": "2026-05-26T07:42:21Z" }
//!   ],
//!   "warnings": []
//! }
//! ```

use std::time::SystemTime;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{CheckedSignature, Origin, Provenance};

/// `layout`, `resolved`, `origin` (`file`, `network` or `store`), `registryError` (why the registry was not asked although it
/// should have been, else null), `verification` (`signed`, `allowedUnsigned` or `unverified`), `signatures` and `warnings`.
impl Serialize for Provenance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (origin, registry_error) = match &self.origin {
            Origin::File => ("file", None),
            Origin::Network => ("network", None),
            Origin::Store => ("store", None),
            Origin::StoreInstead(error) => ("store", Some(error.to_string())),
        };
        let mut object = serializer.serialize_struct("Provenance", 7)?;
        object.serialize_field("layout", &self.layout)?;
        object.serialize_field("resolved", &self.resolved.to_string())?;
        object.serialize_field("origin", origin)?;
        object.serialize_field("registryError", &registry_error)?;
        object.serialize_field("verification", self.verified.verification.as_str())?;
        object.serialize_field("signatures", &self.verified.signatures)?;
        object.serialize_field("warnings", &self.verified.warnings)?;
        object.end()
    }
}

/// `signer`, `issuer`, `logIndex` and `time` (RFC 3339, in UTC), each null where it is not known.
impl Serialize for CheckedSignature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("CheckedSignature", 4)?;
        object.serialize_field("signer", &self.signer)?;
        object.serialize_field("issuer", &self.issuer)?;
        object.serialize_field("logIndex", &self.log_index)?;
        object.serialize_field("time", &self.time.and_then(rfc_3339))?;
        object.end()
    }
}

/// As `2026-05-26T07:42:21Z`. None after the year 9999.
fn rfc_3339(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| time.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};
    use wharf_plugin::{ContentDigest, Digest, Verification};

    use super::*;
    use crate::registry::RegistryError;
    use crate::{Layout, Verified};

    fn provenance(origin: Origin, verified: Verified) -> Value {
        let provenance = Provenance {
            layout: Layout::Kubewarden,
            resolved: ContentDigest::Sha256(Digest::of(b"foo")),
            origin,
            verified,
            hold: None,
        };
        serde_json::to_value(provenance).unwrap()
    }

    fn nobody(verification: Verification) -> Verified {
        Verified {
            verification,
            signatures: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn who_signed_is_said_with_all_that_is_known() {
        let signature = |issuer: Option<&str>, log_index, time: Option<u64>| CheckedSignature {
            signer: "someone".to_owned(),
            issuer: issuer.map(str::to_owned),
            log_index,
            time: time.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
        };
        let verified = Verified {
            verification: Verification::Signed,
            signatures: vec![
                signature(Some("https://issuer.example"), Some(7), Some(1_795_949_751)),
                signature(None, None, None),
                // After the year 9999, which RFC 3339 cannot say.
                signature(None, None, Some(253_402_300_800)),
            ],
            warnings: vec!["take care".to_owned()],
        };
        let unknown = json!({ "signer": "someone", "issuer": null, "logIndex": null, "time": null });
        assert_eq!(
            provenance(Origin::Network, verified),
            json!({
                "layout": "kubewarden",
                "resolved": "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
                "origin": "network",
                "registryError": null,
                "verification": "signed",
                "signatures": [
                    {
                        "signer": "someone",
                        "issuer": "https://issuer.example",
                        "logIndex": 7,
                        "time": "2026-11-29T10:55:51Z",
                    },
                    unknown,
                    unknown,
                ],
                "warnings": ["take care"],
            })
        );
    }

    #[test]
    fn a_registry_that_could_not_be_asked_is_told() {
        let error = RegistryError::NoRepository {
            host: "registry.example".into(),
            repository: "plugins/greet".into(),
        };
        let text = error.to_string();
        let told = provenance(Origin::StoreInstead(error), nobody(Verification::AllowedUnsigned));
        assert_eq!(
            (&told["origin"], &told["registryError"]),
            (&json!("store"), &json!(text))
        );
        assert_eq!(told["verification"], "allowedUnsigned");
        for (origin, expected) in [(Origin::File, "file"), (Origin::Store, "store")] {
            let told = provenance(origin, nobody(Verification::Unverified));
            assert_eq!(
                (&told["origin"], &told["registryError"]),
                (&json!(expected), &Value::Null)
            );
            assert_eq!(told["verification"], "unverified");
        }
    }
}
