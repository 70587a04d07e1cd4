//! The lines that filters wrote, taken out of either proxy's log.

use std::collections::BTreeMap;

use serde_json::Value;

/// Lines such as `info hello`, by [`Case::log_name`](crate::case::Case::log_name).
pub(crate) type GuestLog = BTreeMap<String, Vec<String>>;

/// Reads Envoy's lines: `[time][thread][level][wasm] [place] wasm log PLUGIN ROOT_ID VM_ID: message`, without the plugin where a
/// root context speaks; `names` has the log names of the plugins.
pub(crate) fn envoy(text: &str, names: &BTreeMap<String, String>) -> GuestLog {
    let mut log = GuestLog::new();
    for line in text.lines() {
        let Some((head, rest)) = line.split_once("] wasm log ") else {
            continue;
        };
        let Some((source, message)) = rest.split_once(": ") else {
            continue;
        };
        let level = head.split('[').nth(3).unwrap_or_default();
        let level = match level.trim_end_matches(']') {
            "warning" => "warn",
            "critical" => "error",
            level => level,
        };
        let plugin = source.split(' ').next().unwrap_or_default();
        let name = names.get(plugin).map_or(source, String::as_str);
        log.entry(name.to_owned())
            .or_default()
            .push(format!("{level} {message}"));
    }
    log
}

/// Reads Wharf's lines, which are JSON and name the plugin; `names` has the log names of the plugins.
pub(crate) fn wharf(text: &str, names: &BTreeMap<String, String>) -> GuestLog {
    let mut log = GuestLog::new();
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if line["target"] != "wharf::plugin" {
            continue;
        }
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let Some(name) = names.get(text("plugin")) else {
            continue;
        };
        let entry = format!("{} {}", text("level").to_lowercase(), text("message"));
        log.entry(name.clone()).or_default().push(entry);
    }
    log
}

/// What was written while the filters started: each line once, because a proxy may start a filter more than once to try it.
pub(crate) fn once_each(lines: &[String]) -> Vec<String> {
    let mut once: Vec<String> = Vec::new();
    for line in lines {
        if !once.contains(line) {
            once.push(line.clone());
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_logs_give_the_same_lines() {
        let of_envoy = "[2026-01-02 03:04:05.678][12][info][main] [source/x.cc:1] starting\n\
            [2026-01-02 03:04:05.678][12][warning][wasm] [source/context.cc:1170] wasm log root vm: b: c\n";
        let of_wharf = "{\"level\":\"INFO\",\"message\":\"x\",\"target\":\"wharf::plugins\"}\n\
            {\"level\":\"WARN\",\"message\":\"b: c\",\"plugin\":\"a.0\",\"target\":\"wharf::plugin\"}\n";
        let expected = GuestLog::from([("root vm".to_owned(), vec!["warn b: c".to_owned()])]);
        let names = BTreeMap::from([("a.0".to_owned(), "root vm".to_owned())]);
        assert_eq!(
            (envoy(of_envoy, &names), wharf(of_wharf, &names)),
            (expected.clone(), expected)
        );
    }
}
