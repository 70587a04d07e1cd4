//! A world of its own: an authority that issues certificates as Fulcio does, a log of signatures as Rekor's, a log of
//! certificates, a timestamp authority, and the `trusted_root.json` that believes them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber, SigningKey as _,
    date_time_ymd,
};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The begin of 2026-01-15, when certificates are issued. They last ten minutes.
pub const BEGAN: u64 = 1_768_435_200;
/// When signatures are logged.
pub const LOGGED: u64 = BEGAN + 60;
/// A day later.
pub const NOW: u64 = BEGAN + 86_400;
/// Who vouches for signers.
pub const ISSUER: &str = "https://issuer.example";
/// Whom it vouches for.
pub const SUBJECT: &str = "https://github.com/acme/plugins/.github/workflows/release.yml@refs/tags/v1";
/// The repository that the workflow ran for.
pub const REPOSITORY: &str = "https://github.com/acme/plugins";

/// The keys of all who are believed.
pub struct World {
    root: (Vec<u8>, Issuer<'static, KeyPair>),
    intermediate: (Vec<u8>, Issuer<'static, KeyPair>),
    /// The key of the log of signatures.
    pub log: KeyPair,
    /// The key of the log of certificates.
    pub certificate_log: KeyPair,
    timestamps: (Vec<u8>, KeyPair),
    /// The signer's own.
    pub signer: KeyPair,
}

/// How a certificate is to be.
#[derive(Clone)]
pub struct Wanted {
    /// Its subject; none for a certificate without one.
    pub subject: Option<SanType>,
    /// Who vouched for it.
    pub issuer: Option<&'static str>,
    /// The repository in it.
    pub repository: Option<&'static str>,
    /// When it begins.
    pub began: u64,
    /// What it is for.
    pub usage: ExtendedKeyUsagePurpose,
    /// Whether a log of certificates signed it.
    pub logged: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            subject: Some(SanType::URI(SUBJECT.try_into().unwrap())),
            issuer: Some(ISSUER),
            repository: Some(REPOSITORY),
            began: BEGAN,
            usage: ExtendedKeyUsagePurpose::CodeSigning,
            logged: true,
        }
    }
}

/// Bytes in Base64.
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The SHA-256 of bytes.
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value in DER.
pub fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let mut whole = vec![tag];
    match length {
        0..128 => whole.push(u8::try_from(length).unwrap()),
        128..256 => whole.extend([0x81, u8::try_from(length).unwrap()]),
        _ => {
            whole.push(0x82);
            whole.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
    }
    [whole, content].concat()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// A number behind Fulcio's prefix.
fn fulcio(number: u64, content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, number], content)
}

impl World {
    /// One with new keys.
    #[expect(clippy::new_without_default, reason = "each has keys of its own")]
    pub fn new() -> Self {
        let key = || KeyPair::generate().unwrap();
        // Each world's authorities have names of their own, as authorities have.
        let name =
            |what: &str, key: &KeyPair| format!("{what} {}", hex(&sha256(&key.subject_public_key_info())));
        let root_key = key();
        let root_params = authority(&name("root", &root_key));
        let root = root_params.self_signed(&root_key).unwrap().der().to_vec();
        let root_issuer = Issuer::new(root_params, root_key);
        let intermediate_key = key();
        let params = authority(&name("authority", &intermediate_key));
        let intermediate = params
            .signed_by(&intermediate_key, &root_issuer)
            .unwrap()
            .der()
            .to_vec();
        let intermediate_issuer = Issuer::new(params, intermediate_key);
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "the clock");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
        let timestamp_key = key();
        let timestamp = params
            .signed_by(&timestamp_key, &root_issuer)
            .unwrap()
            .der()
            .to_vec();
        Self {
            root: (root, root_issuer),
            intermediate: (intermediate, intermediate_issuer),
            log: key(),
            certificate_log: key(),
            timestamps: (timestamp, timestamp_key),
            signer: key(),
        }
    }

    /// The file that believes all of them.
    pub fn trusted_root(&self) -> Value {
        let log = |key: &KeyPair| {
            let spki = key.subject_public_key_info();
            json!({
                "baseUrl": "https://log.example", "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": base64(&spki), "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": { "start": "2026-01-01T00:00:00Z", "end": "2026-12-31T23:59:59.999Z" },
                },
                "logId": { "keyId": base64(&sha256(&spki)) },
            })
        };
        let raw = |der: &[u8]| json!({ "rawBytes": base64(der) });
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(&self.log)],
            "ctlogs": [log(&self.certificate_log)],
            "certificateAuthorities": [{
                "uri": "https://authority.example",
                "certChain": { "certificates": [raw(&self.intermediate.0), raw(&self.root.0)] },
                "validFor": { "start": "2026-01-01T00:00:00Z" },
            }],
            "timestampAuthorities": [{
                "certChain": { "certificates": [raw(&self.timestamps.0), raw(&self.root.0)] },
                "validFor": { "start": "2026-01-01T00:00:00Z" },
            }],
        })
    }

    /// A certificate for the signer's key.
    pub fn certificate(&self, wanted: &Wanted) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(SerialNumber::from(7_u64));
        params.not_before = date_time_ymd(2026, 1, 15) + Duration::from_secs(wanted.began - BEGAN);
        params.not_after = date_time_ymd(2026, 1, 15) + Duration::from_secs(wanted.began - BEGAN + 600);
        params.subject_alt_names.extend(wanted.subject.clone());
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![wanted.usage.clone()];
        params.use_authority_key_identifier_extension = true;
        let text = |text: &str| der(0x0c, &[text.as_bytes()]);
        if let Some(issuer) = wanted.issuer {
            params
                .custom_extensions
                .push(fulcio(1, issuer.as_bytes().to_vec()));
            params.custom_extensions.push(fulcio(8, text(issuer)));
        }
        if let Some(repository) = wanted.repository {
            params.custom_extensions.push(fulcio(12, text(repository)));
        }
        let without = params.signed_by(&self.signer, &self.intermediate.1).unwrap();
        if !wanted.logged {
            return without.der().to_vec();
        }
        let signed = signed_part(without.der());
        let list = self.certificate_log_entry(&signed, wanted.began);
        params.custom_extensions.push(CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
            list,
        ));
        params
            .signed_by(&self.signer, &self.intermediate.1)
            .unwrap()
            .der()
            .to_vec()
    }

    /// What the log of certificates gives for one.
    fn certificate_log_entry(&self, signed_part: &[u8], at: u64) -> Vec<u8> {
        let milliseconds = (at * 1000 + 5).to_be_bytes();
        let issuer = sha256(&self.intermediate.1.key().subject_public_key_info());
        let length = u32::try_from(signed_part.len()).unwrap().to_be_bytes();
        let message = [
            &[0, 0],
            &milliseconds[..],
            &[0, 1],
            &issuer,
            &length[1..],
            signed_part,
            &[0, 0],
        ]
        .concat();
        let signature = self.certificate_log.sign(&message).unwrap();
        let log = sha256(&self.certificate_log.subject_public_key_info());
        let entry = [
            &[0],
            log.as_slice(),
            &milliseconds,
            &[0, 0, 4, 3],
            &short(&signature),
        ]
        .concat();
        der(0x04, &[&short(&short(&entry))])
    }

    /// A promise of the log for an entry.
    pub fn promise(&self, body: &[u8], time: u64, index: u64) -> Vec<u8> {
        let log = hex(&sha256(&self.log.subject_public_key_info()));
        let message = format!(
            r#"{{"body":"{}","integratedTime":{time},"logID":"{log}","logIndex":{index}}}"#,
            base64(body)
        );
        self.log.sign(message.as_bytes()).unwrap()
    }

    /// A proof that an entry is the fifth of seven.
    pub fn proof(&self, body: &[u8]) -> Value {
        let leaf = |body: &[u8]| sha256(&[&[0], body].concat());
        let mut leaves: Vec<_> = (0..7_u8).map(|place| leaf(&[place])).collect();
        leaves[4] = leaf(body);
        let node = |left: &[u8], right: &[u8]| sha256(&[&[1], left, right].concat());
        let left = node(&node(&leaves[0], &leaves[1]), &node(&leaves[2], &leaves[3]));
        let root = node(&left, &node(&node(&leaves[4], &leaves[5]), &leaves[6]));
        json!({
            "logIndex": "4", "treeSize": "7", "rootHash": base64(&root),
            "hashes": [base64(&leaves[5]), base64(&leaves[6]), base64(&left)],
            "checkpoint": { "envelope": self.checkpoint(7, &root) },
        })
    }

    /// The checkpoint of a tree of so many entries with this root.
    pub fn checkpoint(&self, size: u64, root: &[u8]) -> String {
        let note = format!("log.example - 1\n{size}\n{}\n", base64(root));
        let signature = self.log.sign(note.as_bytes()).unwrap();
        let id = sha256(&self.log.subject_public_key_info());
        format!(
            "{note}\n\u{2014} log.example {}\n",
            base64(&[&id[..4], &signature].concat())
        )
    }

    /// A timestamp of a signature, `20260115000100Z`.
    pub fn timestamp(&self, signature: &[u8], time: &str) -> Vec<u8> {
        const SHA256_OID: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
        const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
        const PKCS9: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09];
        let oid = |bytes: &[u8]| der(0x06, &[bytes]);
        let number = |number: u8| der(0x02, &[&[number]]);
        let sha256_algorithm = der(0x30, &[&oid(SHA256_OID)]);
        let info_oid = oid(&[PKCS9, &[0x10, 0x01, 0x04]].concat());
        let imprint = der(0x30, &[&sha256_algorithm, &der(0x04, &[&sha256(signature)])]);
        let info = der(
            0x30,
            &[
                &number(1),
                &oid(&[0x2a, 0x03]),
                &imprint,
                &number(9),
                &der(0x18, &[time.as_bytes()]),
            ],
        );
        let attribute =
            |name: u8, value: &[u8]| der(0x30, &[&oid(&[PKCS9, &[name]].concat()), &der(0x31, &[value])]);
        let attributes = [
            attribute(3, &info_oid),
            attribute(4, &der(0x04, &[&sha256(&info)])),
        ]
        .concat();
        let made = self.timestamps.1.sign(&der(0x31, &[&attributes])).unwrap();
        let signer = der(
            0x30,
            &[
                &number(1),
                &der(0x30, &[&der(0x30, &[]), &number(1)]),
                &sha256_algorithm,
                &der(0xa0, &[&attributes]),
                &sha256_algorithm,
                &der(0x04, &[&made]),
            ],
        );
        let content = der(0x30, &[&info_oid, &der(0xa0, &[&der(0x04, &[&info])])]);
        let data = der(
            0x30,
            &[
                &number(3),
                &der(0x31, &[&sha256_algorithm]),
                &content,
                &der(0xa0, &[&self.timestamps.0]),
                &der(0x31, &[&signer]),
            ],
        );
        let token = der(0x30, &[&oid(PKCS7), &der(0xa0, &[&data])]);
        der(0x30, &[&der(0x30, &[&number(0)]), &token])
    }

    /// A bundle of a signed statement about a digest.
    pub fn bundle(&self, certificate: &[u8], digits: &str) -> Value {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "digest": { "sha256": digits }, "annotations": { "team": "platform" } }],
            "predicateType": "https://sigstore.dev/cosign/sign/v1", "predicate": {},
        })
        .to_string();
        let kind = "application/vnd.in-toto+json";
        let signed = format!("DSSEv1 {} {kind} {} {statement}", kind.len(), statement.len());
        let signature = self.signer.sign(signed.as_bytes()).unwrap();
        let body = json!({
            "apiVersion": "0.0.1", "kind": "dsse",
            "spec": {
                "envelopeHash": { "algorithm": "sha256", "value": "00" },
                "payloadHash": { "algorithm": "sha256", "value": hex(&sha256(statement.as_bytes())) },
                "signatures": [{ "signature": base64(&signature), "verifier": base64(pem(certificate).as_bytes()) }],
            },
        });
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": base64(certificate) },
                "tlogEntries": [self.entry(body.to_string().as_bytes(), LOGGED)],
            },
            "dsseEnvelope": {
                "payload": base64(statement.as_bytes()), "payloadType": kind,
                "signatures": [{ "sig": base64(&signature) }],
            },
        })
    }

    /// An entry of the log with a promise and a proof.
    pub fn entry(&self, body: &[u8], time: u64) -> Value {
        json!({
            "logIndex": "123456", "logId": { "keyId": base64(&sha256(&self.log.subject_public_key_info())) },
            "integratedTime": time.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": base64(&self.promise(body, time, 123_456)) },
            "inclusionProof": self.proof(body),
            "canonicalizedBody": base64(body),
        })
    }
}

/// A certificate as PEM.
pub fn pem(certificate: &[u8]) -> String {
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        base64(certificate)
    )
}

/// Bytes behind their length of two bytes.
fn short(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// The part of a certificate that is signed: the first value in it.
fn signed_part(certificate: &[u8]) -> Vec<u8> {
    let length_of = |bytes: &[u8]| match bytes[1] {
        0x82 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
        0x81 => (3, usize::from(bytes[2])),
        short => (2, usize::from(short)),
    };
    let (head, _) = length_of(certificate);
    let inner = &certificate[head..];
    let (head, length) = length_of(inner);
    inner[..head + length].to_vec()
}
