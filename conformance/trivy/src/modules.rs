//! The modules of the cases, as files that both scanners can load.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

/// A module.
pub(crate) enum Module {
    /// A folder of `guests/trivy/`, with the built module in it, or `wat/` and a name.
    Guest(&'static str),
    /// One that is made for the case.
    Made(Made),
    /// Bytes that are no module.
    Broken(&'static [u8]),
}

/// A module that says the same each time.
#[derive(Default)]
pub(crate) struct Made {
    name: &'static str,
    required: Vec<&'static str>,
    analysis: Option<Analysis>,
    post_scan: Option<PostScan>,
}

enum Analysis {
    Says(Vec<u8>),
    /// The content of the file is what it says of it.
    Repeats,
    Traps,
}

struct PostScan {
    spec: Value,
    reply: Option<Vec<u8>>,
}

impl From<&'static str> for Module {
    fn from(guest: &'static str) -> Self {
        Self::Guest(guest)
    }
}

impl From<Made> for Module {
    fn from(made: Made) -> Self {
        Self::Made(made)
    }
}

/// A module of this name, which does nothing.
pub(crate) fn made(name: &'static str) -> Made {
    Made {
        name,
        ..Made::default()
    }
}

/// A module that gives the content of files called `*.analysis` as the result of their analysis.
pub(crate) fn repeater() -> Made {
    Made {
        required: vec![r"\.analysis$"],
        analysis: Some(Analysis::Repeats),
        ..made("repeater")
    }
}

impl Made {
    /// Says this of files whose paths match.
    pub(crate) fn says_of(mut self, required: &'static str, analysis: &Value) -> Self {
        self.required.push(required);
        self.analysis = Some(Analysis::Says(analysis.to_string().into_bytes()));
        self
    }

    pub(crate) fn also_of(mut self, required: &'static str) -> Self {
        self.required.push(required);
        self
    }

    pub(crate) fn traps_at(mut self, required: &'static str) -> Self {
        self.required.push(required);
        self.analysis = Some(Analysis::Traps);
        self
    }

    pub(crate) fn inserts(self, results: &Value) -> Self {
        self.after_the_scan(
            json!({"Action": "INSERT"}),
            Some(results.to_string().into_bytes()),
        )
    }

    pub(crate) fn updates(self, ids: &[&str], results: &Value) -> Self {
        self.acts("UPDATE", ids, results)
    }

    pub(crate) fn deletes(self, ids: &[&str], results: &Value) -> Self {
        self.acts("DELETE", ids, results)
    }

    pub(crate) fn acts(self, action: &str, ids: &[&str], results: &Value) -> Self {
        let spec = json!({"Action": action, "IDs": ids});
        self.after_the_scan(spec, Some(results.to_string().into_bytes()))
    }

    /// Gives back after the scan what it is given.
    pub(crate) fn gives_back(self, action: &str, ids: &[&str]) -> Self {
        self.after_the_scan(json!({"Action": action, "IDs": ids}), None)
    }

    /// Replies with this after the scan, whatever it is.
    pub(crate) fn replies(self, text: &str) -> Self {
        self.after_the_scan(json!({"Action": "INSERT"}), Some(text.as_bytes().to_owned()))
    }

    fn after_the_scan(mut self, spec: Value, reply: Option<Vec<u8>>) -> Self {
        self.post_scan = Some(PostScan { spec, reply });
        self
    }
}

/// Puts the modules into a folder.
///
/// # Errors
/// Which guest is missing or not valid.
pub(crate) fn write(modules: &[Module], guests: &Path, folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for (index, module) in modules.iter().enumerate() {
        let path = folder.join(format!("{index}.wasm"));
        let bytes = bytes(module, guests)?;
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn bytes(module: &Module, guests: &Path) -> Result<Vec<u8>, String> {
    match module {
        Module::Guest(name) => guest(name, &guests.join("trivy")),
        Module::Made(made) => wat::parse_str(made.text()).map_err(|error| format!("{}: {error}", made.name)),
        Module::Broken(bytes) => Ok(bytes.to_vec()),
    }
}

fn guest(name: &str, guests: &Path) -> Result<Vec<u8>, String> {
    if name.starts_with("wat/") {
        return wat::parse_file(guests.join(format!("{name}.wat"))).map_err(|error| error.to_string());
    }
    let path = guests.join(name).join(format!("{name}.wasm"));
    fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where texts begin in the memory of a module that is made; WASI's results lie before.
const TEXTS: usize = 4096;
/// The size of a page of memory.
const PAGE: usize = 65536;

/// The texts of a module, and where they lie.
struct Texts {
    data: String,
    end: usize,
}

impl Texts {
    /// A constant with the place and the size, as functions of the ABI give them.
    fn put(&mut self, text: &[u8]) -> String {
        let escaped: String = text.iter().map(|byte| format!("\\{byte:02x}")).collect();
        self.data += &format!("(data (i32.const {}) \"{escaped}\")\n", self.end);
        let constant = format!("(i64.const {})", (self.end << 32) | text.len());
        self.end += text.len();
        constant
    }
}

impl Made {
    /// The module in WebAssembly's text. What the host gives it lies behind the texts, at the same place each time, and what
    /// a file has behind that.
    fn text(&self) -> String {
        let mut texts = Texts {
            data: String::new(),
            end: TEXTS,
        };
        let name = texts.put(self.name.as_bytes());
        let required = texts.put(json!(self.required).to_string().as_bytes());
        let spec = self
            .post_scan
            .as_ref()
            .map(|post_scan| post_scan.spec.to_string());
        let spec = texts.put(spec.unwrap_or_default().as_bytes());
        let reply = match &self.post_scan {
            Some(PostScan { reply: None, .. }) => GIVES_BACK.to_owned(),
            Some(PostScan {
                reply: Some(reply), ..
            }) => texts.put(reply),
            None => texts.put(b"null"),
        };
        let analysis = match &self.analysis {
            Some(Analysis::Says(analysis)) => texts.put(analysis),
            Some(Analysis::Repeats) => REPEATS.to_owned(),
            Some(Analysis::Traps) => "(unreachable)".to_owned(),
            None => texts.put(b"null"),
        };
        let given = texts.end.next_multiple_of(PAGE);
        let content = given + 16 * PAGE;
        let pages = content / PAGE + 16;
        let is_analyzer = i32::from(self.analysis.is_some());
        let is_post_scanner = i32::from(self.post_scan.is_some());
        let data = texts.data;
        format!(
            r#"(module
            (import "wasi_snapshot_preview1" "path_open"
              (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
            (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
            (memory (export "memory") {pages})
            {data}
            (global $content i32 (i32.const {content}))
            (func (export "malloc") (param i32) (result i32) (i32.const {given}))
            (func (export "free") (param i32 i32))
            (func (export "name") (result i64) {name})
            (func (export "version") (result i32) (i32.const 1))
            (func (export "api_version") (result i32) (i32.const 1))
            (func (export "is_analyzer") (result i64) (i64.const {is_analyzer}))
            (func (export "is_post_scanner") (result i64) (i64.const {is_post_scanner}))
            (func (export "required") (result i64) {required})
            (func (export "post_scan_spec") (result i64) {spec})
            (func (export "post_scan") (param $at i32) (param $size i32) (result i64) {reply})
            (func (export "analyze") (param $at i32) (param $size i32) (result i64)
              (local $file i32) (local $got i32)
              {analysis}))"#
        )
    }
}

/// Gives what it was given.
const GIVES_BACK: &str = "
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $size)))";

/// Reads the file of the path, which begins with a slash that a path below the root has not, and gives its content.
const REPEATS: &str = "
    (if (call $path_open (i32.const 3) (i32.const 0)
          (i32.add (local.get $at) (i32.const 1)) (i32.sub (local.get $size) (i32.const 1))
          (i32.const 0) (i64.const 0x200006) (i64.const 0) (i32.const 0) (i32.const 64))
      (then (unreachable)))
    (local.set $file (i32.load (i32.const 64)))
    (block $end
      (loop $more
        (i32.store (i32.const 72) (i32.add (global.get $content) (local.get $got)))
        (i32.store (i32.const 76) (i32.const 65536))
        (if (call $fd_read (local.get $file) (i32.const 72) (i32.const 1) (i32.const 80)) (then (unreachable)))
        (br_if $end (i32.eqz (i32.load (i32.const 80))))
        (local.set $got (i32.add (local.get $got) (i32.load (i32.const 80))))
        (br $more)))
    (drop (call $fd_close (local.get $file)))
    (i64.or (i64.shl (i64.extend_i32_u (global.get $content)) (i64.const 32))
      (i64.extend_i32_u (local.get $got)))";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_are_made_are_modules() {
        let all = [
            made("nothing"),
            repeater(),
            made("a")
                .says_of(".", &json!({"CustomResources": []}))
                .inserts(&json!([])),
            made("b").traps_at(".").gives_back("UPDATE", &["X"]),
        ];
        for made in all {
            assert!(wat::parse_str(made.text()).is_ok(), "{}", made.name);
        }
    }
}
