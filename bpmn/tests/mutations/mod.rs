//! Models made to get past the gate: a clean model, in which one thing that runs code is put at every place where the
//! engine would run it, in every spelling that means the same to the engine. The gate's test refuses them all; the
//! end-to-end tests show on an open engine that they would have run.

mod spellings;

pub(crate) use spellings::SPELLINGS;

/// The model without any of it. A hole is a name in double braces.
pub(crate) const CLEAN: &str = include_str!("../files/clean.bpmn.in");

/// What runs code: a line each with the finding, the element that it is at (`-` for none), the hole of the model that
/// it goes into, and itself. `¶` is a line's end, `§` stands where the finding has to be, `⟦` and `⟧` enclose text that
/// can be written as CDATA, or with comments in it.
const SURFACES: &str = include_str!("../files/surfaces.txt");

/// One thing that runs code.
pub(crate) struct Surface {
    /// The finding.
    pub(crate) code: &'static str,
    /// The element that it is at; empty for none.
    pub(crate) element: &'static str,
    /// The hole that it goes into.
    pub(crate) hole: &'static str,
    /// What goes there.
    pub(crate) what: String,
}

/// All of them.
pub(crate) fn surfaces() -> Vec<Surface> {
    let lines = SURFACES.lines().filter(|it| !it.starts_with('#'));
    lines
        .map(|line| {
            let [code, element, hole, what] = line.splitn(4, " | ").collect::<Vec<_>>().try_into().unwrap();
            Surface {
                code,
                element: element.trim_matches('-'),
                hole,
                what: what.replace('¶', "\n"),
            }
        })
        .collect()
}

/// Puts something into a hole of a clean model, and closes the other holes. The place of the finding is still marked.
pub(crate) fn model(clean: &str, hole: &str, what: &str, spelling: fn(&str) -> String) -> String {
    let filled = clean.replace(&format!("{{{{{hole}}}}}"), what);
    assert!(hole.is_empty() || filled != clean, "there is no hole {hole}");
    // A thing that is there already gives way to the one under trial.
    let attribute = what
        .split_once('§')
        .and_then(|(_, rest)| rest.split_once('='))
        .map(|(name, _)| name);
    let filled = match attribute.filter(|_| hole.starts_with("attr:")) {
        Some(name) => without(&filled, name),
        None => filled,
    };
    let mut text = spelling(&filled).replace(['⟦', '⟧'], "");
    while let Some(at) = text.find("{{") {
        let end = text[at..].find("}}").unwrap() + at + 2;
        text.replace_range(at..end, "");
    }
    text
}

/// Removes an attribute that stands on the same tag before the one under trial.
fn without(text: &str, name: &str) -> String {
    let at = text.find('§').unwrap();
    let tag = text[..at].rfind('<').unwrap();
    let Some(found) = text[tag..at].find(&format!(" {name}=\"")) else {
        return text.to_owned();
    };
    let from = tag + found;
    let value = from + name.len() + 3;
    let to = value + text[value..].find('"').unwrap() + 1;
    format!("{}{}", &text[..from], &text[to..])
}
