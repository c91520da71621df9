//! A file's content, which may still lie where it is kept.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::BoxStream;

use crate::Failure;

/// A file's content: either here, or fetched from where it is kept each time that it is read. A task's files are of the
/// latter kind, so that a task costs no memory for files that its adapter does not read, and little for one that it
/// reads bit by bit.
///
/// Two contents are equal where both are here and have the same bytes, or where they come from the same source.
#[derive(Clone)]
pub struct Content(Kept);

#[derive(Clone)]
enum Kept {
    Here(Bytes),
    Elsewhere(Arc<dyn ContentSource>),
}

/// Where content is fetched from.
#[async_trait]
pub trait ContentSource: Send + Sync + 'static {
    /// Begins to read the content from its start.
    ///
    /// # Errors
    /// A [`Failure`] that names the content, where it cannot be had; parts of the stream, too.
    async fn open(&self) -> Result<ContentStream, Failure>;
}

/// Content, part by part. Ends after the first error.
pub type ContentStream = BoxStream<'static, Result<Bytes, Failure>>;

impl Content {
    /// As many bytes are read into memory by [`Content::bytes`] at the most.
    pub const LARGEST_WHOLE: usize = 64 * 1024 * 1024;

    /// Content that a source has.
    #[must_use]
    pub fn elsewhere(source: Arc<dyn ContentSource>) -> Self {
        Self(Kept::Elsewhere(source))
    }

    /// How many bytes it has, where it is here.
    #[must_use]
    pub fn known_len(&self) -> Option<usize> {
        match &self.0 {
            Kept::Here(bytes) => Some(bytes.len()),
            Kept::Elsewhere(_) => None,
        }
    }

    /// All of it, in memory.
    ///
    /// # Errors
    /// Where it cannot be had (tried again by the task's retry policy unless it is gone), or has more than
    /// [`Content::LARGEST_WHOLE`] bytes.
    pub async fn bytes(&self) -> Result<Bytes, Failure> {
        self.bytes_within(Self::LARGEST_WHOLE).await
    }

    /// All of it, in memory, where it has no more than `limit` bytes.
    ///
    /// # Errors
    /// As [`Content::bytes`].
    pub async fn bytes_within(&self, limit: usize) -> Result<Bytes, Failure> {
        let too_large = || {
            Failure::permanent(format!(
                "a file has more than {limit} bytes, which is the most that this task reads; hand it a smaller one, or the \
                 file's address"
            ))
        };
        let mut parts = match &self.0 {
            Kept::Here(bytes) if bytes.len() <= limit => return Ok(bytes.clone()),
            Kept::Here(_) => return Err(too_large()),
            Kept::Elsewhere(source) => source.open().await?,
        };
        let mut whole = BytesMut::new();
        while let Some(part) = parts.next().await {
            let part = part?;
            if whole.len() + part.len() > limit {
                return Err(too_large());
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    /// All of it, part by part, of whatever size it is.
    ///
    /// # Errors
    /// Where it cannot be had.
    pub async fn stream(&self) -> Result<ContentStream, Failure> {
        match &self.0 {
            Kept::Here(bytes) => {
                let bytes = bytes.clone();
                Ok(futures::stream::once(async { Ok(bytes) }).boxed())
            }
            Kept::Elsewhere(source) => source.open().await,
        }
    }
}

impl<T: Into<Bytes>> From<T> for Content {
    fn from(bytes: T) -> Self {
        Self(Kept::Here(bytes.into()))
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kept::Here(one), Kept::Here(other)) => one == other,
            (Kept::Elsewhere(one), Kept::Elsewhere(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for Content {}

impl fmt::Debug for Content {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_len() {
            Some(bytes) => write!(formatter, "({bytes} bytes)"),
            None => formatter.write_str("(not read)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Parts of ten bytes.
    struct Parts(usize, AtomicUsize);

    #[async_trait]
    impl ContentSource for Parts {
        async fn open(&self) -> Result<ContentStream, Failure> {
            self.1.fetch_add(1, Ordering::SeqCst);
            let parts = std::iter::repeat_n(Ok(Bytes::from_static(&[7; 10])), self.0);
            Ok(futures::stream::iter(parts).boxed())
        }
    }

    #[tokio::test]
    async fn content_is_fetched_when_it_is_read_and_not_before() {
        let source = Arc::new(Parts(3, AtomicUsize::new(0)));
        let content = Content::elsewhere(source.clone());
        assert_eq!(
            (content.known_len(), format!("{content:?}")),
            (None, "(not read)".to_owned())
        );
        assert_eq!(source.1.load(Ordering::SeqCst), 0);
        assert_eq!(content.bytes().await.unwrap().len(), 30);
        let parts = content.stream().await.unwrap();
        assert_eq!(parts.count().await, 3);
        assert_eq!(source.1.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn more_than_the_limit_is_a_failure_that_says_so() {
        let elsewhere = Content::elsewhere(Arc::new(Parts(3, AtomicUsize::new(0))));
        for content in [elsewhere, Content::from(vec![7; 30])] {
            assert!(content.bytes_within(30).await.is_ok());
            let error = content.bytes_within(29).await.unwrap_err();
            assert!(error.message.contains("more than 29 bytes"), "{error}");
        }
    }
}
