use serde_json::json;

use super::*;

fn kind() -> KindName {
    KindName {
        api_version: "v1".into(),
        kind: "Pod".into(),
    }
}

fn mask(paths: &[&str]) -> Mask {
    Mask::of(Some(&paths.iter().map(|path| (*path).to_owned()).collect()))
}

fn cut(mask: &Mask, object: &Value) -> Kept {
    Cut::new(kind(), mask).cut(&object.to_string()).unwrap()
}

fn text(kept: &Kept) -> Value {
    serde_json::from_slice(&kept.text).unwrap()
}

#[test]
fn objects_lose_what_nobody_looks_at_and_say_what_they_are() {
    let object = json!({
        "metadata": {
            "name": "a", "namespace": "n", "resourceVersion": "7", "managedFields": [{"manager": "m"}],
            "annotations": {LAST_APPLIED: "{}", "other": "stays"},
        },
        "spec": {"containers": [{"image": "i", "name": "c"}]},
    });
    let kept = cut(&Mask::Whole, &object);
    assert_eq!(kept.key, (Box::from("n"), Box::from("a")));
    assert_eq!(kept.version, "7");
    let expected = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "n", "resourceVersion": "7", "annotations": {"other": "stays"}},
        "spec": {"containers": [{"image": "i", "name": "c"}]},
    });
    assert_eq!(text(&kept), expected);

    let named = json!({"kind": "Other", "apiVersion": "v2", "metadata": {"name": "a"}});
    assert_eq!(
        text(&cut(&Mask::Whole, &named)),
        named,
        "an object's own words count"
    );

    let masked = text(&cut(&mask(&["spec.containers.image"]), &object));
    assert_eq!(masked["spec"], json!({"containers": [{"image": "i"}]}));
    assert_eq!(masked["metadata"]["name"], "a");
}

#[test]
fn what_is_no_object_is_refused() {
    for text in [
        "",
        "7",
        "[]",
        "{}",
        r#"{"metadata":7}"#,
        r#"{"metadata":{}}"#,
        r#"{"metadata":{"name":7}}"#,
    ] {
        let cut = Cut::new(kind(), &Mask::Whole).cut(text);
        assert!(matches!(cut, Err(ApiError::Unreadable(_))), "{text}: {cut:?}");
    }
    let deep = format!(r#"{{"metadata":{{"name":"a"}},"x":{}}}"#, "[".repeat(100_000));
    assert!(Cut::new(kind(), &Mask::Whole).cut(&deep).is_err());
}

#[test]
fn masks_cover_each_other() {
    let specs = mask(&["spec.containers", "status.phase"]);
    for covered in [
        &["spec.containers"] as &[&str],
        &["spec.containers.image", "status.phase"],
        &["metadata.labels", "kind", "apiVersion"],
    ] {
        assert!(specs.covers(&mask(covered)), "{covered:?}");
    }
    for not in [
        &["spec"] as &[&str],
        &["spec.containersX"],
        &["status"],
        &["spec.containers", "other"],
    ] {
        assert!(!specs.covers(&mask(not)), "{not:?}");
    }
    assert!(Mask::Whole.covers(&specs) && Mask::Whole.covers(&Mask::Whole));
    assert!(!specs.covers(&Mask::Whole));
    assert_eq!(mask(&[]), Mask::Whole, "no paths are all fields");
    assert_eq!(mask(&["a"]).with(&mask(&["b"])), mask(&["a", "b"]));
    assert_eq!(mask(&["a"]).with(&Mask::Whole), Mask::Whole);
}

#[test]
fn more_paths_than_a_mask_may_have_keep_whole_objects() {
    let paths: BTreeSet<String> = (0..10_000).map(|number| format!("field{number}")).collect();
    let object = json!({"metadata": {"name": "a"}, "spec": 1});
    assert_eq!(text(&cut(&Mask::Paths(paths), &object))["spec"], 1);
}

#[test]
fn lists_have_their_kind_and_their_objects() {
    let mut list = ListText::new(&kind(), 0);
    assert_eq!(
        ListText::new(&kind(), 0).finish(),
        br#"{"apiVersion":"v1","kind":"PodList","metadata":{},"items":[]}"#
    );
    list.push(b"1");
    list.push(b"2");
    assert_eq!(
        list.finish(),
        br#"{"apiVersion":"v1","kind":"PodList","metadata":{},"items":[1,2]}"#
    );
}

fn named(name: &str, room: usize) -> Kept {
    Kept {
        key: (Box::from(""), Box::from(name)),
        text: vec![b'x'; room].into(),
        version: String::new(),
    }
}

#[test]
fn what_objects_take_is_given_back() {
    let budget = Arc::new(Budget::new(ByteSize::from_kib(4)));
    let mut some = Objects::new(Arc::clone(&budget), ByteSize::from_kib(2));
    let mut others = Objects::new(Arc::clone(&budget), ByteSize::from_kib(4));
    some.put(&named("a", 1_000)).unwrap();
    assert_eq!(budget.used(), 1_000 + 1 + OVERHEAD);
    assert_eq!(some.put(&named("b", 1_000)), Err(NoRoom::List));
    others.put(&named("a", 2_000)).unwrap();
    assert_eq!(others.put(&named("b", 1_000)), Err(NoRoom::Together));

    let used = budget.used();
    others.put(&named("a", 500)).unwrap();
    assert_eq!(budget.used(), used - 1_500, "the older form was given back");
    others.remove(&(Box::from(""), Box::from("a")));
    others.remove(&(Box::from(""), Box::from("a")));
    assert_eq!(budget.used(), 1_000 + 1 + OVERHEAD);
    assert_eq!(some.snapshot().0.len(), 1);
    drop((some, others));
    assert_eq!(budget.used(), 0);
}
