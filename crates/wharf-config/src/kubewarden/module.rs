//! Where a policy's module is, as Kubewarden writes it.

use wharf_plugin::{Reference, ReferenceError};

use crate::decode::{Context, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::table::{Kind, TextRule};

/// The place of a module.
pub(crate) const MODULE: Kind = Kind::Text(TextRule {
    what: "a module such as `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`",
    pattern: "^.+$",
    example: "registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0",
});

/// What the tables say of it.
pub(crate) const MODULE_DOC: &str = "Where the module is: `registry://` and an image, `https://` and the rest of a URL, \
     `file://` and a path, or a path, relative to the directory of the file that names it. Without any of these it is an \
     image in a registry, except for what begins with `/` or `.` and for `.wasm` and `.wat` files that are not below the \
     name of a host.";

/// The module, with a file's path relative to the file that names it.
pub(super) fn decode_module(cx: &mut Context<'_>, item: &Item<'_>) -> Option<Reference> {
    let text = item.text(cx, &MODULE)?;
    let complaint = match read(text) {
        Ok(Reference::File(path)) => {
            let path = cx.resolve(path);
            match cx.check_file(&path) {
                Ok(()) => return Some(Reference::File(path)),
                Err(reason) => Complaint::new(
                    item.span(),
                    format!("the module {} {reason}", quoted(&path.to_string_lossy())),
                )
                .hint("a path is relative to the directory of the file that names it"),
            }
        }
        Ok(reference) => return Some(reference),
        Err((message, hint)) => Complaint::new(item.span(), message).hint(hint),
    };
    cx.error(complaint);
    None
}

const EXAMPLE: &str = "write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`";

/// The reference, or what is wrong with it and what to do.
fn read(text: &str) -> Result<Reference, (String, String)> {
    let refuse = |error: ReferenceError| (error.to_string(), error.hint());
    if text.chars().any(char::is_control) {
        return Err(refuse(ReferenceError::ControlCharacter));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return match text.strip_prefix("file:") {
            Some(_) => text.parse().map_err(refuse),
            None if is_path(text) => format!("file:{text}").parse().map_err(refuse),
            None => image(text, text),
        };
    };
    match scheme {
        "registry" | "oci" => image(rest, text),
        "file" | "https" => text.parse().map_err(refuse),
        "http" => Err((
            "policies are not fetched over plain `http:`, because anybody on the way could change them"
                .to_owned(),
            "use `https://`".to_owned(),
        )),
        _ => Err((
            format!("{} is not a kind of module", quoted(&format!("{scheme}://"))),
            "a module begins with `registry://`, `https://` or `file://`".to_owned(),
        )),
    }
}

/// Whether a text without a scheme is a path. Everything else is an image to Kubewarden.
fn is_path(text: &str) -> bool {
    let first = text.split('/').next().unwrap_or_default();
    let below_a_host =
        text.contains('/') && (first.contains(['.', ':']) || first.eq_ignore_ascii_case("localhost"));
    let is_module_file = text.ends_with(".wasm") || text.ends_with(".wat");
    text.starts_with(['/', '.']) || (is_module_file && !below_a_host)
}

fn image(image: &str, text: &str) -> Result<Reference, (String, String)> {
    match image.split_once('/') {
        Some((host, path))
            if !host.is_empty() && !path.is_empty() && !image.contains(char::is_whitespace) =>
        {
            Ok(Reference::Oci(image.to_owned()))
        }
        _ => Err((
            format!("{} names no image in a registry", quoted(text)),
            EXAMPLE.to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn modules_are_read_as_policy_server_reads_them() {
        for (text, written) in [
            ("registry://ghcr.io/a/b:v1", "oci://ghcr.io/a/b:v1"),
            (
                "registry://localhost:5000/a@sha256:00",
                "oci://localhost:5000/a@sha256:00",
            ),
            ("oci://ghcr.io/a/b:v1", "oci://ghcr.io/a/b:v1"),
            ("ghcr.io/a/b:v1", "oci://ghcr.io/a/b:v1"),
            ("ghcr.io:443/a/b:latest", "oci://ghcr.io:443/a/b:latest"),
            ("ghcr.io/a/b.wasm", "oci://ghcr.io/a/b.wasm"),
            ("localhost/a/b.wasm", "oci://localhost/a/b.wasm"),
            ("https://example.com/a.wasm", "https://example.com/a.wasm"),
            ("file:///opt/a.wasm", "file:/opt/a.wasm"),
            ("file:a.wasm", "file:a.wasm"),
            ("/opt/a.wasm", "file:/opt/a.wasm"),
            ("./a.wasm", "file:./a.wasm"),
            ("../a.wat", "file:../a.wat"),
            ("a.wasm", "file:a.wasm"),
            ("policies/a.wasm", "file:policies/a.wasm"),
            ("file:///opt/my policies/a.wasm", "file:/opt/my policies/a.wasm"),
        ] {
            let reference = read(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            assert_eq!(reference.to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_no_module_is_said() {
        let complaints: Vec<String> = [
            "",
            "policy",
            "registry://",
            "registry://policy",
            "registry:///a",
            "http://a/b.wasm",
            "s3://a/b.wasm",
            "file://a/b.wasm",
            "file:///a.so",
            "/opt/a",
            "ghcr.io/a b",
            "a\u{7}.wasm",
            "https://",
        ]
        .into_iter()
        .map(|text| read(text).unwrap_err())
        .map(|(message, hint)| format!("{message}; {hint}"))
        .collect();
        expect_test::expect![[r#"
            `` names no image in a registry; write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`
            `policy` names no image in a registry; write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`
            `registry://` names no image in a registry; write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`
            `registry://policy` names no image in a registry; write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`
            `registry:///a` names no image in a registry; write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`
            policies are not fetched over plain `http:`, because anybody on the way could change them; use `https://`
            `s3://` is not a kind of module; a module begins with `registry://`, `https://` or `file://`
            `file://a/b.wasm` names a host, not a path; write `file:a/b.wasm` for a relative path, or three slashes for an absolute one
            `/a.so` is neither a `.wasm` nor a `.wat` file; name the compiled module (`.wasm`) or its text form (`.wat`)
            `/opt/a` is neither a `.wasm` nor a `.wat` file; name the compiled module (`.wasm`) or its text form (`.wat`)
            `ghcr.io/a b` names no image in a registry; write for example `registry://ghcr.io/kubewarden/policies/safe-labels:v1.0.0`
            a source cannot contain control characters; remove it
            nothing follows `https:`; write for example `file:plugins/greet.wasm`"#]].assert_eq(&complaints.join("\n"));
    }
}
