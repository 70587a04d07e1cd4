//! The commands of a project's README.

/// The sections whose commands are run, each of which has some.
const SECTIONS: [&str; 4] = ["Build", "Test", "Run by hand", "Serve"];

/// Commands that do not end by themselves, or need one that does not.
const NOT_RUN: [&str; 2] = ["wharf serve", "curl"];

/// The commands to run, in order; or the section that has none.
pub(super) fn commands(readme: &str) -> Result<Vec<String>, &'static str> {
    let mut all = Vec::new();
    for section in SECTIONS {
        let commands = commands_under(readme, section);
        if commands.is_empty() {
            return Err(section);
        }
        all.extend(commands);
    }
    Ok(all)
}

fn commands_under(readme: &str, section: &str) -> Vec<String> {
    readme
        .lines()
        .skip_while(|line| line.strip_prefix("## ") != Some(section))
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(|command| !NOT_RUN.iter().any(|not_run| command.starts_with(not_run)))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "\
# x\n$ not this\n## Build\n```console\n$ make x\n$ make y\n```\n## Test\n$ wharf test tests\n## Other\n$ nor this\n\
## Run by hand\n$ wharf run x.wasm\n## Serve\n$ wharf check wharf.yaml\n$ wharf serve wharf.yaml\n$ curl localhost\n";

    #[test]
    fn commands_are_found_in_their_sections() {
        let expected = [
            "make x",
            "make y",
            "wharf test tests",
            "wharf run x.wasm",
            "wharf check wharf.yaml",
        ];
        assert_eq!(commands(README).unwrap(), expected);
    }

    #[test]
    fn a_section_without_commands_is_said() {
        assert_eq!(commands(&README.replace("$ wharf test tests", "")), Err("Test"));
        assert_eq!(commands(&README.replace("## Serve", "## Server")), Err("Serve"));
    }
}
