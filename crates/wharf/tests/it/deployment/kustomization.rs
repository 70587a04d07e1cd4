//! What `kubectl apply -k` makes of a folder, as far as the folders here need it. What they do not use is refused, so that
//! nothing goes unseen.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::objects::{documents, text, yaml};

/// The objects of a folder.
pub(crate) fn build(folder: &Path) -> Vec<Value> {
    let file = yaml(&folder.join("kustomization.yaml"));
    let mut named = BTreeSet::from([PathBuf::from("kustomization.yaml")]);
    let mut objects = Vec::new();
    for (key, value) in file.as_object().unwrap() {
        match key.as_str() {
            "apiVersion" => assert_eq!(value, "kustomize.config.k8s.io/v1beta1"),
            "kind" => assert_eq!(value, "Kustomization"),
            "resources" => {
                for resource in list(value) {
                    let resource = resource.as_str().unwrap();
                    named.insert(resource.into());
                    objects.extend(read(&folder.join(resource)));
                }
            }
            "generatorOptions" => assert_eq!(value, &json!({ "disableNameSuffixHash": true })),
            // They are for what is above.
            "configMapGenerator" | "images" => {}
            other => panic!("{}: no test knows the key {other}", folder.display()),
        }
    }
    for generator in list(&file["configMapGenerator"]) {
        generate(generator, folder, &mut objects, &mut named);
    }
    for image in list(&file["images"]) {
        objects.iter_mut().for_each(|object| rename(image, object));
    }
    assert_named(folder, &named);
    objects
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What a resource is: a folder of its own, or a file of objects.
fn read(path: &Path) -> Vec<Value> {
    if path.is_dir() {
        return build(path);
    }
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    documents(&text)
}

/// Adds a ConfigMap of files, or files to one that is there.
fn generate(generator: &Value, folder: &Path, objects: &mut Vec<Value>, named: &mut BTreeSet<PathBuf>) {
    let generator = generator.as_object().unwrap();
    let known = ["name", "namespace", "behavior", "files", "options"];
    assert!(
        generator.keys().all(|key| known.contains(&key.as_str())),
        "{generator:?}"
    );
    let mut data = Map::new();
    for file in list(&generator["files"]) {
        let name = file.as_str().unwrap();
        named.insert(name.into());
        let content = std::fs::read_to_string(folder.join(name));
        data.insert(
            name.to_owned(),
            json!(content.unwrap_or_else(|error| panic!("{name}: {error}"))),
        );
    }
    let (name, namespace) = (&generator["name"], &generator["namespace"]);
    match generator.get("behavior").and_then(Value::as_str) {
        Some("merge") => {
            let is_it = |object: &&mut Value| {
                object["kind"] == "ConfigMap"
                    && object["metadata"]["name"] == *name
                    && object["metadata"]["namespace"] == *namespace
            };
            let found = objects.iter_mut().find(is_it);
            let found = found.unwrap_or_else(|| panic!("there is no ConfigMap {name} to add to"));
            found["data"].as_object_mut().unwrap().extend(data);
        }
        None => objects.push(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": { "name": name, "namespace": namespace, "labels": generator["options"]["labels"] },
            "data": data,
        })),
        Some(other) => panic!("no test knows the behavior {other}"),
    }
}

/// Gives the containers of a Deployment the image that is meant.
fn rename(image: &Value, object: &mut Value) {
    let Some(Value::Array(containers)) = object.pointer_mut("/spec/template/spec/containers") else {
        return;
    };
    for container in containers {
        let old = text(container, "/image");
        if old.split(':').next() == image["name"].as_str() {
            container["image"] = json!(format!("{}:{}", text(image, "/newName"), text(image, "/newTag")));
        }
    }
}

/// No file lies in the folder that is not used.
fn assert_named(folder: &Path, named: &BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = PathBuf::from(entry.unwrap().file_name());
        assert!(
            named.contains(&name),
            "{} is in {} and not in its kustomization.yaml",
            name.display(),
            folder.display()
        );
    }
}
