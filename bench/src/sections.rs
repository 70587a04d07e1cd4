//! Custom sections, which make another module of one and change nothing that it does.

/// The module with a number in it that nobody reads: another module to whoever goes by its bytes.
pub(crate) fn numbered(module: Vec<u8>, number: usize) -> Vec<u8> {
    with_section(module, "number", number.to_string().as_bytes())
}

/// A custom section may stand at the end of any module.
pub(crate) fn with_section(mut module: Vec<u8>, name: &str, content: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    write_length(&mut head, name.len());
    head.extend_from_slice(name.as_bytes());
    module.push(0);
    write_length(&mut module, head.len() + content.len());
    module.extend_from_slice(&head);
    module.extend_from_slice(content);
    module
}

/// In LEB128.
fn write_length(bytes: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_leb128() {
        for (length, expected) in [(5, &[5][..]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])] {
            let mut bytes = Vec::new();
            write_length(&mut bytes, length);
            assert_eq!(bytes, expected, "{length}");
        }
    }

    #[test]
    fn a_section_has_its_length_its_name_and_its_content() {
        assert_eq!(with_section(vec![1], "ab", b"c"), b"\x01\0\x04\x02abc");
    }
}
