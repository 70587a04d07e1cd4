//! Lists as the API server gives them: page by page, each page and the whole with a bound.

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;
use wharf_plugin::ByteSize;

use super::api::{Api, ApiError};
use super::error::AskError;
use super::limits::CapabilityLimits;
use super::names::encode;
use super::objects::{Cut, Kept, ListText, NoRoom};

/// How many objects a page has at first.
const PAGE: usize = 500;
/// By how much pages shrink that have too many bytes.
const SHRINK: usize = 8;
/// How many objects are cut down before others get the thread.
const STEP: usize = 64;

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListQuery {
    /// Where they are.
    pub(super) path: String,
    pub(super) label_selector: Option<String>,
    pub(super) field_selector: Option<String>,
}

impl ListQuery {
    /// A request's target: these objects, and more of the query, which must be encoded.
    pub(super) fn target(&self, more: &str) -> String {
        let mut target = format!("{}?{more}", self.path);
        for (name, selector) in [
            ("labelSelector", &self.label_selector),
            ("fieldSelector", &self.field_selector),
        ] {
            if let Some(selector) = selector {
                target.push_str(&format!("&{name}={}", encode(selector)));
            }
        }
        target
    }
}

/// Fetches lists, few at a time.
pub(super) struct Lister {
    api: Arc<Api>,
    page_bytes: ByteSize,
    list_bytes: ByteSize,
    places: Semaphore,
}

/// Takes the objects of a list.
pub(super) trait Sink: Send {
    /// The list begins, perhaps once more: what came before does not count.
    fn begin(&mut self);
    fn take(&mut self, kept: Kept) -> Result<(), NoRoom>;
}

/// Why there is no list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ListError {
    Api(ApiError),
    NoRoom(NoRoom),
}

impl From<ApiError> for ListError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl Lister {
    pub(super) fn new(api: Arc<Api>, limits: &CapabilityLimits) -> Self {
        Self {
            api,
            page_bytes: limits.page_bytes,
            list_bytes: limits.list_bytes,
            places: Semaphore::new(limits.concurrent_lists),
        }
    }

    /// The list as policies get it.
    pub(super) async fn text(&self, query: &ListQuery, cut: &Cut) -> Result<Vec<u8>, AskError> {
        let mut sink = TextSink {
            text: ListText::new(cut.kind(), 0),
            cut,
            most: self.list_bytes,
        };
        match self.objects(query, cut, &mut sink).await {
            Ok(_) => Ok(sink.text.finish()),
            Err(ListError::Api(error)) => {
                Err(AskError::api(format_args!("cannot list {}", cut.kind()), error))
            }
            Err(ListError::NoRoom(_)) => Err(AskError::ListTooLarge {
                kind: cut.kind().clone(),
                most: self.list_bytes,
            }),
        }
    }

    /// All objects of a list, to `sink`. Gives the version of the list, by which it can be watched from then on; empty
    /// where it cannot.
    pub(super) async fn objects(
        &self,
        query: &ListQuery,
        cut: &Cut,
        sink: &mut dyn Sink,
    ) -> Result<String, ListError> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        match self.pages(query, cut, sink).await {
            // The list changed so much between two pages that the API server knows nothing of the first any more.
            Err(ListError::Api(error)) if error.status() == Some(StatusCode::GONE) => {
                self.pages(query, cut, sink).await
            }
            listed => listed,
        }
    }

    async fn pages(&self, query: &ListQuery, cut: &Cut, sink: &mut dyn Sink) -> Result<String, ListError> {
        sink.begin();
        let mut limit = PAGE;
        let mut more = String::new();
        loop {
            let mut target = format!("limit={limit}");
            if !more.is_empty() {
                target.push_str(&format!("&continue={}", encode(&more)));
            }
            let text = match self.api.get(&query.target(&target), self.page_bytes).await {
                Err(ApiError::TooLarge(_)) if limit > 1 => {
                    limit = (limit / SHRINK).max(1);
                    continue;
                }
                got => got?,
            };
            let page: Page<'_> = serde_json::from_slice(&text).map_err(ApiError::unreadable)?;
            let metadata = page.metadata.unwrap_or_default();
            for (number, item) in page.items.unwrap_or_default().into_iter().enumerate() {
                if number % STEP == STEP - 1 {
                    tokio::task::yield_now().await;
                }
                sink.take(cut.cut(item.get())?).map_err(ListError::NoRoom)?;
            }
            match metadata.more.filter(|next| !next.is_empty()) {
                Some(next) if next == more => {
                    return Err(
                        ApiError::unreadable("a list goes on with the page that it had before").into(),
                    );
                }
                Some(next) => more = next,
                None => return Ok(metadata.resource_version.unwrap_or_default()),
            }
        }
    }
}

/// A part of a list. What is empty may be `null`.
#[derive(Deserialize)]
struct Page<'a> {
    #[serde(default)]
    metadata: Option<PageMetadata>,
    #[serde(borrow, default)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageMetadata {
    resource_version: Option<String>,
    #[serde(rename = "continue")]
    more: Option<String>,
}

struct TextSink<'a> {
    text: ListText,
    cut: &'a Cut,
    most: ByteSize,
}

impl Sink for TextSink<'_> {
    fn begin(&mut self) {
        self.text = ListText::new(self.cut.kind(), 0);
    }

    fn take(&mut self, kept: Kept) -> Result<(), NoRoom> {
        if self.text.len() + kept.text.len() > self.most.as_usize() {
            return Err(NoRoom::List);
        }
        self.text.push(&kept.text);
        Ok(())
    }
}
