//! Timestamps, and each thing that can be wrong with them.

use super::*;

#[test]
fn a_timestamp_stands_in_for_the_time_of_a_log() {
    let mut setting = Setting::new();
    let timestamp = setting.world.timestamp(&setting.signature(), "20260115000200Z");
    setting.stamp(&timestamp);
    assert_eq!(
        setting.verify().unwrap().signed_at,
        Some(at(LOGGED)),
        "the earlier of both"
    );
    // A log that signs no times, as the newer ones do not.
    setting
        .entry()
        .as_object_mut()
        .unwrap()
        .remove("inclusionPromise");
    let verified = setting.verify().unwrap();
    assert_eq!(verified.signed_at, Some(at(BEGAN + 120)));
    assert_eq!(verified.log.unwrap().integrated_time, None);
    setting.bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    let verified = setting.verify().unwrap();
    assert_eq!((verified.log, verified.signed_at), (None, Some(at(BEGAN + 120))));
}

#[test]
fn a_bad_timestamp_is_refused() {
    let bad = |reason| Err(Refusal::BadTimestamp { reason });
    let with = |timestamp: fn(&Setting) -> Vec<u8>| {
        let mut setting = Setting::new();
        let timestamp = timestamp(&setting);
        setting.stamp(&timestamp);
        setting.verify()
    };
    assert_eq!(with(|_| b"junk".to_vec()), bad("it is damaged"));
    assert_eq!(
        with(|setting| setting.world.timestamp(b"another", "20260115000100Z")),
        bad("it is of another signature")
    );
    assert!(matches!(
        with(|setting| setting.world.timestamp(&setting.signature(), "20260115100000Z")),
        Err(Refusal::CertificateExpired { .. })
    ));
    assert!(matches!(
        with(|setting| setting.world.timestamp(&setting.signature(), "20280115100000Z")),
        Err(Refusal::FromTheFuture { .. })
    ));
    // One of an authority that nobody knows is passed over; alone it is no time.
    let mut setting = Setting::new();
    let timestamp = World::new().timestamp(&setting.signature(), "20260115000100Z");
    setting.stamp(&timestamp);
    assert!(setting.verify().is_ok());
    setting.bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    assert_eq!(
        setting.verify(),
        bad("it is of an authority that the root of trust does not have")
    );
}

#[test]
fn each_byte_of_a_timestamp_counts() {
    let mut setting = Setting::new();
    setting.bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    let good = setting.world.timestamp(&setting.signature(), "20260115000100Z");
    setting.stamp(&good);
    let expected = setting.verify().unwrap();
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 1;
        setting.stamp(&changed);
        if let Ok(verified) = setting.verify() {
            // Some fields are neither signed nor read, such as the version of the format.
            assert_eq!(verified, expected, "byte {place}");
        }
    }
}
