//! Uploads: a blob in one piece, and manifests by their names.

use super::{Content, RegistryBuilder, digest_of, message};
use crate::message::Received;

impl RegistryBuilder {
    /// The answer to what is pushed; nothing where nothing is.
    pub(super) fn push(&self, path: &str, request: &Received) -> Option<Vec<u8>> {
        let (repository, rest) = split(path)?;
        match (request.method.as_str(), rest) {
            ("POST", "blobs/uploads/") => {
                let location = format!("location: /v2/{repository}/blobs/uploads/begun?state=x\r\n");
                Some(message(202, &location, b"", request))
            }
            ("PUT", "blobs/uploads/begun") => Some(self.take_blob(repository, request)),
            ("PUT", rest) => {
                let name = rest.strip_prefix("manifests/")?;
                Some(self.take_manifest(repository, name, request))
            }
            _ => None,
        }
    }

    fn take_blob(&self, repository: &str, request: &Received) -> Vec<u8> {
        let digest = digest_of(&request.body);
        let (_, said) = request.target.rsplit_once("digest=").unwrap_or_default();
        let has_state = request.target.contains("state=x&");
        if said != digest || !has_state {
            let body = br#"{"errors":[{"code":"DIGEST_INVALID","message":"not what was sent"}]}"#;
            return message(400, "", body, request);
        }
        let path = format!("/v2/{repository}/blobs/{digest}");
        let content = Content {
            media_type: "application/octet-stream".into(),
            digest: digest.clone(),
            bytes: request.body.clone(),
        };
        self.lock().insert(path.clone(), content);
        let headers = format!("location: {path}\r\ndocker-content-digest: {digest}\r\n");
        message(201, &headers, b"", request)
    }

    fn take_manifest(&self, repository: &str, name: &str, request: &Received) -> Vec<u8> {
        let digest = digest_of(&request.body);
        let content = Content {
            media_type: request.header("content-type").unwrap_or_default().to_owned(),
            digest: digest.clone(),
            bytes: request.body.clone(),
        };
        let mut all = self.lock();
        for name in [name, digest.as_str()] {
            all.insert(format!("/v2/{repository}/manifests/{name}"), content.clone());
        }
        drop(all);
        let headers = format!("docker-content-digest: {digest}\r\n");
        message(201, &headers, b"", request)
    }
}

/// The repository of a path, and what follows it.
fn split(path: &str) -> Option<(&str, &str)> {
    let path = path.strip_prefix("/v2/")?;
    let at = path.find("/blobs/").or_else(|| path.find("/manifests/"))?;
    Some((path.get(..at)?, path.get(at + 1..)?))
}
