//! What is found in a module, for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};
use wharf_abi_proxy_wasm::Support;
use wharf_plugin::{Abi, Bounds, ByteSize};

use super::findings::{Inspection, Used};
use super::module::TrivyFindings;
use super::policy::PolicyFindings;
use crate::commands::single::shown;
use crate::provenance;

/// The bytes of a page of memory.
const PAGE: u64 = 64 << 10;

/// The report as text. Writing to a text cannot fail, so the results of `writeln!` are not looked at.
pub(super) fn text(inspection: &Inspection) -> String {
    let mut out = format!("{}\n", inspection.reference);
    overview(&mut out, inspection);
    problems(&mut out, inspection);
    if let Some(policy) = &inspection.policy {
        policy.tell(&mut out);
    }
    if let Some(trivy) = &inspection.trivy {
        trivy.tell(&mut out);
    }
    used(&mut out, "host functions used", &inspection.functions);
    used(&mut out, "WASI used", &inspection.wasi);
    used(&mut out, "other imports", &inspection.others);
    let callbacks: Vec<_> = inspection
        .callbacks
        .iter()
        .map(|(name, support)| line(Some(*support), name))
        .collect();
    list(&mut out, "callbacks exported", &callbacks);
    let exports: Vec<_> = inspection
        .other_exports()
        .map(|export| shown(&export.to_string()))
        .collect();
    list(&mut out, "other exports", &exports);
    let sections: Vec<_> = inspection
        .sections
        .sections
        .iter()
        .map(|section| {
            let custom = if section.custom { "  custom" } else { "" };
            format!("{:>9}  {}{custom}", section.bytes, shown(&section.name))
        })
        .collect();
    list(&mut out, "sections, in bytes", &sections);
    out
}

fn overview(out: &mut String, inspection: &Inspection) {
    let loads = match inspection.loads() {
        true => format!("yes, as {}", inspection.role()),
        false => "no".to_owned(),
    };
    let mut fact = |name: &str, value: &str| {
        let _ = writeln!(out, "  {name:<10} {value}");
    };
    fact("loads", &loads);
    let Some((digest, bytes)) = inspection.bytes else {
        return;
    };
    fact("digest", &digest.to_string());
    fact("size", &format!("{bytes} bytes"));
    for (name, value) in inspection.provenance.iter().flat_map(provenance::facts) {
        fact(name, &value);
    }
    for abi in &inspection.abis {
        fact("speaks", &format!("{abi}, the ABI of {}", hosts(*abi)));
    }
    if inspection.abis.is_empty() {
        fact("speaks", "no ABI that is known here");
    }
    if let Some(lacking) = inspection.policy.as_ref().and_then(PolicyFindings::lacking) {
        fact("metadata", lacking);
    }
    for producer in &inspection.sections.producers {
        let text = format!("{} {} {}", producer.field, producer.name, producer.version);
        fact("made with", shown(text.trim_end()).as_str());
    }
    for memory in &inspection.sections.memories {
        fact("memory", &memory_text(*memory, inspection));
    }
    for table in &inspection.sections.tables {
        let most = table
            .maximum
            .map_or("no maximum".to_owned(), |most| format!("at most {most}"));
        fact("table", &format!("{} elements, {most}", table.initial));
    }
    if inspection.sections.sections.is_empty() {
        return;
    }
    fact("functions", &inspection.sections.functions.to_string());
    let names = match (
        inspection.sections.has_names(),
        inspection.sections.has_debug_information(),
    ) {
        (true, true) => "names of functions and lines of sources: backtraces will have both",
        (true, false) => "names of functions: backtraces will have them",
        (false, true) => "lines of sources, but no names of functions",
        (false, false) => "none: backtraces will have numbers instead of names",
    };
    fact("names", names);
}

/// Whose ABI it is, for somebody who has a module and looks for its host.
fn hosts(abi: Abi) -> &'static str {
    match abi {
        Abi::ProxyWasm(_) => "Envoy, Istio and other proxies, and of Wharf",
        Abi::WaPc => "waPC hosts, such as policy-server",
        Abi::TrivyModule => "Trivy",
        Abi::OpaPolicy => "OPA",
        Abi::WasiCommand => "programs that any WASI runtime can run",
    }
}

fn memory_text(memory: Bounds, inspection: &Inspection) -> String {
    let size = |pages: u64| ByteSize::from_bytes(pages.saturating_mul(PAGE));
    let most = memory.maximum.map_or("no maximum of its own".to_owned(), |most| {
        format!("at most {}", size(most))
    });
    let limit = inspection.limits().memory;
    let whose = match (&inspection.policy, &inspection.trivy) {
        (Some(_), _) => "policy",
        (None, Some(_)) => "module",
        (None, None) => "plugin",
    };
    format!(
        "{} at the start, {most}; a {whose}'s limit is {limit} by default",
        size(memory.initial)
    )
}

fn problems(out: &mut String, inspection: &Inspection) {
    if inspection.loads() {
        return;
    }
    let _ = writeln!(out, "\nwhy it would not load as {}", inspection.role());
    for problem in &inspection.problems {
        let _ = writeln!(out, "  {}", shown(&problem.text));
    }
    // Several imports often have one cause, and one hint.
    let mut hints: Vec<_> = inspection
        .problems
        .iter()
        .filter_map(|problem| problem.hint.as_deref())
        .collect();
    hints.dedup();
    for hint in hints {
        let _ = writeln!(out, "  hint: {}", shown(hint));
    }
}

fn used(out: &mut String, title: &str, used: &[Used]) {
    let lines: Vec<_> = used
        .iter()
        .map(|used| {
            let import = &used.import;
            let name = format!("{}.{}", import.module, import.name);
            match used.support {
                None => line(None, &format!("{name} {}", import.signature)),
                known => line(known, &name),
            }
        })
        .collect();
    list(out, title, &lines);
}

pub(super) fn line(support: Option<Support>, name: &str) -> String {
    let reason = support
        .and_then(Support::reason)
        .map(|reason| format!(": {reason}"));
    let name = shown(name);
    format!("{:<9}  {name}{}", label(support), reason.unwrap_or_default())
}

fn label(support: Option<Support>) -> &'static str {
    support.map_or("unknown", Support::label)
}

pub(super) fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title} ({})", lines.len());
    for line in lines {
        let _ = writeln!(out, "  {line}");
    }
}

/// The report for programs.
pub(super) fn json(inspection: &Inspection) -> Value {
    let used = |list: &[Used]| -> Vec<Value> {
        list.iter()
            .map(|used| {
                json!({
                    "module": &*used.import.module,
                    "name": used.import.name,
                    "signature": &*used.import.signature,
                    "support": label(used.support),
                    "reason": used.support.and_then(Support::reason),
                })
            })
            .collect()
    };
    let bounds = |list: &[Bounds]| -> Vec<Value> {
        list.iter()
            .map(|bounds| json!({ "initial": bounds.initial, "maximum": bounds.maximum }))
            .collect()
    };
    let sections = &inspection.sections;
    json!({
        "source": inspection.reference.to_string(),
        "loads": inspection.loads(),
        "loadsAs": inspection.loads().then(|| inspection.role()),
        "policy": inspection.policy.as_ref().map(PolicyFindings::json),
        "trivy": inspection.trivy.as_ref().map(TrivyFindings::json),
        "problems": inspection.problems.iter()
            .map(|problem| json!({ "message": problem.text, "hint": problem.hint }))
            .collect::<Vec<_>>(),
        "digest": inspection.bytes.map(|(digest, _)| digest.to_string()),
        "bytes": inspection.bytes.map(|(_, bytes)| bytes),
        "provenance": inspection.provenance.as_ref().map(provenance::json),
        "abis": inspection.abis.iter()
            .map(|abi| json!({ "abi": abi.to_string(), "hosts": hosts(*abi) }))
            .collect::<Vec<_>>(),
        "proxyWasm": inspection.proxy_wasm().map(|version| version.to_string()),
        "producers": sections.producers.iter()
            .map(|producer| json!({
                "field": producer.field,
                "name": producer.name,
                "version": producer.version,
            }))
            .collect::<Vec<_>>(),
        "memoryPages": bounds(&sections.memories),
        "tableElements": bounds(&sections.tables),
        "functions": sections.functions,
        "names": sections.has_names(),
        "debugInformation": sections.has_debug_information(),
        "hostFunctions": used(&inspection.functions),
        "wasi": used(&inspection.wasi),
        "otherImports": used(&inspection.others),
        "callbacks": inspection.callbacks.iter()
            .map(|(name, support)| json!({
                "name": name,
                "support": support.label(),
                "reason": support.reason(),
            }))
            .collect::<Vec<_>>(),
        "exports": inspection.surface.exports.iter()
            .map(|export| json!({
                "name": export.name,
                "kind": export.kind.to_string(),
                "signature": &*export.signature,
            }))
            .collect::<Vec<_>>(),
        "sections": sections.sections.iter()
            .map(|section| json!({
                "name": section.name,
                "custom": section.custom,
                "bytes": section.bytes,
            }))
            .collect::<Vec<_>>(),
    })
}
