//! Values and ids on one line.

use serde_json::Value as Json;

/// As many characters of an id as tell instances apart in practice; commands take them for the whole.
const SHORT_ID: usize = 8;

/// A value as compact JSON, cut to a number of characters. Control characters stand escaped, as JSON has them.
pub(crate) fn one_line(value: &Json, characters: usize) -> String {
    shorten(&value.to_string(), characters)
}

/// A text cut to a number of characters, an ellipsis in place of what is missing; line breaks and other control
/// characters become spaces, so that no text can play tricks with the terminal.
pub(crate) fn shorten(text: &str, characters: usize) -> String {
    let mut shown: String = text.chars().take(characters).map(printable).collect();
    if text.chars().nth(characters).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

/// The text with all control characters but line breaks and tabs made harmless.
pub(crate) fn harmless(text: &str) -> String {
    let keep = |c| matches!(c, '\n' | '\t');
    text.chars()
        .map(|c| if keep(c) { c } else { printable(c) })
        .collect()
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// The beginning of an id.
pub(crate) fn short_id(id: &str) -> &str {
    id.char_indices().nth(SHORT_ID).map_or(id, |(end, _)| &id[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_characters_and_cannot_steer_the_terminal() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("a\u{1b}[2J\nb", 20), "a [2J b");
        assert_eq!(harmless("a\n\u{1b}[2J"), "a\n [2J");
        assert_eq!(one_line(&serde_json::json!({"a": "x\ny"}), 20), r#"{"a":"x\ny"}"#);
    }

    #[test]
    fn an_id_is_known_by_its_beginning() {
        assert_eq!(short_id("735d8ccd-e56e-11f1-a45b-02fc00000001"), "735d8ccd");
        assert_eq!(short_id("abc"), "abc");
    }
}
