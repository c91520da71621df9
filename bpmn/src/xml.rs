//! A tree of elements with positions, out of quick-xml's events.

use std::borrow::Cow;
use std::ops::Range;

use diagnostics::{Diagnostic, LineIndex, Related};
use quick_xml::XmlVersion;
use quick_xml::errors::IllFormedError;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::attributes::AttrError;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::codes::{self, Code};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// How many elements may be nested in each other.
pub const MAX_DEPTH: usize = 256;
/// How many elements a file may have. Camunda 7.24 with the usual heap of 512 MiB takes a file full of user tasks
/// as large as this in some ten seconds, and runs out of memory at two and a half times as many.
pub const MAX_ELEMENTS: usize = 20_000;

const BPMN: &str = "http://www.omg.org/spec/BPMN/20100524/MODEL";
const CAMUNDA: &str = "http://camunda.org/schema/1.0/bpmn";
/// Camunda's name before it left Activiti; the engine reads it as its own (`BpmnParse.CAMUNDA_BPMN_EXTENSIONS_NS`).
const ACTIVITI: &str = "http://activiti.org/bpmn";

/// Whose name it is. Prefixes are resolved: they carry no meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Namespace {
    None,
    Bpmn,
    Camunda,
    Other,
}

/// One element. Text is checked, and kept of the elements alone that something is read of.
#[derive(Debug)]
pub(crate) struct Element<'t> {
    pub(crate) namespace: Namespace,
    pub(crate) name: &'t str,
    pub(crate) attributes: Vec<Attribute<'t>>,
    pub(crate) children: Vec<Element<'t>>,
    /// Its own text with references resolved, where it is one whose text is kept: `camunda:inputParameter`.
    pub(crate) text: String,
    /// The opening tag, in bytes.
    pub(crate) tag: Range<usize>,
}

/// One attribute, its value with references resolved.
#[derive(Debug)]
pub(crate) struct Attribute<'t> {
    pub(crate) namespace: Namespace,
    pub(crate) name: &'t str,
    pub(crate) value: Cow<'t, str>,
    /// Name, equals sign and quoted value, in bytes.
    pub(crate) range: Range<usize>,
}

impl<'t> Element<'t> {
    pub(crate) fn is(&self, namespace: Namespace, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    pub(crate) fn attribute(&self, namespace: Namespace, name: &str) -> Option<&Attribute<'t>> {
        self.attributes
            .iter()
            .find(|it| it.namespace == namespace && it.name == name)
    }

    /// The value of an attribute without a prefix, as BPMN's own are written.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.attribute(Namespace::None, name).map(|it| &*it.value)
    }

    pub(crate) fn children(&self, namespace: Namespace, name: &str) -> impl Iterator<Item = &Element<'t>> {
        self.children.iter().filter(move |it| it.is(namespace, name))
    }
}

/// The root element, and the namespace it is in (empty for none).
#[derive(Debug)]
pub(crate) struct Document<'t> {
    pub(crate) root: Element<'t>,
    pub(crate) namespace: String,
}

/// Decodes the bytes; a byte order mark goes.
pub(crate) fn decode<'t>(file: &str, bytes: &'t [u8]) -> Result<&'t str, Box<Diagnostic>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.len() > MAX_BYTES {
        let message = format!(
            "the file has {} bytes, {MAX_BYTES} is the most that is read",
            bytes.len()
        );
        return Err(codes::FILE_TOO_LARGE.error(file, None, message).into());
    }
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(codes::NOT_UTF8
            .error(file, None, "the file is UTF-16, not UTF-8".into())
            .into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let (good, bad) = bytes.split_at(error.valid_up_to());
        let good = std::str::from_utf8(good).unwrap_or_default();
        let place = LineIndex::new(good).range(good.len()..good.len());
        let byte = bad.first().copied().unwrap_or_default();
        codes::NOT_UTF8
            .error(file, place, format!("byte 0x{byte:02X} is not UTF-8 here"))
            .into()
    })
}

/// Reads the whole document, or says where it breaks. What does not keep it from being read goes to `findings`.
pub(crate) fn parse<'t>(
    file: &str,
    text: &'t str,
    lines: &LineIndex<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Result<Document<'t>, Box<Diagnostic>> {
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
        namespace: None,
        root: None,
        elements: 0,
        encoding: None,
    };
    let result = builder.run();
    findings.extend(builder.encoding.map(say));
    result.map_err(|broken| Box::new(say(broken)))?;
    let Some(root) = builder.root else {
        let what = if text.trim().is_empty() {
            "the file is empty"
        } else {
            "the file has no element"
        };
        return Err(say(Broken::xml(text.len()..text.len(), what)).into());
    };
    Ok(Document {
        root,
        namespace: builder.namespace.unwrap_or_default(),
    })
}

struct Broken {
    code: &'static Code,
    place: Range<usize>,
    message: String,
    /// The element that should have ended here, and its opening tag.
    opened: Option<(String, Range<usize>)>,
}

impl Broken {
    fn new(code: &'static Code, place: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            place,
            message: message.into(),
            opened: None,
        }
    }

    fn xml(place: Range<usize>, message: impl Into<String>) -> Self {
        Self::new(&codes::NOT_XML, place, message)
    }
}

struct Builder<'t> {
    text: &'t str,
    reader: NsReader<&'t [u8]>,
    open: Vec<Element<'t>>,
    /// The root's namespace, from its opening tag on.
    namespace: Option<String>,
    /// The root, once it has ended.
    root: Option<Element<'t>>,
    elements: usize,
    /// What is wrong with the declared encoding.
    encoding: Option<Broken>,
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
                    self.start(&tag, here)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => {
                    self.keep(&text);
                    self.text_outside(here, text.trim().is_empty())?;
                }
                Event::CData(text) => {
                    self.keep(&text);
                    self.text_outside(here, false)?;
                }
                Event::GeneralRef(reference) => {
                    self.text_outside(here.clone(), false)?;
                    let stands_for = match reference.resolve_char_ref() {
                        Ok(Some(c)) if is_xml_char(c) => Some(c.to_string()),
                        Ok(None) => resolve_predefined_entity(&reference).map(str::to_owned),
                        Ok(Some(_)) | Err(_) => None,
                    };
                    let Some(text) = stands_for else {
                        return Err(Broken::xml(
                            here,
                            format!("`&{};` stands for nothing", &*reference),
                        ));
                    };
                    self.keep(&text);
                }
                Event::Decl(declaration) => {
                    if here.start != 0 {
                        return Err(Broken::xml(
                            here,
                            "the XML declaration must be the first thing in the file",
                        ));
                    }
                    let encoding = declaration.encoding().and_then(Result::ok);
                    if let Some(name) = encoding.filter(|name| self.misread(name)) {
                        let message =
                            format!("the file says that its encoding is {name}, only UTF-8 is read");
                        self.encoding = Some(Broken::new(&codes::NOT_UTF8, here, message));
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
        if self.open.is_empty() && self.namespace.is_some() {
            return Err(Broken::xml(
                here,
                "there is a second root element: XML has exactly one",
            ));
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            let message = format!("the file has more than {MAX_ELEMENTS} elements");
            return Err(Broken::new(&codes::FILE_TOO_LARGE, here, message));
        }
        if self.open.len() == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} elements are nested in each other");
            return Err(Broken::new(&codes::TOO_DEEP, here, message));
        }
        let attributes = self.attributes(tag, &here)?;
        let name = tag.name();
        if !is_name(name.into_inner()) {
            return Err(Broken::xml(
                here,
                format!("`{}` is not a name of an element", name.into_inner()),
            ));
        }
        let (resolved, local) = self.reader.resolver().resolve_element(name);
        let namespace = namespace(&resolved, &here)?;
        if self.open.is_empty() {
            self.namespace = Some(match resolved {
                ResolveResult::Bound(uri) => uri.into_inner().to_owned(),
                _ => String::new(),
            });
        }
        let name = self.slice(&here, tag, local.into_inner());
        self.open.push(Element {
            namespace,
            name,
            attributes,
            children: Vec::new(),
            text: String::new(),
            tag: here,
        });
        Ok(())
    }

    fn keep(&mut self, text: &str) {
        let open = self.open.last_mut();
        if let Some(element) = open.filter(|it| it.is(Namespace::Camunda, "inputParameter")) {
            element.text.push_str(text);
        }
    }

    fn end(&mut self) {
        // quick-xml has matched the names already.
        let Some(element) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
    }

    fn attributes(&self, tag: &BytesStart<'_>, here: &Range<usize>) -> Result<Vec<Attribute<'t>>, Broken> {
        let mut attributes = Vec::new();
        for attribute in tag.attributes() {
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
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (resolved, local) = self.reader.resolver().resolve_attribute(attribute.key);
            attributes.push(Attribute {
                namespace: namespace(&resolved, &range)?,
                name: self.slice(here, tag, local.into_inner()),
                value: match value {
                    Cow::Borrowed(value) => Cow::Borrowed(self.slice(here, tag, value)),
                    Cow::Owned(value) => Cow::Owned(value),
                },
                range,
            });
        }
        Ok(attributes)
    }

    fn text_outside(&self, here: Range<usize>, harmless: bool) -> Result<(), Broken> {
        if harmless || !self.open.is_empty() {
            return Ok(());
        }
        let at = here.start + (self.text[here.clone()].len() - self.text[here.clone()].trim_start().len());
        let message = if self.namespace.is_some() {
            "text after the root element"
        } else {
            "this is not XML"
        };
        Err(Broken::xml(at..here.end, message))
    }

    /// Whether a declared encoding makes other characters of these bytes than UTF-8 does. What the engine hands
    /// out has been decoded already, so this is said but does not keep anybody from reading on.
    fn misread(&self, encoding: &str) -> bool {
        let same = ["utf-8", "utf8", "us-ascii"]
            .iter()
            .any(|it| encoding.eq_ignore_ascii_case(it));
        let wide = encoding.to_ascii_lowercase().starts_with("utf-16");
        !same && (wide || !self.text.is_ascii())
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

fn namespace(resolved: &ResolveResult<'_>, place: &Range<usize>) -> Result<Namespace, Broken> {
    match resolved {
        ResolveResult::Unbound => Ok(Namespace::None),
        ResolveResult::Bound(uri) => Ok(match uri.into_inner() {
            BPMN => Namespace::Bpmn,
            CAMUNDA | ACTIVITI => Namespace::Camunda,
            _ => Namespace::Other,
        }),
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

/// XML 1.0's Char.
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether it can be a name, by its beginning: enough to tell a name from `<1>` or `a < b`.
fn is_name(name: &str) -> bool {
    name.split(':')
        .all(|part| part.starts_with(|c: char| c == '_' || c.is_alphabetic()))
}

fn attribute_error_offset(error: &AttrError) -> usize {
    match error {
        AttrError::ExpectedEq(at)
        | AttrError::ExpectedValue(at)
        | AttrError::UnquotedValue(at)
        | AttrError::ExpectedQuote(at, _)
        | AttrError::Duplicated(at, _) => *at,
    }
}

fn describe(error: &AttrError) -> String {
    match error {
        AttrError::ExpectedEq(_) => "an attribute needs `=` and a value in quotes".into(),
        AttrError::ExpectedValue(_) => "an attribute's value is missing after `=`".into(),
        AttrError::UnquotedValue(_) => "an attribute's value must be in quotes".into(),
        AttrError::ExpectedQuote(..) => "an attribute's value has no closing quote".into(),
        AttrError::Duplicated(..) => "the attribute is there twice".into(),
    }
}
