//! Finds the version of WordPress in a tree, and reports a vulnerability of its own where it is an old one.

use serde::{Deserialize, Serialize};

mod abi;

// Modules run after the scan in the order of their names: this one comes before those that look at what it adds.
const NAME: &str = "cms-wordpress";
const RESOURCE: &str = "wordpress-version";
const FIXED: [u32; 3] = [6, 4, 2];

#[no_mangle]
extern "C" fn name() -> u64 {
    abi::give(NAME)
}

#[no_mangle]
extern "C" fn version() -> u32 {
    3
}

#[no_mangle]
extern "C" fn api_version() -> u32 {
    1
}

#[no_mangle]
extern "C" fn is_analyzer() -> u64 {
    1
}

#[no_mangle]
extern "C" fn required() -> u64 {
    abi::give(r#"["wp-includes\\/version\\.php$"]"#)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    #[serde(rename = "Type")]
    kind: String,
    file_path: String,
    data: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Analysis {
    custom_resources: Vec<Resource>,
}

#[no_mangle]
unsafe extern "C" fn analyze(pointer: *const u8, size: usize) -> u64 {
    let path = String::from_utf8_lossy(abi::taken(pointer, size)).into_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            abi::error(&format!("{path}: {error}"));
            return 0;
        }
    };
    // $wp_version = '6.4.1';
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("$wp_version")?.split('\'').nth(1));
    let Some(version) = version else {
        return abi::give("null");
    };
    abi::info(&format!("WordPress {version} in {path}"));
    let resource = Resource {
        kind: RESOURCE.into(),
        file_path: path,
        data: version.into(),
    };
    let analysis = Analysis {
        custom_resources: vec![resource],
    };
    abi::give(serde_json::to_vec(&analysis).expect("texts can be written"))
}

#[no_mangle]
extern "C" fn is_post_scanner() -> u64 {
    1
}

#[no_mangle]
extern "C" fn post_scan_spec() -> u64 {
    abi::give(r#"{"Action":"INSERT"}"#)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    #[serde(default)]
    custom_resources: Vec<Resource>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    target: String,
    class: &'static str,
    #[serde(rename = "Type")]
    kind: &'static str,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    #[serde(rename = "VulnerabilityID")]
    id: &'static str,
    pkg_name: &'static str,
    installed_version: String,
    fixed_version: &'static str,
    title: &'static str,
    severity: &'static str,
}

#[no_mangle]
unsafe extern "C" fn post_scan(pointer: *const u8, size: usize) -> u64 {
    let given: Vec<Given> = match serde_json::from_slice(abi::taken(pointer, size)) {
        Ok(given) => given,
        Err(error) => {
            abi::error(&format!("the results cannot be read: {error}"));
            return 0;
        }
    };
    let found: Vec<Found> = given
        .into_iter()
        .flat_map(|result| result.custom_resources)
        .filter(|resource| resource.kind == RESOURCE && is_old(&resource.data))
        .map(found)
        .collect();
    abi::give(serde_json::to_vec(&found).expect("texts can be written"))
}

fn is_old(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse().unwrap_or(0));
    let version = [(); 3].map(|()| numbers.next().unwrap_or(0_u32));
    version < FIXED
}

fn found(resource: Resource) -> Found {
    Found {
        target: resource.file_path,
        class: "lang-pkgs",
        kind: "wordpress",
        vulnerabilities: vec![Vulnerability {
            id: "EXAMPLE-2026-0001",
            pkg_name: "wordpress",
            installed_version: resource.data,
            fixed_version: "6.4.2",
            title: "An example of a finding that a module adds",
            severity: "HIGH",
        }],
    }
}
