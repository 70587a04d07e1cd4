//! The configurations that the repository shows.

use std::fs;

use wharf_testing::{Origin, scripted_origin};

use crate::harness::{Folder, folder, root};
use crate::process::Wharf;

/// The root's `wharf.yaml`, with its ports replaced by free ones.
fn root_example(app: &Origin) -> Folder {
    let text = fs::read_to_string(root().join("wharf.yaml")).expect("the file is there");
    folder().with("wharf.yaml", with_free_ports(&text, &app.address().to_string()))
}

fn with_free_ports(text: &str, app: &str) -> String {
    let text = text.replace("127.0.0.1:9000", app);
    text.replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("127.0.0.1:9901", "127.0.0.1:0")
}

fn app() -> Origin {
    scripted_origin(|mut conversation| {
        while conversation.request().is_some() {
            conversation.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\napp");
        }
    })
}

/// Checks a file of the repository where it lies.
fn check(path: &str) -> String {
    let folder = folder();
    let mut command = folder.command(&["check", path]);
    let output = command
        .current_dir(root())
        .env("WHARF_LOG", "off")
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_example_at_the_root_is_good() {
    assert_eq!(
        check("wharf.yaml"),
        "wharf.yaml: good, with 2 plugins that started\n"
    );
}

#[test]
fn the_example_at_the_root_serves_both_routes() {
    let app = app();
    let wharf = Wharf::start(root_example(&app));
    let api = wharf.get("/api/things");
    assert_eq!((api.status, api.text()), (200, "app"));
    assert_eq!(
        (api.header("x-greeting"), api.header("x-count")),
        (Some("hi"), Some("1"))
    );
    assert_eq!(app.only_request().header("x-greeting"), Some("hi"));
    let hello = wharf.get("/apiary");
    assert_eq!((hello.status, hello.text()), (200, "hello from wharf\n"));
    assert_eq!(
        (hello.header("x-greeting"), hello.header("x-count")),
        (Some("hello"), None)
    );
    assert_eq!(hello.header("content-type"), Some("text/plain"));
    assert_eq!(wharf.admin_get("/readyz").status, 200);
}

#[test]
fn the_quickstart_is_good_and_answers_with_two_filters() {
    let path = "examples/quickstart/wharf.yaml";
    assert_eq!(
        check(path),
        format!("{path}: good, with 2 plugins that started\n")
    );
    let text = fs::read_to_string(root().join(path))
        .unwrap()
        .replace("file:../../guests/", "file:guests/");
    let wharf = Wharf::start(folder().with("wharf.yaml", with_free_ports(&text, "")));
    let answer = wharf.get("/");
    assert_eq!((answer.status, answer.text()), (200, "hello from wharf\n"));
    assert_eq!(answer.header("x-greeting"), Some("hello from Rust"));
    assert_eq!(answer.header("x-count"), Some("1"));
}
