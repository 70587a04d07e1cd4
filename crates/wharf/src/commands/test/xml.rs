//! XML, as far as reports need it.

use std::fmt::Write;

/// An XML document in the making. Elements are closed in the order in which XML wants it.
pub(super) struct Xml {
    text: String,
    open: Vec<&'static str>,
}

impl Xml {
    /// An empty document.
    pub(super) fn new() -> Self {
        Self {
            text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
            open: Vec::new(),
        }
    }

    /// Opens an element that has others in it.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Closes the element that was opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// An element with a text in it.
    pub(super) fn text(&mut self, name: &'static str, attributes: &[(&str, &str)], text: &str) {
        self.start(name, attributes);
        self.text.push('>');
        escape(&mut self.text, text, Place::Text);
        let _ = writeln!(self.text, "</{name}>");
    }

    /// The document, with everything closed.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn start(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.indent();
        let _ = write!(self.text, "<{name}");
        for (name, value) in attributes {
            let _ = write!(self.text, " {name}=\"");
            escape(&mut self.text, value, Place::Attribute);
            self.text.push('"');
        }
    }

    fn indent(&mut self) {
        for _ in &self.open {
            self.text.push_str("  ");
        }
    }
}

/// Where a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Text,
    Attribute,
}

/// Writes a text so that a reader gets it back; characters that XML 1.0 cannot have become U+FFFD.
fn escape(out: &mut String, text: &str, place: Place) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // Needed in `]]>` only, and never wrong.
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Readers make other white space of these.
            '\r' => out.push_str("&#13;"),
            '\n' if place == Place::Attribute => out.push_str("&#10;"),
            '\t' if place == Place::Attribute => out.push_str("&#9;"),
            '\n' | '\t' => out.push(character),
            _ if is_allowed(character) => out.push(character),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// Whether XML 1.0 has a character ("Char" in its section 2.2), beside tab and line ends.
fn is_allowed(character: char) -> bool {
    matches!(character, ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn elements_are_nested_and_closed() {
        let mut xml = Xml::new();
        xml.open("a", &[("x", "1"), ("y", "<\"&'>\n")]);
        xml.open("b", &[]);
        xml.text("c", &[], "]]> & <d>");
        xml.close();
        xml.text("e", &[("z", "")], "");
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <a x="1" y="&lt;&quot;&amp;'&gt;&#10;">
              <b>
                <c>]]&gt; &amp; &lt;d&gt;</c>
              </b>
              <e z=""></e>
            </a>
        "#]]
        .assert_eq(&xml.finish());
    }

    #[test]
    fn a_reader_gets_back_what_was_written() {
        let all: String = ('\u{1}'..='\u{2fff}')
            .chain([
                '\u{d7ff}',
                '\u{e000}',
                '\u{fffd}',
                '\u{fffe}',
                '\u{ffff}',
                '\u{10ffff}',
            ])
            .collect();
        let expected: String = all
            .chars()
            .map(|character| match character {
                '\t' | '\n' | '\r' => character,
                '\u{1}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
                _ => character,
            })
            .collect();
        let mut xml = Xml::new();
        xml.text("a", &[("b", &all)], &all);
        let text = xml.finish();
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.text(), Some(expected.as_str()));
        assert_eq!(root.attribute("b"), Some(expected.as_str()));
    }
}
