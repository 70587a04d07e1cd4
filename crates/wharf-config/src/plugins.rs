//! `plugins`: what is run, from where, and what it may cost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wharf_plugin::{ByteSize, Limits, OnFault, PluginName, PluginSpec, Reference};

use crate::decode::{Context, Fields, Item};
use crate::diagnostic::{Complaint, quoted};
use crate::registries::{PULL_POLICY, decode_pull_policy};
use crate::table::{Field, Kind, Presence, Section, TEXT, TextRule, milliseconds, seconds};

/// One plugin.
pub(crate) static PLUGIN: Section = Section {
    id: "plugin",
    doc: "A WebAssembly plugin. Its name is made of `a-z`, `0-9` and, after the first, `-`, `_` and `.`, at most 63 \
          characters; logs and metrics carry it.",
    fields: &[
        Field {
            key: "source",
            kind: Kind::Text(TextRule {
                what: "a source such as `file:plugins/greet.wasm` or `oci:registry.example/greet:1.2`",
                pattern: "^(file:.+\\.(wasm|wat)|https://.+|(oci|registry):.+)$",
                example: "file:plugins/greet.wasm",
            }),
            presence: Presence::Required,
            doc: "Where the module is: `file:` and a path, relative to the directory of the configuration file, of a \
                  `.wasm` or `.wat` file; `oci:` and the name of an image in a registry, with a tag or a digest; `https:` \
                  and the rest of a URL, with `#sha256:` and the digest of its bytes behind it, unless the lock file has it.",
        },
        Field {
            key: "pullPolicy",
            kind: PULL_POLICY,
            presence: Presence::Absent("that of `registries.pullPolicy`"),
            doc: "When the registry is asked for this plugin.",
        },
        Field {
            key: "limits",
            kind: Kind::Section(&LIMITS),
            presence: Presence::Absent("the defaults of each limit"),
            doc: "What the plugin may cost.",
        },
        Field {
            key: "onFault",
            kind: Kind::Choice(&["closed", "open"]),
            presence: Presence::Default("closed"),
            doc: "What happens to a request when the plugin fails: `closed` refuses it with 503, `open` goes on without \
                  this filter.",
        },
        Field {
            key: "env",
            kind: Kind::Map {
                key: "variable",
                value: &Kind::TextOrNumber,
            },
            presence: Presence::Absent("no variables"),
            doc: "The environment variables that the plugin sees. It sees none of the host's.",
        },
        Field {
            key: "rootId",
            kind: TEXT,
            presence: Presence::Default(""),
            doc: "Which root context of the module is meant, for modules with several.",
        },
        Field {
            key: "vmId",
            kind: TEXT,
            presence: Presence::Default(""),
            doc: "Plugins with the same `vmId`, `vmConfig`, `env` and module share a VM in each worker. Plugins with the \
                  same `vmId` share their shared data and can find each other's queues.",
        },
        Field {
            key: "vmConfig",
            kind: Kind::Payload,
            presence: Presence::Absent("empty"),
            doc: "What the VM is given when it starts: text as it is, anything else as JSON text with the keys in the \
                  order of the file.",
        },
        Field {
            key: "allow",
            kind: Kind::Section(&ALLOW),
            presence: Presence::Absent("nothing"),
            doc: "What the plugin may reach.",
        },
        Field {
            key: "allowOnHeadersStopIteration",
            kind: Kind::Bool,
            presence: Presence::Default("false"),
            doc: "Whether a filter that pauses in a headers callback still gets the body callbacks, so that it can hold \
                  headers until it has seen the body. Otherwise such a pause stops everything in that direction, as it \
                  does in Envoy by default.",
        },
        Field {
            key: "required",
            kind: Kind::Bool,
            presence: Presence::Default("true"),
            doc: "Whether `/readyz` says ready only while this plugin is healthy.",
        },
    ],
};

/// What a plugin may cost. The defaults are those of [`Limits`].
pub(crate) static LIMITS: Section = Section {
    id: "limits",
    doc: "What a plugin may cost. A guest that reaches a limit gets a fault, and nobody else notices.",
    fields: &[
        Field {
            key: "memory",
            kind: Kind::Size {
                min: ByteSize::from_kib(64),
                max: ByteSize::from_gib(4),
            },
            presence: Presence::Default("64MiB"),
            doc: "The linear memory of one instance.",
        },
        Field {
            key: "tableElements",
            kind: Kind::Integer {
                min: 0,
                max: 10_000_000,
            },
            presence: Presence::Default("100000"),
            doc: "The elements of all tables of one instance.",
        },
        Field {
            key: "instances",
            kind: Kind::Integer { min: 1, max: 100_000 },
            presence: Presence::Default("1000"),
            doc: "The instances that may live at the same time in the whole process.",
        },
        Field {
            key: "deadline",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            presence: Presence::Default("50ms"),
            doc: "The time that one callback of the guest may take.",
        },
        Field {
            key: "startupDeadline",
            kind: Kind::Duration {
                min: milliseconds(1),
                max: seconds(3600),
            },
            presence: Presence::Default("5s"),
            doc: "The time that each step of starting may take: the start function, the start of the VM, the \
                  configuration.",
        },
        Field {
            key: "stack",
            kind: Kind::Size {
                min: ByteSize::from_kib(16),
                max: ByteSize::from_mib(1),
            },
            presence: Presence::Default("512KiB"),
            doc: "The guest's call stack.",
        },
    ],
};

/// What a plugin may reach.
pub(crate) static ALLOW: Section = Section {
    id: "allow",
    doc: "What a plugin may reach; nothing that is not named here.",
    fields: &[Field {
        key: "upstreams",
        kind: Kind::List { item: &TEXT, min: 0 },
        presence: Presence::Absent("none"),
        doc: "The upstreams that it may call out to, by their names under `proxy.upstreams`.",
    }],
};

/// All plugins that can be read; what is wrong with the others is reported.
pub(crate) fn decode_plugins(
    cx: &mut Context<'_>,
    root: &Fields<'_>,
) -> BTreeMap<PluginName, Arc<PluginSpec>> {
    let mut plugins = BTreeMap::new();
    for (entry, item) in root.map(cx, "plugins").unwrap_or_default() {
        let name = PluginName::new(&entry.key);
        if let Err(error) = &name {
            let lower = entry.key.to_lowercase();
            let hint = match PluginName::new(&lower) {
                Ok(name) => format!("write `{name}`"),
                Err(error) => error.hint().to_owned(),
            };
            cx.error(
                Complaint::new(entry.key_span.clone(), format!("{}: {error}", quoted(&entry.key))).hint(hint),
            );
        }
        let spec = decode_plugin(cx, &item, name.ok());
        plugins.extend(spec.map(|spec| (spec.name.clone(), Arc::new(spec))));
    }
    plugins
}

fn decode_plugin(cx: &mut Context<'_>, item: &Item<'_>, name: Option<PluginName>) -> Option<PluginSpec> {
    let fields = Fields::open(cx, item, &PLUGIN)?;
    let source = decode_source(cx, &fields);
    let pull_policy = decode_pull_policy(cx, &fields);
    let limits = decode_limits(cx, &fields);
    let on_fault = fields.choice(cx, "onFault");
    let env = decode_env(cx, &fields);
    let root_id = fields.text(cx, "rootId");
    let vm_id = fields.text(cx, "vmId");
    let vm_config = fields.payload(cx, "vmConfig");
    let allowed_upstreams = decode_allowed_upstreams(cx, &fields);
    let allow_on_headers_stop_iteration = fields.bool(cx, "allowOnHeadersStopIteration");
    let required = fields.bool(cx, "required");
    Some(PluginSpec {
        name: name?,
        source: source?,
        pull_policy,
        root_id: root_id?,
        vm_id: vm_id?,
        vm_config: vm_config?,
        env: env?,
        limits: limits?,
        on_fault: if on_fault? == "open" {
            OnFault::Open
        } else {
            OnFault::Closed
        },
        allowed_upstreams,
        allow_on_headers_stop_iteration: allow_on_headers_stop_iteration?,
        required: required?,
    })
}

fn decode_source(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<Reference> {
    let item = fields.item("source")?;
    let text = item.text(cx, fields.kind("source"))?;
    let complaint = match text.parse::<Reference>() {
        Ok(Reference::File(path)) => {
            let path = cx.resolve(path);
            match cx.check_file(&path) {
                Ok(()) => return Some(Reference::File(path)),
                Err(reason) => Complaint::new(
                    item.span(),
                    format!("the module {} {reason}", quoted(&path.to_string_lossy())),
                )
                .hint("the path is relative to the directory of the configuration file"),
            }
        }
        Ok(reference) => match flaw_of(&reference) {
            None => return Some(reference),
            Some((message, hint)) => {
                Complaint::new(item.span(), format!("{}: {message}", quoted(text))).hint(hint)
            }
        },
        Err(error) => Complaint::new(item.span(), error.to_string()).hint(error.hint()),
    };
    cx.error(complaint);
    None
}

/// What is wrong with a reference that only those see who fetch it, and what to do.
fn flaw_of(reference: &Reference) -> Option<(String, String)> {
    if let Some(Err(error)) = reference.as_image() {
        let hint = "write for example `oci:registry.example/plugins/greet:1.2`".to_owned();
        return Some((error.to_string(), hint));
    }
    if let Some(Err(error)) = reference.as_https() {
        let hint = "a digest is `#sha256:` and 64 hexadecimal digits".to_owned();
        return Some((error.to_string(), hint));
    }
    None
}

fn decode_limits(cx: &mut Context<'_>, plugin: &Fields<'_>) -> Option<Limits> {
    let fields = plugin.section(cx, "limits")?;
    let memory = fields.size(cx, "memory");
    let table_elements = fields.integer(cx, "tableElements");
    let instances = fields.integer(cx, "instances");
    let deadline = fields.duration(cx, "deadline");
    let startup_deadline = fields.duration(cx, "startupDeadline");
    let stack = fields.size(cx, "stack");
    Some(Limits {
        memory: memory?,
        table_elements: u32::try_from(table_elements?).ok()?,
        instances: u32::try_from(instances?).ok()?,
        deadline: deadline?,
        startup_deadline: startup_deadline?,
        stack: stack?,
    })
}

pub(crate) fn decode_env(cx: &mut Context<'_>, fields: &Fields<'_>) -> Option<BTreeMap<String, String>> {
    let mut env = BTreeMap::new();
    for (entry, item) in fields.map(cx, "env")? {
        if entry.key.is_empty() || entry.key.contains(['=', '\0']) {
            let message = format!(
                "{} cannot be the name of an environment variable",
                quoted(&entry.key)
            );
            cx.error(
                Complaint::new(entry.key_span.clone(), message)
                    .hint("a name is not empty and has no `=` and no NUL"),
            );
            continue;
        }
        let Some(value) = item.text(cx, &Kind::TextOrNumber) else {
            continue;
        };
        if value.contains('\0') {
            let complaint = Complaint::new(
                item.span(),
                "the value of an environment variable cannot contain a NUL",
            );
            cx.error(complaint.hint("encode it, for example as base64"));
        }
        env.insert(entry.key.clone(), value.to_owned());
    }
    Some(env)
}

fn decode_allowed_upstreams(cx: &mut Context<'_>, plugin: &Fields<'_>) -> BTreeSet<String> {
    let fields = plugin.section(cx, "allow");
    let items = fields
        .and_then(|fields| fields.list(cx, "upstreams"))
        .unwrap_or_default();
    let mut allowed = BTreeSet::new();
    for item in items {
        let Some(name) = item.text(cx, &TEXT) else {
            continue;
        };
        match cx
            .upstreams
            .refer(name, "upstream", "proxy.upstreams", item.span())
        {
            Ok(()) => {
                allowed.insert(name.to_owned());
            }
            Err(complaint) => cx.error(complaint),
        }
    }
    allowed
}
