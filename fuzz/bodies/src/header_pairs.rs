//! Maps as they cross the ABI.

use wharf_abi_proxy_wasm::headers::{self, HeaderList};
use wharf_abi_proxy_wasm::pairs::{self, Pair, PairsError};

/// Reads the bytes as a serialized map. What can be read keeps to the limits and means the same when it is written and
/// read again; what can be headers makes a list that counts right.
pub fn header_pairs(bytes: &[u8]) {
    let decoded = match pairs::decode(bytes) {
        Ok(decoded) => decoded,
        Err(error) => return check_refusal(bytes, error),
    };
    assert!(bytes.len() <= pairs::MAXIMUM_BYTES && decoded.len() <= pairs::MAXIMUM_COUNT);
    let held: usize = decoded.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(held <= bytes.len(), "more than was given");
    let encoded = encode(&decoded);
    assert_eq!(
        pairs::decode(&encoded).as_ref(),
        Ok(&decoded),
        "it changes on its way"
    );
    if decoded.is_empty() {
        assert!(encoded.is_empty());
    } else {
        assert_eq!(encoded, bytes, "a map that is not empty has one form");
    }
    check_list(&decoded);
}

fn encode(pairs: &[Pair<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    pairs::encode(pairs.iter().copied(), &mut out);
    out
}

fn check_refusal(bytes: &[u8], error: PairsError) {
    assert!(!error.to_string().is_empty());
    let count = || u32::from_le_bytes(bytes[..4].try_into().expect("four bytes were read"));
    match error {
        PairsError::TooLong(length) => assert!(length == bytes.len() && length > pairs::MAXIMUM_BYTES),
        PairsError::TooMany(many) => assert!(many == count() && many as usize > pairs::MAXIMUM_COUNT),
        PairsError::TrailingBytes(trailing) => {
            let without = &bytes[..bytes.len() - trailing];
            assert!(
                trailing > 0 && pairs::decode(without).is_ok(),
                "so many are too many"
            );
        }
        _ => {}
    }
}

/// The pairs as a guest puts them into a list, in each of the ways that it has.
fn check_list(pairs: &[Pair<'_>]) {
    let mut whole = HeaderList::new();
    let taken = whole.replace_all(pairs);
    let mut added = HeaderList::new();
    let first_error = pairs
        .iter()
        .find_map(|(name, value)| added.add(name, value).err());
    assert_eq!(taken.err(), first_error, "the same pair is refused");
    if first_error.is_none() {
        assert_eq!(whole, added);
    } else {
        assert!(whole.is_empty(), "a refused map changes nothing");
    }
    let mut replaced = HeaderList::new();
    for (name, value) in pairs {
        // A refused pair is told above.
        let _ = replaced.replace(name, value);
    }
    for list in [&whole, &added, &replaced] {
        check_counts(list);
        check_what_guests_read(list);
    }
    for (name, _) in pairs {
        added.remove(name);
        check_counts(&added);
    }
    if first_error.is_none() {
        assert!(added.is_empty(), "each was removed by its own name");
    }
}

fn check_counts(list: &HeaderList) {
    let counted: usize = list
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    assert_eq!(list.byte_size(), counted);
    assert!(counted <= headers::MAXIMUM_BYTES && list.len() <= headers::MAXIMUM_COUNT);
}

/// What the list gives to a guest, the guest can give back, and nothing in it can split a message.
fn check_what_guests_read(list: &HeaderList) {
    let pairs: Vec<Pair<'_>> = list
        .iter()
        .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
        .collect();
    for (name, value) in &pairs {
        assert!(!name.is_empty() && !name.iter().any(|byte| byte.is_ascii_whitespace()));
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)));
        assert!(list.get(name).is_some());
    }
    let mut again = HeaderList::new();
    assert_eq!(again.replace_all(&pairs), Ok(()));
    assert_eq!(&again, list);
}
