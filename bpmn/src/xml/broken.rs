//! Why a file cannot be read.

use std::ops::Range;

use quick_xml::events::attributes::AttrError;

use crate::codes::{self, Code};

pub(super) struct Broken {
    pub(super) code: &'static Code,
    pub(super) place: Range<usize>,
    pub(super) message: String,
    /// The element that should have ended here, and its opening tag.
    pub(super) opened: Option<(String, Range<usize>)>,
}

impl Broken {
    pub(super) fn new(code: &'static Code, place: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            place,
            message: message.into(),
            opened: None,
        }
    }

    pub(super) fn xml(place: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(&codes::NOT_XML, place, message)
    }
}

pub(super) fn attribute_error_offset(error: &AttrError) -> usize {
    match error {
        AttrError::ExpectedEq(at)
        | AttrError::ExpectedValue(at)
        | AttrError::UnquotedValue(at)
        | AttrError::ExpectedQuote(at, _)
        | AttrError::Duplicated(at, _) => *at,
    }
}

pub(super) fn describe(error: &AttrError) -> String {
    match error {
        AttrError::ExpectedEq(_) => "an attribute needs `=` and a value in quotes".into(),
        AttrError::ExpectedValue(_) => "an attribute's value is missing after `=`".into(),
        AttrError::UnquotedValue(_) => "an attribute's value must be in quotes".into(),
        AttrError::ExpectedQuote(..) => "an attribute's value has no closing quote".into(),
        AttrError::Duplicated(..) => "the attribute is there twice".into(),
    }
}
