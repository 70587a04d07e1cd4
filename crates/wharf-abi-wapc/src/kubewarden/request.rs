//! What a policy is asked to judge: an AdmissionRequest of the Kubernetes API server, or any JSON.

use serde::Deserialize;
use serde::de::value::MapDeserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::json::{self, JsonProblem};

/// The one version of AdmissionReview that there is; the API server asks in no other since Kubernetes 1.22.
pub const REVIEW_VERSION: &str = "admission.k8s.io/v1";

/// What stands in `kind` of a review.
pub const REVIEW_KIND: &str = "AdmissionReview";

/// What a policy judges.
#[derive(Debug, Clone)]
pub enum ReviewRequest {
    /// A request to the Kubernetes API.
    Admission(Box<AdmissionRequest>),
    /// Any JSON.
    Raw(RawRequest),
}

/// A request to the Kubernetes API, as the API server describes it to webhooks.
///
/// Only what names the request is decoded. Everything else is kept as the bytes that came, and so it gets to the policy.
#[derive(Debug, Clone)]
pub struct AdmissionRequest {
    /// The id of this review, which its answer bears too.
    pub uid: String,
    /// The kind of the object.
    pub kind: GroupVersionKind,
    /// The resource that is asked for.
    pub resource: GroupVersionResource,
    /// The part of the resource that is asked for, such as `status` or `scale`.
    pub sub_resource: Option<String>,
    /// The kind of the original request, where the API server converted the object for the webhook.
    pub request_kind: Option<GroupVersionKind>,
    /// The object's name; a new object may not have one yet.
    pub name: Option<String>,
    /// The object's namespace, where it has one.
    pub namespace: Option<String>,
    /// `CREATE`, `UPDATE`, `DELETE` or `CONNECT`.
    pub operation: String,
    /// Who asks.
    pub user: UserInfo,
    /// Whether nothing will be stored in any case.
    pub dry_run: bool,
    /// JSON that was read already.
    raw: Box<str>,
}

/// A request in JSON that no API server made.
#[derive(Debug, Clone)]
pub struct RawRequest {
    uid: String,
    raw: Box<str>,
}

/// Which kind of objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct GroupVersionKind {
    /// The API group, empty for the core.
    pub group: String,
    /// The version in the group.
    pub version: String,
    /// The kind.
    pub kind: String,
}

/// Which resource of the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
pub struct GroupVersionResource {
    /// The API group, empty for the core.
    pub group: String,
    /// The version in the group.
    pub version: String,
    /// The resource, in plural.
    pub resource: String,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct UserInfo {
    /// The name by which the API server knows them.
    #[serde(default)]
    pub username: Option<String>,
    /// Their groups.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
}

/// Why a body is no review. Whoever sent it is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// It is no JSON, or something in it is missing or of another type.
    #[error("this is no {REVIEW_KIND}: {0}")]
    Json(#[source] JsonProblem),
    /// It is something else of the Kubernetes API.
    #[error("this is a {found}, and only an {REVIEW_KIND} can be answered")]
    Kind {
        /// What stands in `kind`.
        found: String,
    },
    /// It is a review of another version.
    #[error(
        "this is an {REVIEW_KIND} of {found}, and only {REVIEW_VERSION} is answered: name v1 in the webhook's `admissionReviewVersions`"
    )]
    Version {
        /// What stands in `apiVersion`.
        found: String,
    },
    /// It asks nothing.
    #[error("at `request`: the {REVIEW_KIND} has no request")]
    NoRequest,
    /// It is no raw review.
    #[error("this is no raw review, which is an object with a `request`: {0}")]
    Raw(#[source] JsonProblem),
}

/// What is decoded of a review, and checked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    request: Option<Head>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
struct Head {
    uid: String,
    kind: GroupVersionKind,
    resource: GroupVersionResource,
    #[serde(default)]
    sub_resource: Option<String>,
    #[serde(default)]
    request_kind: Option<GroupVersionKind>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    operation: String,
    user_info: UserInfo,
    #[serde(default)]
    dry_run: Option<bool>,
}

/// The names of the fields of [`Head`], as they stand in JSON.
const HEAD_FIELDS: [&str; 10] = [
    r#""uid""#,
    r#""kind""#,
    r#""resource""#,
    r#""subResource""#,
    r#""requestKind""#,
    r#""name""#,
    r#""namespace""#,
    r#""operation""#,
    r#""userInfo""#,
    r#""dryRun""#,
];

/// A review whose request is not looked at yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Closed<'a> {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(borrow)]
    request: &'a RawValue,
}

/// The part of a review that is kept as it came.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    request: &'a RawValue,
}

impl AdmissionRequest {
    /// Reads an AdmissionReview and takes the request out of it. `apiVersion` and `kind` may be missing, as they are in
    /// reviews that scanners make.
    ///
    /// Optional fields that are `null` are left out of what the policy gets, as Kubewarden does: some SDKs take the two
    /// for different things.
    ///
    /// # Errors
    /// [`ReviewError`] with the place of what is missing or wrong.
    pub fn of_review(body: &[u8]) -> Result<Self, ReviewError> {
        match Self::of_good_review(body) {
            Some(request) => Ok(request),
            None => Self::of_any_review(body),
        }
    }

    /// Reads the text no more than twice: to the end of the request, and the request's fields. Gives up where anything is
    /// wrong or unusual.
    fn of_good_review(body: &[u8]) -> Option<Self> {
        if json::first_byte(body) != Some(b'{') {
            return None;
        }
        let review: Closed<'_> = serde_json::from_slice(body).ok()?;
        check_kind(review.kind.as_deref(), review.api_version.as_deref()).ok()?;
        let fields: Fields<'_> = serde_json::from_str(review.request.get()).ok()?;
        let head = fields.head()?;
        Some(Self::new(head, fields.without_nulls(review.request)))
    }

    /// Reads it as often as it takes to say what is wrong, and where.
    fn of_any_review(body: &[u8]) -> Result<Self, ReviewError> {
        let review: Review = match json::decode_object(body) {
            Ok(review) => review,
            Err(problem) => return Err(other_kind(body).unwrap_or(ReviewError::Json(problem))),
        };
        check_kind(review.kind.as_deref(), review.api_version.as_deref())?;
        let head = review.request.ok_or(ReviewError::NoRequest)?;
        let envelope: Envelope<'_> = json::decode_object(body).map_err(ReviewError::Json)?;
        let fields: Fields<'_> = json::decode(envelope.request.get().as_bytes())
            .map_err(|problem| ReviewError::Json(problem.inside("request")))?;
        Ok(Self::new(head, fields.without_nulls(envelope.request)))
    }

    fn new(head: Head, raw: Box<str>) -> Self {
        Self {
            uid: head.uid,
            kind: head.kind,
            resource: head.resource,
            sub_resource: head.sub_resource,
            request_kind: head.request_kind,
            name: head.name,
            namespace: head.namespace,
            operation: head.operation,
            user: head.user_info,
            dry_run: head.dry_run.unwrap_or_default(),
            raw,
        }
    }

    /// The object of the request; none where something is deleted.
    ///
    /// # Errors
    /// [`JsonProblem`] where it is nested deeper than can be read.
    pub fn object(&self) -> Result<Option<Value>, JsonProblem> {
        #[derive(Deserialize)]
        struct Part<'a> {
            #[serde(borrow, default)]
            object: Option<&'a RawValue>,
        }
        let part: Part<'_> = json::decode(self.raw.as_bytes())?;
        let read = |object: &RawValue| {
            json::decode(object.get().as_bytes()).map_err(|problem| problem.inside("object"))
        };
        part.object.map(read).transpose()
    }
}

impl RawRequest {
    /// Reads a raw review, `{"request": …}`.
    ///
    /// # Errors
    /// [`ReviewError`] with the place of what is missing or wrong.
    pub fn of_review(body: &[u8]) -> Result<Self, ReviewError> {
        let envelope: Envelope<'_> = json::decode_object(body).map_err(ReviewError::Raw)?;
        Ok(Self::new(envelope.request))
    }

    /// A request that is any JSON. Its uid is the text in its field `uid`, and empty where there is none.
    pub fn new(raw: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Part {
            #[serde(default)]
            uid: Option<Value>,
        }
        let uid = match serde_json::from_str(raw.get()) {
            Ok(Part {
                uid: Some(Value::String(uid)),
            }) => uid,
            _ => String::new(),
        };
        Self {
            uid,
            raw: raw.get().into(),
        }
    }
}

impl ReviewRequest {
    /// The id that the answer bears; empty for raw requests without one.
    pub fn uid(&self) -> &str {
        match self {
            Self::Admission(request) => &request.uid,
            Self::Raw(request) => &request.uid,
        }
    }

    /// The JSON that the policy gets.
    pub fn json(&self) -> &str {
        match self {
            Self::Admission(request) => &request.raw,
            Self::Raw(request) => &request.raw,
        }
    }

    /// What a policy's change is a change of: the object, or the whole of a raw request. None where something is deleted.
    ///
    /// # Errors
    /// [`JsonProblem`] where it is nested deeper than can be read.
    pub fn original(&self) -> Result<Option<Value>, JsonProblem> {
        match self {
            Self::Admission(request) => request.object(),
            Self::Raw(request) => json::decode(request.raw.as_bytes()).map(Some),
        }
    }
}

/// Says rather what a body is than which field of a review it lacks.
fn other_kind(body: &[u8]) -> Option<ReviewError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Kind {
        #[serde(default)]
        api_version: Option<String>,
        #[serde(default)]
        kind: Option<String>,
    }
    let found: Kind = json::decode_object(body).ok()?;
    check_kind(found.kind.as_deref(), found.api_version.as_deref()).err()
}

fn check_kind(kind: Option<&str>, version: Option<&str>) -> Result<(), ReviewError> {
    let shown = |text: &str| text.chars().take(100).collect();
    match (kind, version) {
        (Some(kind), _) if kind != REVIEW_KIND => Err(ReviewError::Kind { found: shown(kind) }),
        (_, Some(version)) if version != REVIEW_VERSION => Err(ReviewError::Version {
            found: shown(version),
        }),
        _ => Ok(()),
    }
}

/// The fields of an object, names and values as they came.
struct Fields<'a>(Vec<(&'a RawValue, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// What names the request; none where something in it is not as it has to be, or a name is written with escapes.
    fn head(&self) -> Option<Head> {
        if self.0.iter().any(|(name, _)| name.get().contains('\\')) {
            return None;
        }
        let of_head = self
            .0
            .iter()
            .filter(|(name, _)| HEAD_FIELDS.contains(&name.get()));
        let unquoted = of_head.map(|(name, value)| (name.get().trim_matches('"'), *value));
        Head::deserialize(MapDeserializer::new(unquoted)).ok()
    }

    /// The object `whole`, whose fields these are, without those that are null. Values are copied as they are.
    fn without_nulls(&self, whole: &RawValue) -> Box<str> {
        if self.0.iter().all(|(_, value)| value.get() != "null") {
            return whole.get().into();
        }
        let mut text = String::with_capacity(whole.get().len());
        text.push('{');
        for (name, value) in self.0.iter().filter(|(_, value)| value.get() != "null") {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(name.get());
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text.into()
    }
}

impl<'a> Deserialize<'a> for Fields<'a> {
    fn deserialize<D: serde::Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'a> Visitor<'a> for OfObject {
            type Value = Fields<'a>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

#[cfg(test)]
mod tests;
