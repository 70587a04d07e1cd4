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
}
