//! Out of quick-xml's events a tree of elements with positions.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use diagnostics::{Diagnostic, LineIndex, Related};
use quick_xml::XmlVersion;
use quick_xml::errors::IllFormedError;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::Attribute as XmlAttribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, QName, ResolveResult};
use quick_xml::reader::NsReader;

use super::broken::{Broken, attribute_error_offset, describe};
use super::names::{is_name, is_xml_char};
use super::{MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS, Namespace};
use crate::codes;
use crate::tree::{Attribute, Declaration, Element, Text};

/// Reads the whole document, or says where it breaks. What encoding it declares does not matter any more.
pub(crate) fn parse<'t>(
    file: &str,
    text: &'t str,
    lines: &LineIndex<'_>,
) -> Result<Element<'t>, Box<Diagnostic>> {
    let say = |broken: Broken| {
        let diagnostic = broken.code.error(file, lines.range(broken.place), broken.message);
        let Some((name, tag)) = broken.opened else {
            return diagnostic;
        };
        let message = format!("`{name}` is opened here");
        diagnostic.related(Related {
            message,
            file: file.to_owned(),
            range: Some(lines.range(tag)),
        })
    };
    let mut builder = Builder {
        text,
        reader: NsReader::from_str(text),
        open: Vec::new(),
        addresses: HashSet::new(),
        begun: false,
        root: None,
        elements: 0,
    };
    builder.run().map_err(|broken| Box::new(say(broken)))?;
    builder.root.ok_or_else(|| {
        let what = if text.trim().is_empty() {
            "the file is empty"
        } else {
            "the file has no element"
        };
        say(Broken::xml(text.len()..text.len(), what)).into()
    })
}

struct Builder<'t> {
    text: &'t str,
    reader: NsReader<&'t [u8]>,
    open: Vec<Element<'t>>,
    /// The namespaces' addresses that were met, each once.
    addresses: HashSet<Arc<str>>,
    /// Whether the root's opening tag has been read.
    begun: bool,
    /// The root, once it has ended.
    root: Option<Element<'t>>,
    elements: usize,
}

impl<'t> Builder<'t> {
    fn run(&mut self) -> Result<(), Broken> {
        if let Some((at, c)) = self.text.char_indices().find(|&(_, c)| !is_xml_char(c)) {
            let message = format!("the character U+{:04X} is not allowed in XML", u32::from(c));
            return Err(Broken::xml(at..at + c.len_utf8(), message));
        }
        loop {
            let start = self.offset();
            let event = self.reader.read_event().map_err(|error| self.broken(&error))?;
            let here = start..self.offset();
            match event {
                Event::Start(tag) => self.start(&tag, here)?,
                Event::Empty(tag) => {
                    let end = here.end;
                    self.start(&tag, here)?;
                    self.end(end);
                }
                Event::End(_) => self.end(here.end),
                Event::Text(text) => {
                    self.text_outside(&here, text.trim().is_empty())?;
                    let value = Cow::Borrowed(self.text.get(here.clone()).unwrap_or_default());
                    self.text(value, here);
                }
                Event::CData(data) => {
                    self.text_outside(&here, false)?;
                    let from = here.start + "<![CDATA[".len();
                    let value = Cow::Borrowed(self.text.get(from..from + data.len()).unwrap_or_default());
                    self.text(value, here);
                }
                Event::GeneralRef(reference) => {
                    self.text_outside(&here, false)?;
                    let meant = match reference.resolve_char_ref() {
                        Ok(Some(c)) => Some(c.to_string()).filter(|_| is_xml_char(c)),
                        Ok(None) => resolve_predefined_entity(&reference).map(str::to_owned),
                        Err(_) => None,
                    };
                    let Some(meant) = meant else {
                        return Err(Broken::xml(
                            here,
                            format!("`&{};` stands for nothing", &*reference),
                        ));
                    };
                    self.text(Cow::Owned(meant), here);
                }
                Event::Decl(_) => {
                    if here.start != 0 {
                        return Err(Broken::xml(
                            here,
                            "the XML declaration must be the first thing in the file",
                        ));
                    }
                }
                Event::DocType(_) => {
                    return Err(Broken::new(
                        &codes::DOCTYPE,
                        here,
                        "the file has a document type declaration",
                    ));
                }
                Event::Comment(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        let Some(open) = self.open.last() else {
            return Ok(());
        };
        let end = self.text.len();
        let mut broken = Broken::xml(end..end, format!("the file ends inside `{}`", open.name));
        broken.opened = Some((open.name.to_owned(), open.tag.clone()));
        Err(broken)
    }

    fn start(&mut self, tag: &BytesStart<'_>, here: Range<usize>) -> Result<(), Broken> {
        if self.open.is_empty() && self.begun {
            return Err(Broken::xml(
                here,
                "there is a second root element: XML has exactly one",
            ));
        }
        self.begun = true;
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let message = format!("the file has more than {MAX_ELEMENTS} elements");
            return Err(Broken::new(&codes::FILE_TOO_LARGE, here, message));
        }
        if self.open.len() == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} elements are nested in each other");
            return Err(Broken::new(&codes::TOO_DEEP, here, message));
        }
        let name = tag.name();
        if !is_name(name.into_inner()) {
            return Err(Broken::xml(
                here,
                format!("`{}` is not a name of an element", name.into_inner()),
            ));
        }
        let mut element = Element {
            namespace: Namespace::None,
            uri: Arc::from(""),
            name: "",
            attributes: Vec::new(),
            declarations: Vec::new(),
            children: Vec::new(),
            texts: Vec::new(),
            span: here.clone(),
            tag: here,
        };
        self.attributes(tag, &mut element)?;
        let here = &element.tag;
        let (resolved, local) = self.reader.resolver().resolve_element(name);
        let uri = address(&resolved, here)?.into_owned();
        element.name = self.slice(here, tag, local.into_inner());
        (element.namespace, element.uri) = self.intern(&uri);
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self, at: usize) {
        // quick-xml has matched the names already.
        let Some(mut element) = self.open.pop() else {
            return;
        };
        element.span.end = at;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, value: Cow<'t, str>, span: Range<usize>) {
        if let Some(element) = self.open.last_mut() {
            let after = element.children.len();
            element.texts.push(Text { value, span, after });
        }
    }

    /// The namespace, and the one copy of its address.
    fn intern(&mut self, uri: &str) -> (Namespace, Arc<str>) {
        let uri = self.addresses.get(uri).cloned().unwrap_or_else(|| {
            let new: Arc<str> = Arc::from(uri);
            self.addresses.insert(Arc::clone(&new));
            new
        });
        let namespace = if uri.is_empty() {
            Namespace::None
        } else {
            Namespace::of(&uri)
        };
        (namespace, uri)
    }

    fn attributes(&mut self, tag: &BytesStart<'_>, element: &mut Element<'t>) -> Result<(), Broken> {
        let here = &element.tag.clone();
        for (before, attribute) in tag.attributes().enumerate() {
            // Each is compared with all before it.
            if before == MAX_ATTRIBUTES {
                let message = format!("the element has more than {MAX_ATTRIBUTES} attributes");
                return Err(Broken::new(&codes::FILE_TOO_LARGE, here.clone(), message));
            }
            let attribute = attribute.map_err(|error| {
                // Its positions count from the tag's name.
                let at = here.start + 1 + attribute_error_offset(&error);
                Broken::xml(at.min(here.end)..here.end, describe(&error))
            })?;
            let key = attribute.key.into_inner();
            let from = offset_in(tag, key);
            let raw_end = offset_in(tag, &attribute.value) + attribute.value.len();
            let range = here.start + 1 + from..(here.start + 1 + raw_end + 1).min(here.end);
            if attribute.value.contains('<') {
                return Err(Broken::xml(
                    range,
                    format!("the value of `{key}` contains `<`: write `&lt;`"),
                ));
            }
            if !is_name(key) {
                return Err(Broken::xml(
                    range,
                    format!("`{key}` is not a name of an attribute"),
                ));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| Broken::xml(range.clone(), format!("the value of `{key}`: {error}")))?;
            if let Some(c) = value.chars().find(|&c| !is_xml_char(c)) {
                let message = format!("the character U+{:04X} is not allowed in XML", u32::from(c));
                return Err(Broken::xml(range, message));
            }
            if let Some(prefix) = attribute.key.as_namespace_binding() {
                let prefix = match prefix {
                    PrefixDeclaration::Default => None,
                    PrefixDeclaration::Named(prefix) => Some(self.slice(here, tag, prefix)),
                };
                let (_, uri) = self.intern(&value);
                element.declarations.push(Declaration { prefix, uri, range });
                continue;
            }
            let (resolved, local) = self.reader.resolver().resolve_attribute(attribute.key);
            let uri = address(&resolved, &range)?.into_owned();
            let name = self.slice(here, tag, local.into_inner());
            let (namespace, uri) = self.intern(&uri);
            if element
                .attributes
                .iter()
                .any(|it| it.name == name && it.uri == uri)
            {
                return Err(Broken::xml(range, "the attribute is there twice"));
            }
            element.attributes.push(Attribute {
                namespace,
                uri,
                name,
                value: match value {
                    Cow::Borrowed(value) => Cow::Borrowed(self.slice(here, tag, value)),
                    Cow::Owned(value) => Cow::Owned(value),
                },
                range,
            });
        }
        Ok(())
    }

    fn text_outside(&self, here: &Range<usize>, harmless: bool) -> Result<(), Broken> {
        if harmless || !self.open.is_empty() {
            return Ok(());
        }
        let at = here.start + (self.text[here.clone()].len() - self.text[here.clone()].trim_start().len());
        let message = if self.begun {
            "text after the root element"
        } else {
            "this is not XML"
        };
        Err(Broken::xml(at..here.end, message))
    }

    /// The part of the text that an event's piece is: events borrow from the tag, the tree from the text.
    fn slice(&self, here: &Range<usize>, tag: &BytesStart<'_>, piece: &str) -> &'t str {
        let from = here.start + 1 + offset_in(tag, piece);
        self.text.get(from..from + piece.len()).unwrap_or_default()
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position())
            .unwrap_or(usize::MAX)
            .min(self.text.len())
    }

    fn broken(&self, error: &quick_xml::Error) -> Broken {
        let at = usize::try_from(self.reader.error_position())
            .unwrap_or(usize::MAX)
            .min(self.text.len());
        let at = self.text.floor_char_boundary(at);
        let end = at + self.text[at..].chars().next().map_or(0, char::len_utf8);
        let mut broken = Broken::xml(at..end, error.to_string());
        if let quick_xml::Error::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) = error {
            broken.message = format!("`{expected}` is closed by `</{found}>`");
            broken.place.end = self.offset();
            broken.opened = self.open.last().map(|it| (it.name.to_owned(), it.tag.clone()));
        }
        broken
    }
}

/// The address that a name's prefix stands for. quick-xml gives it as it is written: references in it are resolved
/// here, or a namespace could be spelt so that this reader and the engine take it for two.
fn address<'r>(resolved: &'r ResolveResult<'r>, place: &Range<usize>) -> Result<Cow<'r, str>, Broken> {
    match resolved {
        ResolveResult::Unbound => Ok(Cow::Borrowed("")),
        ResolveResult::Bound(uri) => {
            let written = uri.into_inner();
            let declaration = XmlAttribute {
                key: QName("xmlns"),
                value: Cow::Borrowed(written),
            };
            declaration
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| Broken::xml(place.clone(), format!("the namespace `{written}`: {error}")))
        }
        ResolveResult::Unknown(prefix) => Err(Broken::xml(
            place.clone(),
            format!("the prefix `{prefix}` is not declared: xmlns:{prefix}=\"…\" is missing"),
        )),
    }
}

/// Where in the tag a piece of it lies. Both point into the same text, so this is plain subtraction.
fn offset_in(tag: &str, piece: &str) -> usize {
    (piece.as_ptr() as usize).saturating_sub(tag.as_ptr() as usize)
}
