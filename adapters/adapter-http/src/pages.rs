//! Answers that come in pages: which page is the next, and the items of all of them.

use http::header::LINK;
use http_client::Received;
use json_path::JsonPath;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;
use worker_api::Failure;

/// Pages that are fetched unless the task says otherwise, and how many it may say.
const PAGES: u32 = 100;
const MOST_PAGES: u32 = 1_000;

/// How a service says where the next page is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Pagination {
    /// In the header `Link`, as `rel="next"` (RFC 8288).
    Link {
        /// Where a page's items are in its body; unless said, the body is the list.
        items: Option<JsonPath>,
        /// Pages that are fetched at most.
        #[serde(default = "pages")]
        max_pages: u32,
    },
    /// By a cursor in the body, which is sent back as a query parameter; there are no more pages where it is missing, null
    /// or empty.
    Cursor {
        /// Where the cursor is in a page's body.
        cursor: JsonPath,
        /// The query parameter that the next request has it in.
        parameter: String,
        /// Where a page's items are in its body; unless said, the body is the list.
        items: Option<JsonPath>,
        /// Pages that are fetched at most.
        #[serde(default = "pages")]
        max_pages: u32,
    },
    /// By numbers, until a page has no items.
    Page {
        /// The query parameter with the page's number.
        parameter: String,
        /// The first page's number.
        #[serde(default = "one")]
        first: u64,
        /// Where a page's items are in its body; unless said, the body is the list.
        items: Option<JsonPath>,
        /// Pages that are fetched at most.
        #[serde(default = "pages")]
        max_pages: u32,
    },
}

impl Pagination {
    pub(crate) fn max_pages(&self) -> u32 {
        match self {
            Self::Link { max_pages, .. } | Self::Cursor { max_pages, .. } | Self::Page { max_pages, .. } => {
                (*max_pages).clamp(1, MOST_PAGES)
            }
        }
    }

    fn items(&self) -> Option<&JsonPath> {
        match self {
            Self::Link { items, .. } | Self::Cursor { items, .. } | Self::Page { items, .. } => {
                items.as_ref()
            }
        }
    }

    /// The address of the first page.
    pub(crate) fn first(&self, url: &mut Url) {
        if let Self::Page { parameter, first, .. } = self {
            set(url, parameter, &first.to_string());
        }
    }

    /// A page's items.
    ///
    /// # Errors
    /// Where there is no list of them.
    pub(crate) fn read(&self, body: &Json, request: &str) -> Result<Vec<Json>, Failure> {
        let found = match self.items() {
            None => Some(body),
            Some(path) => path.first(body),
        };
        match found {
            Some(Json::Array(items)) => Ok(items.clone()),
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(_) => {
                let place = self.items().map_or_else(
                    || "its body".to_owned(),
                    |path| format!("what is at {path} in its body"),
                );
                Err(Failure::permanent(format!(
                    "{request}: {place} is no list; set `items` of the input `pagination` to where the list is"
                )))
            }
        }
    }

    /// The address of the page after this one; none where it is the last. `asked` is the address of this one, of which there
    /// were `number` until now.
    ///
    /// # Errors
    /// Where it leads to another service, which is not to see the login.
    pub(crate) fn next(
        &self,
        asked: &Url,
        received: &Received,
        body: &Json,
        items: usize,
        number: u32,
    ) -> Result<Option<Url>, Failure> {
        let mut next = asked.clone();
        match self {
            Self::Page { parameter, first, .. } => {
                if items == 0 {
                    return Ok(None);
                }
                set(
                    &mut next,
                    parameter,
                    &first.saturating_add(number.into()).to_string(),
                );
            }
            Self::Cursor {
                cursor, parameter, ..
            } => {
                let cursor = match cursor.first(body) {
                    Some(Json::String(text)) if !text.is_empty() => text.clone(),
                    Some(Json::Number(number)) => number.to_string(),
                    _ => return Ok(None),
                };
                set(&mut next, parameter, &cursor);
            }
            Self::Link { .. } => {
                let links = received.headers.get_all(LINK).iter();
                let found = links.filter_map(|value| value.to_str().ok()).find_map(|value| {
                    parse_link_header::parse(value)
                        .ok()?
                        .remove(&Some("next".to_owned()))
                });
                let Some(link) = found else {
                    return Ok(None);
                };
                next = asked.join(&link.raw_uri).map_err(|error| {
                    Failure::permanent(format!("the service's link to the next page is none: {error}"))
                })?;
                if next.origin() != asked.origin() {
                    return Err(Failure::permanent(format!(
                        "the service's link to the next page leads to another service ({}), which is not asked",
                        next.host_str().unwrap_or_default()
                    )));
                }
            }
        }
        if next == *asked {
            return Err(Failure::permanent(
                "the service's next page is the same page again; check the input `pagination`",
            ));
        }
        Ok(Some(next))
    }
}

/// Takes a query parameter out.
pub(crate) fn unset(url: &mut Url, name: &str) {
    if !url.query_pairs().any(|(other, _)| other == name) {
        return;
    }
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(other, _)| other != name)
        .map(|(other, value)| (other.into_owned(), value.into_owned()))
        .collect();
    url.set_query(None);
    if !others.is_empty() {
        url.query_pairs_mut().extend_pairs(others);
    }
}

/// Sets a query parameter, in place of one of that name.
fn set(url: &mut Url, name: &str, value: &str) {
    unset(url, name);
    url.query_pairs_mut().append_pair(name, value);
}

fn pages() -> u32 {
    PAGES
}

fn one() -> u64 {
    1
}
