//! What is said between us and the harness in a sandbox: an order on standard input, an answer on standard output.
//!
//! The harness (`harness/`) is an interpreter's own program, so both are made for the poorest of them, a shell:
//!
//! ```text
//! → ready␤                                     the harness, on standard output, when it can take an order
//! ← MARK␤                                      32 hexadecimal digits, other ones for each run
//!   NAME␤                                      of the script
//!   SCRIPT INPUTS FILES OUTPUTS VARIABLES␤     bytes, bytes, and how many lines follow of each
//!   BYTES NAME␤                                a line for each file
//!   PATH␤                                      a line for each file to bring back
//!   VARIABLE␤                                  a line for each variable of the result
//!   …                                          the script, the inputs as JSON, each file
//! → …                                          what the script prints, on both streams
//! → MARK                                       on standard error: nothing more comes here
//! → MARK BYTES␤{…}                             on standard output: the answer, of so many bytes
//! ```
//!
//! The answer is an object: `result` (absent: what the script printed is the result), or `error` with `kind`, `message`,
//! `line`, `traceback`, or `limit` (`memory`, `processes`) where the harness knows which one it was; and `files`, base64 or
//! null in the order asked for. The script may say anything in place of the harness: it is its own answer that it forges.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memmem;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{Language, OutputFile, Script, ScriptError};

/// What the harness says first.
pub(crate) const READY: &[u8] = b"ready\n";

/// A mark that no script can know before it runs.
pub(crate) fn new_mark() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// An order that a harness can read.
pub(crate) fn order(script: &Script, mark: &str) -> Result<Vec<u8>, String> {
    let inputs = match script.language {
        Language::Scilab => crate::scilab::assignments(&script.inputs)?,
        _ => serde_json::to_string(&script.inputs).map_err(|error| format!("the inputs: {error}"))?,
    };
    let mut order = format!(
        "{mark}\n{}\n{} {} {} {} {}\n",
        one_line("the script's name", &script.name)?,
        script.source.len(),
        inputs.len(),
        script.files.len(),
        script.output_files.len(),
        script.result_variables.len(),
    );
    for file in &script.files {
        if file.name.contains('/') || matches!(file.name.as_str(), "" | "." | "..") {
            return Err(format!(
                "`{}` is no name of a file: it may hold no `/`",
                file.name
            ));
        }
        order += &format!(
            "{} {}\n",
            file.content.len(),
            one_line("a file's name", &file.name)?
        );
    }
    for path in &script.output_files {
        order += &format!("{}\n", one_line("a file to bring back", path)?);
    }
    for name in &script.result_variables {
        order += &format!("{}\n", one_line("a variable of the result", name)?);
    }
    let mut order = order.into_bytes();
    order.extend_from_slice(script.source.as_bytes());
    order.extend_from_slice(inputs.as_bytes());
    for file in &script.files {
        order.extend_from_slice(&file.content);
    }
    Ok(order)
}

fn one_line<'a>(what: &str, text: &'a str) -> Result<&'a str, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(format!(
            "{what} is {text:?}: it may be neither empty nor hold control characters"
        ));
    }
    Ok(text)
}

/// A stream that is read until its mark, and for standard output until the whole answer.
#[derive(Debug)]
pub(crate) struct Reader {
    mark: Vec<u8>,
    has_answer: bool,
    buffer: Vec<u8>,
    /// Where the search for the mark goes on.
    searched: usize,
    /// Where the mark stands.
    marked: Option<usize>,
    /// Where the answer begins, and how long it is.
    answer: Option<(usize, usize)>,
    /// Bytes that came when all had come.
    after: u64,
}

/// What is wrong with what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// More than is allowed.
    TooMuch,
    /// The answer's length cannot be read.
    NoLength,
}

impl Reader {
    /// For standard output.
    pub(crate) fn stdout(mark: &str) -> Self {
        Self::new(mark, true)
    }

    /// For standard error.
    pub(crate) fn stderr(mark: &str) -> Self {
        Self::new(mark, false)
    }

    fn new(mark: &str, has_answer: bool) -> Self {
        Self {
            mark: mark.as_bytes().to_vec(),
            has_answer,
            buffer: Vec::new(),
            searched: 0,
            marked: None,
            answer: None,
            after: 0,
        }
    }

    /// Takes what came. `allowed` bytes may be printed, and as many be in the answer.
    pub(crate) fn take(&mut self, bytes: &[u8], allowed: u64) -> Result<(), Wrong> {
        if self.is_complete() {
            // Nothing is to come any more, and nobody reads on for ever.
            self.after = self.after.saturating_add(bytes.len() as u64);
            return if self.after > allowed {
                Err(Wrong::TooMuch)
            } else {
                Ok(())
            };
        }
        self.buffer.extend_from_slice(bytes);
        let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
        if self.marked.is_none() {
            self.marked =
                memmem::find(&self.buffer[self.searched..], &self.mark).map(|at| at + self.searched);
            self.searched = self.buffer.len().saturating_sub(self.mark.len());
        }
        let printed = self.marked.unwrap_or(self.searched);
        if printed > allowed {
            return Err(Wrong::TooMuch);
        }
        let Some(marked) = self.marked.filter(|_| self.has_answer && self.answer.is_none()) else {
            return Ok(());
        };
        let from = marked + self.mark.len();
        // A length has at most 20 digits.
        let head = &self.buffer[from..self.buffer.len().min(from + 24)];
        match memchr::memchr(b'\n', head) {
            Some(end) => {
                let length = std::str::from_utf8(&head[..end])
                    .ok()
                    .and_then(|text| text.trim().parse::<usize>().ok())
                    .ok_or(Wrong::NoLength)?;
                if length > allowed {
                    return Err(Wrong::TooMuch);
                }
                self.answer = Some((from + end + 1, length));
                Ok(())
            }
            None if head.len() == 24 => Err(Wrong::NoLength),
            None => Ok(()),
        }
    }

    /// Whether all that can come has come.
    pub(crate) fn is_complete(&self) -> bool {
        match self.answer {
            Some((from, length)) => self.buffer.len() >= from.saturating_add(length),
            None => self.marked.is_some() && !self.has_answer,
        }
    }

    /// What was printed, before the mark.
    pub(crate) fn printed(&self) -> String {
        let end = self.marked.unwrap_or(self.buffer.len());
        String::from_utf8_lossy(&self.buffer[..end]).into_owned()
    }

    /// The answer, once it is complete.
    pub(crate) fn answer(&self) -> Option<&[u8]> {
        let (from, length) = self.answer?;
        self.buffer.get(from..from.saturating_add(length))
    }
}

/// An answer, as it stands in the frame.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    /// Present where the script has one, null or not.
    #[serde(default, deserialize_with = "present")]
    pub(crate) result: Option<Json>,
    #[serde(default)]
    pub(crate) error: Option<ScriptError>,
    #[serde(default)]
    pub(crate) limit: Option<crate::Limit>,
    #[serde(default)]
    files: Vec<Option<String>>,
}

fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

impl Answer {
    /// Reads it. Nesting deeper than 128 is refused.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        bounded(bytes)?;
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }

    /// The files that were asked for and are there.
    pub(crate) fn files(&self, asked: &[String]) -> Result<Vec<OutputFile>, String> {
        let there = asked.iter().zip(&self.files);
        let there = there.filter_map(|(name, content)| Some((name, content.as_ref()?)));
        there
            .map(|(name, content)| {
                let content = STANDARD
                    .decode(content)
                    .map_err(|error| format!("the file {name}: {error}"))?;
                Ok(OutputFile {
                    name: name.clone(),
                    content,
                })
            })
            .collect()
    }
}

/// What a value and an object take of our memory at most, in bytes, and how much all may take.
const VALUE: usize = 48;
const OBJECT: usize = 640;
const MOST_MEMORY: usize = 32 << 20;

/// Refuses JSON that would take far more memory than it has bytes: a mebibyte of empty lists in objects becomes a hundred.
pub(crate) fn bounded(json: &[u8]) -> Result<(), String> {
    let (mut in_text, mut escaped, mut memory) = (false, false, json.len());
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' if !in_text => memory += OBJECT,
            b'[' | b',' | b':' if !in_text => memory += VALUE,
            _ => {}
        }
    }
    if memory > MOST_MEMORY.max(json.len().saturating_mul(4)) {
        return Err("it has more values than can be passed on: bring it back as a file".to_owned());
    }
    Ok(())
}

/// Bytes as base64 in JSON, for serde's `with`.
pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map_err(serde::de::Error::custom)
    }
}
