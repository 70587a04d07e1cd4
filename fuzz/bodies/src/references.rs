//! What names plugins and images, and the patterns of rules about them.

use std::fmt::{Debug, Display};
use std::path::Path;
use std::str::FromStr;

use wharf_plugin::{ImageReference, ManifestName, PlainReference, Reference, ReferencePattern, RegistryHost};

/// Texts up to here are read: twice what may be a reference in a registry.
const LONGEST: usize = 2048;

/// Reads the text as each kind of name. What can be read is the same when it is written and read again, has one canonical form,
/// which names the same, and is matched by the pattern that says the same.
pub fn references(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if text.len() > LONGEST {
        return;
    }
    if let Some(image) = check_round_trip::<ImageReference>(text) {
        check_image(&image);
    }
    if let Some(reference) = check_round_trip::<Reference>(text) {
        check_reference(&reference);
    }
    check_round_trip::<ReferencePattern>(text);
    check_round_trip::<RegistryHost>(text);
    // A pattern and a reference, one a line.
    if let Some((pattern, reference)) = text.split_once('\n')
        && let (Ok(pattern), Ok(reference)) = (
            pattern.parse::<ReferencePattern>(),
            reference.parse::<Reference>(),
        )
        && let Ok(plain) = PlainReference::of(&reference)
    {
        check_match(&pattern, &reference, &plain);
    }
}

/// What can be read is the same when it is written and read again.
fn check_round_trip<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            let again = written.parse::<T>();
            assert!(
                again.is_ok_and(|again| again == value),
                "{text:?} is written {written:?}"
            );
            Some(value)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

fn check_image(image: &ImageReference) {
    let text = image.to_string();
    assert!(
        text.bytes().all(|byte| byte.is_ascii_graphic()),
        "it could split what it is written into: {text:?}"
    );
    match image.manifest() {
        ManifestName::Tag(tag) => {
            assert!(image.digest().is_none());
            assert_eq!(image.with_tag(tag).as_ref(), Some(image));
        }
        ManifestName::Digest(digest) => assert_eq!(image.with_digest(digest.clone()), *image),
    }
    assert_eq!(image.with_host(image.host().clone()), *image);
    // A path of a request has no way up.
    assert!(
        image
            .repository()
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'))
    );
}

fn check_reference(reference: &Reference) {
    let canonical = reference.canonical();
    let again: Reference = canonical.parse().expect("a canonical form is a reference");
    assert_eq!(again.canonical(), canonical);
    assert!(!matches!(reference.as_image(), Some(Err(_))));
    assert!(!matches!(reference.as_https(), Some(Err(_))));
    let (Ok(plain), again) = (PlainReference::of(reference), PlainReference::of(&again)) else {
        return;
    };
    assert_eq!(
        again.as_ref(),
        Ok(&plain),
        "the canonical form names something else"
    );
    let all: ReferencePattern = "**".parse().expect("it is a pattern");
    assert!(all.matches(&plain));
    // As a rule would name it: without what is not compared.
    let named = match reference {
        Reference::File(_) => canonical,
        Reference::Https(_) => canonical.split('?').next().unwrap_or_default().to_owned(),
        Reference::Oci(_) => match reference.as_image() {
            Some(Ok(image)) if image.digest().is_some() => format!("oci:{}", image.without_tag()),
            _ => canonical,
        },
    };
    // As both are in a configuration: a relative path is one from the configuration's directory.
    let placed = PlainReference::of(&reference.clone().relative_to(Path::new("/etc/wharf")));
    // No pattern is longer, and one that begins with a star is of any directory.
    if let Ok(placed) = placed
        && named.len() <= 1024
        && !named.starts_with("file:*")
    {
        let pattern: ReferencePattern = named.parse().expect("a reference is a pattern");
        let pattern = pattern.relative_to(Path::new("/etc/wharf"));
        assert!(pattern.matches(&placed), "{named:?} does not match itself");
    }
}

/// A pattern without stars matches nothing but what it names; one with stars is no narrower with more of them.
fn check_match(pattern: &ReferencePattern, reference: &Reference, plain: &PlainReference) {
    let text = pattern.as_str();
    // It matches everything, and is no text like the others.
    if text == "**" || !pattern.matches(plain) {
        return;
    }
    let wider = text.replace('*', "**");
    if wider.len() <= 1024 {
        let wider: ReferencePattern = wider.parse().expect("it is a pattern");
        assert!(wider.matches(plain), "{text:?} and {reference:?}");
    }
    let scheme = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
    assert_eq!(scheme(text), scheme(&reference.to_string()));
}
