//! Certificates of an authority such as Fulcio: who they are of, and whether they count.
//!
//! Their path to an authority is checked by `webpki`. What is read here is only what it does not give: the names, the
//! authority's own extensions, and the entry of the log of certificates ([`sct`]).

pub(crate) mod sct;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, ring as algorithms};

use crate::der::{self, Reader, Value};
use crate::identity::Identity;
use crate::key::PublicKey;
use crate::refusal::Refusal;
use crate::time::Timestamp;
use crate::trust_root::Authority;

/// The parts of a certificate that are needed, taken apart and not believed.
pub(crate) struct Certificate<'a> {
    pub(crate) der: &'a [u8],
    /// The fields of the part that is signed, in order, up to the extensions.
    fields: Vec<&'a [u8]>,
    extensions: Vec<Extension<'a>>,
    pub(crate) key: PublicKey,
}

struct Extension<'a> {
    oid: &'a [u8],
    value: &'a [u8],
    whole: &'a [u8],
}

const OID_SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const OID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const OID_SCT_LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
/// `1.3.6.1.4.1.57264.1`, behind which is a number for each of Fulcio's extensions.
const OID_FULCIO: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01];
const ISSUER_BARE: u8 = 1;
const GITHUB_REPOSITORY_BARE: u8 = 5;
const OTHER_NAME: u8 = 7;
const ISSUER: u8 = 8;
const SOURCE_REPOSITORY: u8 = 12;

/// `id-kp-codeSigning`.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// `id-kp-timeStamping`.
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// The most extensions that a certificate has.
const MOST_EXTENSIONS: usize = 64;

/// What a certificate is for.
#[derive(Clone, Copy)]
pub(crate) enum Usage {
    CodeSigning,
    TimeStamping,
}

impl Usage {
    fn oid(self) -> &'static [u8] {
        match self {
            Self::CodeSigning => CODE_SIGNING,
            Self::TimeStamping => TIME_STAMPING,
        }
    }
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Refusal> {
        let (fields, extensions) = split(der).ok_or(DAMAGED)?;
        let spki = fields.get(6).ok_or(DAMAGED)?;
        let key = PublicKey::from_spki_der(spki).map_err(|_| Refusal::BadCertificate {
            reason: "its key is of a kind that is not understood",
        })?;
        Ok(Self {
            der,
            fields,
            extensions,
            key,
        })
    }

    fn extension(&self, oid: &[u8]) -> Option<&'a [u8]> {
        self.extensions
            .iter()
            .find(|extension| extension.oid == oid)
            .map(|extension| extension.value)
    }

    fn fulcio(&self, number: u8) -> Option<&'a [u8]> {
        let oid = [OID_FULCIO, &[number]].concat();
        self.extension(&oid)
    }

    /// Text of the newer extensions, which is an UTF8String in DER.
    fn fulcio_text(&self, number: u8) -> Option<String> {
        let value = Value::only(self.fulcio(number)?, der::UTF8_STRING)?;
        visible(value.content)
    }

    /// Who it is of.
    pub(crate) fn identity(&self) -> Result<Identity, Refusal> {
        let bad = |reason| Refusal::BadCertificate { reason };
        let names = self
            .extension(OID_SUBJECT_ALT_NAME)
            .ok_or(bad("it names nobody"))?;
        let subject = only_name(names).ok_or(bad("it does not name exactly one subject that can be read"))?;
        let issuer = match self.fulcio(ISSUER) {
            Some(_) => self.fulcio_text(ISSUER),
            None => self.fulcio(ISSUER_BARE).and_then(visible),
        };
        let repository = match self.fulcio(SOURCE_REPOSITORY) {
            Some(_) => Some(self.fulcio_text(SOURCE_REPOSITORY).ok_or(DAMAGED)?),
            None => match self.fulcio(GITHUB_REPOSITORY_BARE) {
                Some(name) => Some(format!("https://github.com/{}", visible(name).ok_or(DAMAGED)?)),
                None => None,
            },
        };
        Ok(Identity {
            issuer: issuer.ok_or(bad("it does not say who vouches for its subject"))?,
            subject,
            repository,
        })
    }

    /// Whether an authority issued it, directly or through others, so that it was valid at this time.
    pub(crate) fn check_path(
        &self,
        intermediates: &[Vec<u8>],
        authorities: &[Authority],
        at: Timestamp,
        usage: Usage,
    ) -> Result<Path, Refusal> {
        if !self.is_for(usage) {
            return Err(FOR_ANOTHER_USE);
        }
        let mut worst = Refusal::UnknownAuthority;
        for authority in authorities
            .iter()
            .filter(|authority| authority.valid.contains(at))
        {
            match self.check_path_to(intermediates, authority, at, usage) {
                Ok(path) => return Ok(path),
                Err(Refusal::UnknownAuthority) => {}
                Err(refusal) => worst = refusal,
            }
        }
        Err(worst)
    }

    /// Whether it says that it is for this. Authorities between it and the root may say nothing, and it may not.
    fn is_for(&self, usage: Usage) -> bool {
        let Some(list) = self.extension(OID_EXTENDED_KEY_USAGE) else {
            return false;
        };
        let Some(list) = Value::only(list, der::SEQUENCE) else {
            return false;
        };
        let mut list = list.reader();
        while let Some(oid) = list.expect(der::OID) {
            if oid.content == usage.oid() {
                return true;
            }
        }
        false
    }

    fn check_path_to(
        &self,
        intermediates: &[Vec<u8>],
        authority: &Authority,
        at: Timestamp,
        usage: Usage,
    ) -> Result<Path, Refusal> {
        let leaf = CertificateDer::from(self.der);
        let leaf = EndEntityCert::try_from(&leaf).map_err(|_| DAMAGED)?;
        let anchor = CertificateDer::from(authority.anchor.as_slice());
        let anchor = webpki::anchor_from_trusted_cert(&anchor).map_err(|_| Refusal::UnknownAuthority)?;
        let anchors: [TrustAnchor<'_>; 1] = [anchor];
        let between: Vec<CertificateDer<'_>> = authority
            .intermediates
            .iter()
            .chain(intermediates)
            .map(|der| CertificateDer::from(der.as_slice()))
            .collect();
        let usage = KeyUsage::required_if_present(usage.oid());
        let time = UnixTime::since_unix_epoch(at.since_epoch());
        let path = leaf
            .verify_for_usage(ALGORITHMS, &anchors, &between, time, usage, None, None)
            .map_err(|error| refusal_of(&error, at))?;
        Ok(Path {
            issuer_key: path.issuer_spki().as_ref().to_vec(),
        })
    }
}

/// How a certificate is connected with an authority.
pub(crate) struct Path {
    /// The SubjectPublicKeyInfo of whoever issued it.
    pub(crate) issuer_key: Vec<u8>,
}

const DAMAGED: Refusal = Refusal::BadCertificate {
    reason: "it is damaged",
};

pub(crate) const FOR_ANOTHER_USE: Refusal = Refusal::BadCertificate {
    reason: "it is for another use",
};

const ALGORITHMS: &[&dyn rustls_pki_types::SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
];

fn refusal_of(error: &webpki::Error, made: Timestamp) -> Refusal {
    let moment = |time: &UnixTime| Timestamp::from_unix_seconds(time.as_secs());
    match error {
        webpki::Error::CertExpired { not_after, .. } => Refusal::CertificateExpired {
            made,
            ended: moment(not_after),
        },
        webpki::Error::CertNotValidYet { not_before, .. } => Refusal::CertificateNotYetValid {
            made,
            began: moment(not_before),
        },
        webpki::Error::UnknownIssuer => Refusal::UnknownAuthority,
        webpki::Error::InvalidSignatureForPublicKey => Refusal::BadCertificate {
            reason: "the authority did not sign it",
        },
        webpki::Error::RequiredEkuNotFoundContext(_) => FOR_ANOTHER_USE,
        webpki::Error::BadDer | webpki::Error::BadDerTime => DAMAGED,
        _ => Refusal::BadCertificate {
            reason: "it does not lead to the authority",
        },
    }
}

/// The fields of the part that is signed, without the extensions, and the extensions.
fn split(der: &[u8]) -> Option<(Vec<&[u8]>, Vec<Extension<'_>>)> {
    let mut certificate = Value::only(der, der::SEQUENCE)?.reader();
    let mut signed = certificate.expect(der::SEQUENCE)?.reader();
    let mut fields = Vec::new();
    // Version, serial number, algorithm, issuer, validity, subject, key; the two unique identifiers are not used.
    for tag in [
        der::context(0),
        der::INTEGER,
        der::SEQUENCE,
        der::SEQUENCE,
        der::SEQUENCE,
        der::SEQUENCE,
        der::SEQUENCE,
    ] {
        fields.push(signed.expect(tag)?.whole);
    }
    let mut extensions = Vec::new();
    if let Some(list) = signed.optional(der::context(3)) {
        let mut list = Value::only(list.content, der::SEQUENCE)?.reader();
        while !list.is_empty() {
            let extension = extension(list.expect(der::SEQUENCE)?)?;
            let again = extensions
                .iter()
                .any(|earlier: &Extension<'_>| earlier.oid == extension.oid);
            if again || extensions.len() == MOST_EXTENSIONS {
                return None;
            }
            extensions.push(extension);
        }
    }
    signed.end()?;
    Some((fields, extensions))
}

fn extension(value: Value<'_>) -> Option<Extension<'_>> {
    let mut parts = value.reader();
    let oid = parts.expect(der::OID)?.content;
    parts.optional(der::BOOLEAN);
    let octets = parts.expect(der::OCTET_STRING)?.content;
    parts.end()?;
    Some(Extension {
        oid,
        value: octets,
        whole: value.whole,
    })
}

/// The one name of a SubjectAltName: an e-mail address, a URI, or a name of Fulcio's own kind.
fn only_name(names: &[u8]) -> Option<String> {
    const EMAIL: u8 = 0x81;
    const URI: u8 = 0x86;
    const OTHER: u8 = der::context(0);
    let mut names = Value::only(names, der::SEQUENCE)?.reader();
    let name = names.next()?;
    names.end()?;
    match name.tag {
        EMAIL | URI => visible(name.content),
        OTHER => {
            let mut parts: Reader<'_> = name.reader();
            let oid = parts.expect(der::OID)?.content;
            let value = parts.expect(der::context(0))?;
            parts.end()?;
            let text = Value::only(value.content, der::UTF8_STRING)?;
            (oid.strip_prefix(OID_FULCIO) == Some(&[OTHER_NAME])).then_some(())?;
            visible(text.content)
        }
        _ => None,
    }
}

/// Text that can be shown and compared: not empty, and without control characters.
fn visible(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let good = !text.is_empty() && text.len() <= 2048 && !text.chars().any(char::is_control);
    good.then(|| text.to_owned())
}
