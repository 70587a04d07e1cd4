//! `scan`: what `wharf scan` looks at, with which modules, and what it says.

use std::path::PathBuf;
use std::time::Duration;

use wharf_plugin::{ByteSize, Limits, PluginName, PullPolicy, Reference};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::registries::decode_path;
use crate::table::{Field, Kind, PATH, Presence, Section, TEXT, seconds};

/// The scanner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanConfig {
    /// The modules, in the order of the file.
    pub modules: Vec<ScanModuleConfig>,
    /// A directory whose `.wasm` files are modules, beside `modules`.
    pub module_directory: Option<PathBuf>,
    /// The names of the modules that are wanted, as they say them. None for all.
    pub enable_modules: Option<Vec<String>>,
    /// Directories that are not looked into, as glob patterns.
    pub skip_directories: Vec<String>,
    /// Files that are not looked at, as glob patterns.
    pub skip_files: Vec<String>,
    /// How the report is written, such as `json`. None for `table`.
    pub format: Option<&'static str>,
    /// The template for the format `template`: its text, or `@` and a file or a built-in name.
    pub template: Option<String>,
    /// The file that the report is written to. None for standard output.
    pub output: Option<PathBuf>,
    /// The severities that are reported, in upper case. None for all.
    pub severities: Option<Vec<&'static str>>,
    /// Whether vulnerabilities without a fix are left out. Default: no.
    pub ignore_unfixed: bool,
    /// The file that names findings to be left out. None for `.trivyignore`, where there is one.
    pub ignore_file: Option<PathBuf>,
    /// VEX documents.
    pub vex: Vec<PathBuf>,
    /// Whether findings that were left out are told of. Default: no.
    pub show_suppressed: bool,
    /// The exit code where there are findings. Default: 0.
    pub exit_code: u8,
    /// What bounds the scan.
    pub limits: ScanLimitsConfig,
    /// Where findings are kept between scans, and how many of them.
    pub cache: ScanCacheConfig,
}

/// A module as a scan runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanModuleConfig {
    /// The plugin.
    pub plugin: PluginName,
    /// Where its bytes are.
    pub source: Reference,
    /// When a registry is asked for them; none for what is said of all plugins.
    pub pull_policy: Option<PullPolicy>,
    /// What an instance may use: the plugin's limits where it has them, and otherwise those of scans.
    pub limits: Limits,
    /// How long an instance lives.
    pub state: ModuleState,
    /// What the module takes for the time: the real one, and otherwise a fixed one. Default: fixed.
    pub real_clock: bool,
    /// What a fault of it does to the scan.
    pub on_fault: ModuleFault,
}

/// How long an instance of a module lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModuleState {
    /// For many calls, an instance for each worker.
    #[default]
    Pooled,
    /// For all calls, one after the other.
    Shared,
    /// For one call.
    Fresh,
}

/// What a module's fault does to the scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModuleFault {
    /// It ends the scan.
    Fail,
    /// The report has a warning, and the scan ends with exit code 2.
    #[default]
    Warn,
    /// Only the log has a line.
    Skip,
}

/// What bounds a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanLimitsConfig {
    /// The largest file that a module is given. Default: 64MiB.
    pub file_size: ByteSize,
    /// The most files of a directory or of a layer. Default: 10 000 000.
    pub files: u64,
    /// The most bytes of an image, unpacked. Default: 64GiB.
    pub image_size: ByteSize,
    /// How many files are looked at at the same time. None for as many as there are cores.
    pub workers: Option<u32>,
}

/// Where findings are kept between scans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCacheConfig {
    /// Whether they are kept. Default: yes.
    pub enabled: bool,
    /// What they may take before those go that were not used for longest. Default: 1GiB.
    pub size: ByteSize,
}

impl Default for ScanLimitsConfig {
    fn default() -> Self {
        Self {
            file_size: ByteSize::from_mib(64),
            files: 10_000_000,
            image_size: ByteSize::from_gib(64),
            workers: None,
        }
    }
}

impl Default for ScanCacheConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            size: ByteSize::from_gib(1),
        }
    }
}

/// The formats of reports, as `format` and `--format` name them.
pub const REPORT_FORMATS: &[&str] = &[
    "table",
    "json",
    "sarif",
    "cyclonedx",
    "spdx-json",
    "junit",
    "template",
];

/// The severities of findings, the worst last.
pub const SEVERITIES: &[&str] = &["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"];

/// The memory of a module's instance in scans, where the plugin has no limit of its own.
pub const SCAN_MEMORY: ByteSize = ByteSize::from_mib(256);

/// The time for a call of a module in scans, where the plugin has no limit of its own.
pub const SCAN_DEADLINE: Duration = seconds(10);

const TEXTS: Kind = Kind::List { item: &TEXT, min: 0 };
const PATHS: Kind = Kind::List { item: &PATH, min: 0 };
const PLUGIN_OR_MODULE: &[Kind] = &[TEXT, Kind::Section(&MODULE)];

/// The scanner.
pub(crate) static SCAN: Section = Section {
    id: "scan",
    doc: "What `wharf scan` looks at, with which of Trivy's modules, and what it says. Flags count before these keys.",
    fields: &[
        Field {
            key: "modules",
            kind: Kind::List {
                item: &Kind::Either(PLUGIN_OR_MODULE),
                min: 0,
            },
            presence: Presence::Absent("none"),
            doc: "The modules: names of `plugins`, or mappings that say how each is run.",
        },
        Field {
            key: "moduleDir",
            kind: PATH,
            presence: Presence::Absent("none"),
            doc: "A directory; the `.wasm` files below it are modules beside those of `modules`, with the defaults of each \
                  key.",
        },
        Field {
            key: "enableModules",
            kind: TEXTS,
            presence: Presence::Absent("all"),
            doc: "The names of the modules that are wanted, as the modules themselves say them.",
        },
        Field {
            key: "skipDirs",
            kind: TEXTS,
            presence: Presence::Absent("none"),
            doc: "Directories that are not looked into: glob patterns on the path from the target on, where `*` stays \
                  within a name and `**` does not. `.git` is never looked into, nor are `proc`, `sys` and `dev` at the top \
                  of a directory.",
        },
        Field {
            key: "skipFiles",
            kind: TEXTS,
            presence: Presence::Absent("none"),
            doc: "Files that are not looked at, as patterns of the same kind.",
        },
        Field {
            key: "format",
            kind: Kind::Choice(REPORT_FORMATS),
            presence: Presence::Default("table"),
            doc: "How the report is written.",
        },
        Field {
            key: "template",
            kind: TEXT,
            presence: Presence::Absent("none"),
            doc: "The template for `format: template`: `@` and the path of a file or the name of a template that is built \
                  in, or the text itself.",
        },
        Field {
            key: "output",
            kind: PATH,
            presence: Presence::Absent("standard output"),
            doc: "The file that the report is written to. It is replaced as a whole, once the report is complete.",
        },
        Field {
            key: "severity",
            kind: Kind::List {
                item: &Kind::Choice(SEVERITIES),
                min: 1,
            },
            presence: Presence::Absent("all"),
            doc: "The severities of the findings that are reported.",
        },
        Field {
            key: "ignoreUnfixed",
            kind: Kind::Bool,
            presence: Presence::Default("false"),
            doc: "Whether vulnerabilities that have no fix are left out.",
        },
        Field {
            key: "ignoreFile",
            kind: PATH,
            presence: Presence::Absent("`.trivyignore` of the working directory, where there is one"),
            doc: "The file that names findings to be left out: `.trivyignore`, or YAML where its name ends in `.yaml` or \
                  `.yml`.",
        },
        Field {
            key: "vex",
            kind: PATHS,
            presence: Presence::Absent("none"),
            doc: "VEX documents, which say which vulnerabilities do not affect what.",
        },
        Field {
            key: "showSuppressed",
            kind: Kind::Bool,
            presence: Presence::Default("false"),
            doc: "Whether the report tells of findings that were left out, and why.",
        },
        Field {
            key: "exitCode",
            kind: Kind::Integer { min: 0, max: 255 },
            presence: Presence::Default("0"),
            doc: "The exit code where findings are left: vulnerabilities, misconfigurations, secrets or licenses.",
        },
        Field {
            key: "limits",
            kind: Kind::Section(&LIMITS),
            presence: Presence::Absent("the defaults of each limit"),
            doc: "What bounds the scan.",
        },
        Field {
            key: "cache",
            kind: Kind::Section(&CACHE),
            presence: Presence::Absent("the defaults"),
            doc: "What modules found is kept between scans, for files and layers that have not changed. It is beside the \
                  compiled modules, in `scan` of the cache's directory, for the user alone.",
        },
    ],
};

static MODULE: Section = Section {
    id: "scanModule",
    doc: "How a module is run. Of its plugin's `limits` those count that are written; otherwise scans have their own: \
          256MiB of memory, 10s for a call, 10s to start.",
    fields: &[
        Field {
            key: "plugin",
            kind: TEXT,
            presence: Presence::Required,
            doc: "The name of the plugin.",
        },
        Field {
            key: "state",
            kind: Kind::Choice(&["pooled", "shared", "fresh"]),
            presence: Presence::Default("pooled"),
            doc: "How long an instance lives: `pooled` has one for each worker, which sees many files; `shared` has one that \
                  sees all files, one after the other, for modules that keep something between files; `fresh` has one for \
                  each file.",
        },
        Field {
            key: "clock",
            kind: Kind::Choice(&["fixed", "real"]),
            presence: Presence::Default("fixed"),
            doc: "What the module takes for the time: 2022-01-01T00:00:00Z at the beginning of each call, so that the same \
                  file gives the same findings, or the real time.",
        },
        Field {
            key: "onFault",
            kind: Kind::Choice(&["fail", "warn", "skip"]),
            presence: Presence::Default("warn"),
            doc: "What a fault of the module does: `fail` ends the scan; `warn` has a warning in the report, and the scan \
                  ends with exit code 2; `skip` has a line in the log.",
        },
    ],
};

static LIMITS: Section = Section {
    id: "scanLimits",
    doc: "What bounds a scan. What is beyond a limit is not looked at, and the report has a warning.",
    fields: &[
        Field {
            key: "fileSize",
            kind: Kind::Size {
                min: ByteSize::from_kib(1),
                max: ByteSize::from_gib(2),
            },
            presence: Presence::Default("64MiB"),
            doc: "The largest file that a module is given.",
        },
        Field {
            key: "files",
            kind: Kind::Integer {
                min: 1,
                max: 1_000_000_000,
            },
            presence: Presence::Default("10000000"),
            doc: "The most files of a directory, or entries of a layer.",
        },
        Field {
            key: "imageSize",
            kind: Kind::Size {
                min: ByteSize::from_mib(1),
                max: ByteSize::from_gib(1024),
            },
            presence: Presence::Default("64GiB"),
            doc: "The most bytes of an image, unpacked.",
        },
        Field {
            key: "workers",
            kind: Kind::Integer { min: 1, max: 1024 },
            presence: Presence::Absent("as many as there are cores"),
            doc: "How many files are looked at at the same time.",
        },
    ],
};

static CACHE: Section = Section {
    id: "scanCache",
    doc: "What is kept between scans.",
    fields: &[
        Field {
            key: "enabled",
            kind: Kind::Bool,
            presence: Presence::Default("true"),
            doc: "Whether anything is kept. What modules with `state: shared` or `clock: real` find never is.",
        },
        Field {
            key: "size",
            kind: Kind::Size {
                min: ByteSize::from_mib(1),
                max: ByteSize::from_gib(1024),
            },
            presence: Presence::Default("1GiB"),
            doc: "What it may take before the findings go that were not used for longest.",
        },
    ],
};

/// The scanner, if there is one and it can be read.
pub(crate) fn decode_scan(cx: &mut Context<'_>, root: &Fields<'_>, plugins: &Plugins) -> Option<ScanConfig> {
    let fields = Fields::open(cx, root.item("scan")?, &SCAN)?;
    let modules = decode_modules(cx, &fields, root, plugins);
    let module_directory = decode_optional_path(cx, &fields, "moduleDir");
    let enable_modules = fields
        .item("enableModules")
        .map(|_| texts(cx, &fields, "enableModules"));
    let skip_directories = texts(cx, &fields, "skipDirs");
    let skip_files = texts(cx, &fields, "skipFiles");
    let format = fields.choice(cx, "format");
    let template = fields.text(cx, "template");
    let output = decode_optional_path(cx, &fields, "output");
    let severities = decode_severities(cx, &fields);
    let ignore_unfixed = fields.bool(cx, "ignoreUnfixed");
    let ignore_file = decode_optional_path(cx, &fields, "ignoreFile");
    let vex = fields.list(cx, "vex").unwrap_or_default();
    let vex = vex.iter().filter_map(|item| decode_path(cx, item)).collect();
    let show_suppressed = fields.bool(cx, "showSuppressed");
    let exit_code = fields.integer(cx, "exitCode");
    let limits = decode_limits(cx, &fields);
    let cache = decode_cache(cx, &fields);
    needs_template(cx, &fields);
    Some(ScanConfig {
        modules,
        module_directory,
        enable_modules,
        skip_directories,
        skip_files,
        format,
        template,
        output,
        severities,
        ignore_unfixed: ignore_unfixed?,
        ignore_file,
        vex,
        show_suppressed: show_suppressed?,
        exit_code: u8::try_from(exit_code?).ok()?,
        limits: limits?,
        cache: cache?,
    })
}

/// The plugins that the modules are among.
pub(crate) type Plugins = std::collections::BTreeMap<PluginName, std::sync::Arc<wharf_plugin::PluginSpec>>;

fn decode_modules(
    cx: &mut Context<'_>,
    fields: &Fields<'_>,
    root: &Fields<'_>,
    plugins: &Plugins,
) -> Vec<ScanModuleConfig> {
    let items = fields.list(cx, "modules").unwrap_or_default();
    items
        .iter()
        .filter_map(|item| decode_module(cx, item, root, plugins))
        .collect()
}

fn decode_module(
    cx: &mut Context<'_>,
    item: &Item<'_>,
    root: &Fields<'_>,
    plugins: &Plugins,
) -> Option<ScanModuleConfig> {
    let fields = match item.is_mapping() {
        true => Fields::open(cx, item, &MODULE)?,
        false => Fields::absent(&MODULE),
    };
    let named = fields.item("plugin").unwrap_or(item);
    let name = named.text(cx, &TEXT)?;
    let state = match fields.choice(cx, "state")? {
        "shared" => ModuleState::Shared,
        "fresh" => ModuleState::Fresh,
        _ => ModuleState::Pooled,
    };
    let real_clock = fields.choice(cx, "clock")? == "real";
    let on_fault = match fields.choice(cx, "onFault")? {
        "fail" => ModuleFault::Fail,
        "skip" => ModuleFault::Skip,
        _ => ModuleFault::Warn,
    };
    if let Err(complaint) = cx.plugins.refer(name, "plugin", "plugins", named.span()) {
        cx.error(complaint);
        return None;
    }
    // A plugin that is defined and not here is wrong, which was said.
    let spec = plugins.iter().find(|(known, _)| known.as_str() == name)?.1;
    let written = root
        .item("plugins")
        .and_then(|plugins| plugins.peek(name))
        .and_then(|plugin| plugin.peek("limits"))
        .map(|limits| limits.keys())
        .unwrap_or_default();
    let mut limits = spec.limits.clone();
    if !written.contains("memory") {
        limits.memory = SCAN_MEMORY;
    }
    if !written.contains("deadline") {
        limits.deadline = SCAN_DEADLINE;
    }
    if !written.contains("startupDeadline") {
        limits.startup_deadline = SCAN_DEADLINE;
    }
    Some(ScanModuleConfig {
        plugin: spec.name.clone(),
        source: spec.source.clone(),
        pull_policy: spec.pull_policy,
        limits,
        state,
        real_clock,
        on_fault,
    })
}

fn decode_optional_path(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Option<PathBuf> {
    decode_path(cx, fields.item(key)?)
}

fn texts(cx: &mut Context<'_>, fields: &Fields<'_>, key: &str) -> Vec<String> {
    let items = fields.list(cx, key).unwrap_or_default();
    items
        .iter()
        .filter_map(|item| item.text(cx, &TEXT))
        .map(str::to_owned)
        .collect()
}

fn decode_severities(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Vec<&'static str>> {
    fields.item("severity")?;
    let items = fields.list(cx, "severity")?;
    Some(
        items
            .iter()
            .filter_map(|item| item.choice(cx, SEVERITIES))
            .collect(),
    )
}

fn decode_limits(cx: &mut Context<'_>, scan: &Fields<'_>) -> Option<ScanLimitsConfig> {
    let fields = scan.section(cx, "limits")?;
    let file_size = fields.size(cx, "fileSize");
    let files = fields.integer(cx, "files");
    let image_size = fields.size(cx, "imageSize");
    let workers = fields.item("workers").map(|_| fields.integer(cx, "workers"));
    Some(ScanLimitsConfig {
        file_size: file_size?,
        files: u64::try_from(files?).ok()?,
        image_size: image_size?,
        workers: match workers {
            Some(workers) => Some(u32::try_from(workers?).ok()?),
            None => None,
        },
    })
}

fn decode_cache(cx: &mut Context<'_>, scan: &Fields<'_>) -> Option<ScanCacheConfig> {
    let fields = scan.section(cx, "cache")?;
    let enabled = fields.bool(cx, "enabled");
    let size = fields.size(cx, "size");
    Some(ScanCacheConfig {
        enabled: enabled?,
        size: size?,
    })
}

fn needs_template(cx: &mut Context<'_>, fields: &Fields<'_>) {
    let format = fields.item("format").and_then(Item::plain_text);
    let template = fields.item("template");
    match (format, template) {
        (Some("template"), None) => {
            let span = fields.item("format").map(Item::span).unwrap_or_default();
            let complaint = Complaint::new(span, "the format `template` needs a template");
            cx.error(complaint.hint("write `template: \"@FILE\"`"));
        }
        (other, Some(template)) if other != Some("template") => {
            let format = other.unwrap_or("table");
            let message = format!("the format {} does not use the template", quoted(format));
            let complaint = Complaint::new(template.at.clone(), message);
            cx.error(complaint.hint("write `format: template`, or remove it"));
        }
        _ => {}
    }
}
