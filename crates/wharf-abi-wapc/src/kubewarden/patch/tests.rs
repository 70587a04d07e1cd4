use serde_json::json;

use super::*;

/// The operations of a patch.
fn operations(patch: &JsonPatch) -> json_patch::Patch {
    serde_json::from_slice(&STANDARD.decode(patch.base64()).unwrap()).unwrap()
}

#[track_caller]
fn check(original: &Value, mutated: &Value) {
    match difference(original, mutated).unwrap() {
        None => assert_eq!(original, mutated),
        Some(patch) => {
            let operations = operations(&patch);
            assert!(!operations.0.is_empty() && original != mutated);
            let mut changed = original.clone();
            json_patch::patch(&mut changed, &operations).unwrap();
            assert_eq!(&changed, mutated, "{operations}");
        }
    }
}

#[test]
fn the_operations_are_those_of_rfc_6902() {
    let original = json!({"metadata": {"labels": {"a/b": "1", "c~d": "2"}}, "list": [1, 2, 3]});
    let mutated = json!({"metadata": {"labels": {"a/b": "x"}}, "list": [1], "new": null});
    let patch = difference(&original, &mutated).unwrap().unwrap();
    assert_eq!(
        serde_json::to_value(operations(&patch)).unwrap(),
        json!([
            {"op": "replace", "path": "/metadata/labels/a~1b", "value": "x"},
            {"op": "remove", "path": "/metadata/labels/c~0d"},
            {"op": "remove", "path": "/list/1"},
            {"op": "remove", "path": "/list/1"},
            {"op": "add", "path": "/new", "value": null}
        ])
    );
}

#[test]
fn the_same_object_in_another_order_is_no_change() {
    assert_eq!(
        difference(&json!({"a": 1, "b": 2}), &json!({"b": 2, "a": 1})),
        Ok(None)
    );
    assert_eq!(difference(&json!({}), &json!({})), Ok(None));
}

#[test]
fn a_patch_makes_the_mutated_of_the_original() {
    let values = [
        json!(null),
        json!(true),
        json!(1),
        json!(1.0),
        json!(""),
        json!([]),
        json!({}),
        json!({"": {"": []}}),
        json!([[], {}, null]),
        json!({"a": [1, {"b": [1, 2]}, 3]}),
        json!({"a": [{"b": [2]}], "~": 1, "/": 2, "~1": 3}),
        json!({"a": {"b": 1}}),
    ];
    for original in &values {
        for mutated in &values {
            check(original, mutated);
        }
    }
}

/// A value made of a seed: objects and arrays over a few keys and numbers, so that two of them have much in common.
fn value(seed: &mut u64, depth: u32) -> Value {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let choice = (*seed >> 33) % if depth == 0 { 3 } else { 7 };
    let count = (*seed >> 40) % 4;
    match choice {
        0 => Value::Null,
        1 => json!(count),
        2 => json!("x".repeat(count as usize)),
        3 | 4 => Value::Array((0..count).map(|_| value(seed, depth - 1)).collect()),
        _ => {
            let keys = ["a", "b/c", "d~e", ""];
            (0..count)
                .map(|at| (keys[at as usize].to_owned(), value(seed, depth - 1)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
    }
}

#[test]
fn so_it_does_for_many_pairs() {
    let mut seed = 7;
    for _ in 0..2_000 {
        check(&value(&mut seed, 5), &value(&mut seed, 5));
    }
}

#[test]
fn a_policys_own_patch_must_be_one() {
    let good = STANDARD.encode(r#"[{"op": "add", "path": "/a", "value": 1}]"#);
    assert_eq!(of_policy(good.clone()).unwrap().base64(), good);
    for (patch, reason) in [
        (
            "?",
            "at `patch`: this is not base64: Invalid symbol 63, offset 0.",
        ),
        (
            "e30=",
            "at `patch`: this is no JSON Patch in base64: invalid type: map, expected a sequence at line 1 column 0",
        ),
        (
            "W3sib3AiOiJydW4ifV0=",
            "at `patch`: this is no JSON Patch in base64: at `[0].op`: unknown variant `run`, expected one of `add`, `remove`, `replace`, `move`, `copy`, `test` at line 1 column 12",
        ),
    ] {
        assert_eq!(of_policy(patch.to_owned()).unwrap_err().to_string(), reason);
    }
}

/// Ten thousand elements are changed below a name of ten thousand letters: a hundred megabytes of paths.
#[test]
fn a_patch_that_would_be_far_larger_than_the_change_is_refused() {
    let below = |value: Value| json!({ "n".repeat(10_000): value });
    let numbers = |from: u32| (from..from + 10_000).collect::<Vec<_>>();
    let refused = |original: Value, mutated: Value| {
        assert_eq!(difference(&below(original), &below(mutated)), Err(PatchTooLarge));
    };
    refused(json!(numbers(0)), json!(numbers(1)));
    refused(json!([]), json!(numbers(0)));
    refused(json!(numbers(0)), json!([]));
    let named = || -> Value {
        numbers(0)
            .into_iter()
            .map(|n| (n.to_string(), json!(n)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    refused(json!({}), named());
    refused(named(), json!({}));
    check(&json!(numbers(0)), &json!(numbers(1)));
    check(&below(json!(1)), &below(json!(numbers(1))));
}

#[test]
fn a_patch_is_applied_to_what_it_fits() {
    let patch = |operations: Value| JsonPatch::of_base64(STANDARD.encode(operations.to_string()));
    let add = patch(json!([{ "op": "add", "path": "/a/b", "value": 1 }]));
    assert_eq!(
        apply(&json!({ "a": {} }), &add).unwrap(),
        json!({ "a": { "b": 1 } })
    );
    assert!(matches!(apply(&json!({}), &add), Err(PatchMisfit::Misfit(_))));
    let test = patch(json!([{ "op": "test", "path": "/a", "value": 2 }]));
    assert!(matches!(
        apply(&json!({ "a": 1 }), &test),
        Err(PatchMisfit::Misfit(_))
    ));
    assert!(matches!(
        apply(&json!({}), &JsonPatch::of_base64("!".into())),
        Err(PatchMisfit::Unreadable(_))
    ));
}

#[test]
fn a_patch_cannot_double_an_object_without_end() {
    let copies: Vec<_> = (0..40)
        .map(|number| json!({ "op": "copy", "from": "/a", "path": format!("/a/x{number}") }))
        .collect();
    let bomb = JsonPatch::of_base64(STANDARD.encode(Value::Array(copies).to_string()));
    assert_eq!(apply(&json!({ "a": {} }), &bomb), Err(PatchMisfit::TooManyCopies));
}
