//! A file's elements, attributes and text with their places.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use diagnostics::{Diagnostic, LineIndex};

use crate::xml::{self, CAMUNDA, Namespace};

/// An XML file as it was read: everything that can carry meaning, with its place. Comments and processing
/// instructions carry none; they are in the text alone.
#[derive(Debug)]
pub struct Tree<'t> {
    text: &'t str,
    lines: LineIndex<'t>,
    root: Element<'t>,
}

impl<'t> Tree<'t> {
    /// Reads a file's text, which [`decode`](crate::decode) gives. `file` is what the finding calls it. What encoding
    /// the text declares does not matter any more, and a byte order mark that is still there goes. Never panics,
    /// whatever the text.
    ///
    /// # Errors
    /// Where the text is not well-formed XML within the limits.
    pub fn read(file: &str, text: &'t str) -> Result<Self, Box<Diagnostic>> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = LineIndex::new(text);
        let root = xml::parse(file, text, &lines)?;
        Ok(Self { text, lines, root })
    }

    /// The file's text, without a byte order mark: what places count in.
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The outermost element.
    pub fn root(&self) -> &Element<'t> {
        &self.root
    }

    /// Where a stretch of the text lies, in lines and columns.
    pub fn range(&self, bytes: Range<usize>) -> diagnostics::Range {
        self.lines.range(bytes)
    }

    pub(crate) fn lines(&self) -> &LineIndex<'t> {
        &self.lines
    }
}

/// One element.
#[derive(Debug)]
pub struct Element<'t> {
    /// Whose name it is.
    pub namespace: Namespace,
    /// The namespace's address, with references resolved; empty for none.
    pub uri: Arc<str>,
    /// The name without its prefix.
    pub name: &'t str,
    /// The attributes without the declarations of namespaces, in the order of the file.
    pub attributes: Vec<Attribute<'t>>,
    /// The namespaces that the tag declares.
    pub declarations: Vec<Declaration<'t>>,
    /// The elements inside.
    pub children: Vec<Element<'t>>,
    /// The pieces of text directly inside.
    pub texts: Vec<Text<'t>>,
    /// The opening tag, in bytes.
    pub tag: Range<usize>,
    /// From the opening tag to the closing one, in bytes.
    pub span: Range<usize>,
}

/// One attribute.
#[derive(Debug)]
pub struct Attribute<'t> {
    /// Whose name it is; without a prefix nobody's.
    pub namespace: Namespace,
    /// The namespace's address, with references resolved; empty for none.
    pub uri: Arc<str>,
    /// The name without its prefix.
    pub name: &'t str,
    /// The value with its references resolved; borrowed where it stands in the file letter by letter.
    pub value: Cow<'t, str>,
    /// Name, equals sign and quoted value, in bytes.
    pub range: Range<usize>,
}

/// A declaration of a namespace: `xmlns="…"` or `xmlns:prefix="…"`.
#[derive(Debug)]
pub struct Declaration<'t> {
    /// The prefix; none for the default namespace.
    pub prefix: Option<&'t str>,
    /// The address with its references resolved.
    pub uri: Arc<str>,
    /// Name, equals sign and quoted value, in bytes.
    pub range: Range<usize>,
}

/// A piece of text. Comments, processing instructions, references, CDATA sections and elements end one.
#[derive(Debug)]
pub struct Text<'t> {
    /// What it says; borrowed where it stands in the file letter by letter.
    pub value: Cow<'t, str>,
    /// Where it stands, in bytes: for CDATA with the marks around it.
    pub span: Range<usize>,
    /// How many child elements stand before it.
    pub after: usize,
}

impl<'t> Element<'t> {
    /// Whether it is called so.
    pub fn is(&self, namespace: Namespace, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The attribute with this name. Where one of Camunda's is there under both of its namespaces the newer counts,
    /// as in the engine (`Element.attributeNS`).
    pub fn attribute(&self, namespace: Namespace, name: &str) -> Option<&Attribute<'t>> {
        let mut found = self
            .attributes
            .iter()
            .filter(|it| it.namespace == namespace && it.name == name);
        let first = found.next()?;
        Some(found.find(|it| &*it.uri == CAMUNDA).unwrap_or(first))
    }

    /// The value of an attribute without a prefix, as BPMN's own are written.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.attribute(Namespace::None, name).map(|it| &*it.value)
    }

    /// The value of an attribute of Camunda's.
    pub fn camunda(&self, name: &str) -> Option<&str> {
        self.attribute(Namespace::Camunda, name).map(|it| &*it.value)
    }

    /// The child elements with this name.
    pub fn children<'e>(&'e self, namespace: Namespace, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |it| it.is(namespace, name))
    }

    /// The first child element with this name.
    pub fn child(&self, namespace: Namespace, name: &str) -> Option<&Self> {
        self.children.iter().find(|it| it.is(namespace, name))
    }

    /// The text directly inside, its pieces joined as the engine joins them.
    pub fn text(&self) -> Cow<'_, str> {
        match self.texts.as_slice() {
            [] => Cow::Borrowed(""),
            [one] => Cow::Borrowed(&one.value),
            many => Cow::Owned(many.iter().map(|it| &*it.value).collect()),
        }
    }

    /// The elements of the extensions.
    pub fn extensions(&self) -> impl Iterator<Item = &Self> {
        self.children(Namespace::Bpmn, "extensionElements")
            .flat_map(|it| it.children.iter())
    }

    /// Itself and every element below, in the order of the file.
    pub fn descendants(&self) -> impl Iterator<Item = &Self> {
        let mut todo = vec![self];
        std::iter::from_fn(move || {
            let next = todo.pop()?;
            todo.extend(next.children.iter().rev());
            Some(next)
        })
    }
}
