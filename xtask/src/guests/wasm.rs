//! What is done to a module after its compiler.

use wasmparser::{BinaryReaderError, Parser, Payload, Validator};

/// The module without its `.debug_…` sections. They are most of an unstripped module and full of the paths of the
/// machine that built it. The names of functions are in another section, which stays: a backtrace needs them.
/// A module that is not valid is an error.
pub(super) fn without_debug_sections(module: &[u8]) -> Result<Vec<u8>, BinaryReaderError> {
    Validator::new().validate_all(module)?;
    let mut kept = Vec::with_capacity(module.len());
    // A section is its id, its size and its content. The parser gives the content's range; what lies between the
    // end of the last section and that is this one's head.
    let mut end_of_last = 0;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        if let Payload::Version { range, .. } = &payload {
            kept.extend_from_slice(&module[range.clone()]);
            end_of_last = range.end;
        }
        let Some((_, range)) = payload.as_section() else {
            continue;
        };
        let is_debug =
            matches!(&payload, Payload::CustomSection(section) if section.name().starts_with(".debug_"));
        if !is_debug {
            kept.extend_from_slice(&module[end_of_last..range.end]);
        }
        end_of_last = range.end;
    }
    Ok(kept)
}

/// The module with a custom section at its end.
pub(super) fn with_custom_section(mut module: Vec<u8>, name: &str, content: &[u8]) -> Vec<u8> {
    let name_size = leb128(name.len());
    module.push(0);
    module.extend(leb128(name_size.len() + name.len() + content.len()));
    module.extend(name_size);
    module.extend_from_slice(name.as_bytes());
    module.extend_from_slice(content);
    module
}

/// A size as the binary format has it: seven bits a byte, the lowest first.
fn leb128(mut size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (size & 0x7f) as u8;
        size >>= 7;
        if size == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_sections_go_and_all_else_stays() {
        let with = wat::parse_str(
            r#"(module $m (@custom ".debug_info" (after func) "abc") (func $f) (@custom "other" "x") (@custom ".debug_str" "y"))"#,
        );
        let without = wat::parse_str(r#"(module $m (func $f) (@custom "other" "x"))"#);
        assert_eq!(without_debug_sections(&with.unwrap()).unwrap(), without.unwrap());
    }

    #[test]
    fn a_module_that_is_cut_off_is_an_error() {
        let module = wat::parse_str("(module (func))").unwrap();
        without_debug_sections(&module[..module.len() - 1]).unwrap_err();
    }

    #[test]
    fn a_custom_section_is_added_as_the_text_format_adds_it() {
        for content in ["", "abc", &"x".repeat(20_000)] {
            let without = wat::parse_str("(module (func))").unwrap();
            let with =
                wat::parse_str(format!(r#"(module (func) (@custom "some.name" "{content}"))"#)).unwrap();
            assert_eq!(
                with_custom_section(without, "some.name", content.as_bytes()),
                with
            );
        }
    }
}
