//! Every kind of finding that reading a BPMN file can give: its code, and what to do about it.

use diagnostics::{Diagnostic, Range};

/// A kind of finding. Codes are stable: scripts and configurations name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The code in kebab-case.
    pub code: &'static str,
    /// What to do about it.
    pub help: &'static str,
}

impl Code {
    pub(crate) fn error(&self, file: &str, range: impl Into<Option<Range>>, message: String) -> Diagnostic {
        Diagnostic::error(self.code, file, message)
            .at(range)
            .help(self.help)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $help:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code { code: $code, help: $help };)*

        /// All of them, in the order of this page.
        pub const ALL: &[Code] = &[$($name),*];
    };
}

codes! {
    /// The file is larger than the reader takes, in bytes or in elements.
    FILE_TOO_LARGE = "file-too-large",
        "split the model: move parts into processes of their own and reach them by call activities";
    /// The file's bytes are not UTF-8.
    NOT_UTF8 = "not-utf8",
        "save the file as UTF-8";
    /// The file is not well-formed XML.
    NOT_XML = "not-xml",
        "open the file in a text editor at this place and repair it, or save it anew with Camunda Modeler";
    /// The file has a document type declaration, through which XML can reach other files.
    DOCTYPE = "doctype",
        "remove the <!DOCTYPE …> declaration: BPMN needs none";
    /// Elements are nested deeper than the reader takes.
    TOO_DEEP = "too-deep",
        "move the inner subprocesses into processes of their own and reach them by call activities";
    /// The root element is not BPMN's `definitions`.
    NOT_BPMN = "not-bpmn",
        "give a BPMN 2.0 file, such as Camunda Modeler saves for Camunda Platform 7";
    /// The file has no process.
    NO_PROCESS = "no-process",
        "add a process with at least a start event; a diagram with empty pools alone cannot run";
    /// The file has processes, but the engine would skip them all in silence.
    NO_EXECUTABLE_PROCESS = "no-executable-process",
        "set isExecutable=\"true\" on the process (in Camunda Modeler: select the process, tick Executable)";
    /// A process has no id, so that nothing could start it.
    MISSING_PROCESS_ID = "missing-process-id",
        "give the process an id: it is the key by which it is started";
    /// The engine has no room for an id of that length.
    PROCESS_ID_TOO_LONG = "process-id-too-long",
        "give the process a shorter id: it is the key by which it is started";
    /// The engine refuses a process that does not say how long to keep its history (since Camunda 7.20).
    MISSING_HISTORY_TIME_TO_LIVE = "missing-history-time-to-live",
        "set camunda:historyTimeToLive on the process, such as P30D for thirty days";
    /// The engine cannot read how long to keep the history.
    INVALID_HISTORY_TIME_TO_LIVE = "invalid-history-time-to-live",
        "give whole days, as a number or like P30D: no other unit, no negative number";
    /// The engine takes an extension property without a name, and then cannot hand out the task: every worker that
    /// asks for its topic gets an error instead of tasks.
    NAMELESS_PROPERTY = "nameless-property",
        "give the property a name, or remove it";
    /// A part of `procos:security` that nobody reads: a policy with a misspelt rule is no policy.
    SECURITY_UNKNOWN_ELEMENT = "security-unknown-element",
        "write procos:security as docs and Modeler's descriptor have it: allowedTasks/task{topic, sandboxLevel}, dataClassification{level}, accessControl{roles}, encrypted{variables}";
    /// A level that is none.
    SECURITY_UNKNOWN_LEVEL = "security-unknown-level",
        "use one of the levels that the message lists, in small letters";
    /// A rule without what it rules.
    SECURITY_INCOMPLETE = "security-incomplete",
        "give the attribute that the message names, or remove the rule";
    /// Two policies: which of them counts would be a guess.
    SECURITY_TWICE = "security-twice",
        "put all rules into one procos:security";
    /// An expression that the engine could not read, or that is too deep to be judged.
    EXPRESSION_SYNTAX = "expression-syntax",
        "repair the expression; where plain text is meant, write \\${ for ${";
    /// An expression that calls what is not on the list of what only reads data.
    EXPRESSION_CALL = "expression-call",
        "compute it in a task before, such as json_transform or python_script, and let the expression read the variable";
    /// An expression that reads an entry whose name it computes.
    EXPRESSION_COMPUTED_KEY = "expression-computed-key",
        "write the key as a text in quotes or a number, or pick the entry in a task before and read the variable";
    /// An expression that reaches for classes, class loaders, the engine or its services.
    EXPRESSION_FORBIDDEN_NAME = "expression-forbidden-name",
        "let a worker do it: an external task with a topic; rename the property where it is data of yours";
    /// An expression that uses the engine's own objects for more than ids, the business key and variables.
    EXPRESSION_ENGINE_OBJECT = "expression-engine-object",
        "read a variable by its name; of execution pass the ids, businessKey, getVariable and hasVariable alone";
    /// An expression that names what engines have as beans.
    EXPRESSION_BEAN = "expression-bean",
        "hand in what the process needs as a variable, under another name";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_in_kebab_case() {
        let unique: BTreeSet<_> = ALL.iter().map(|it| it.code).collect();
        assert_eq!(unique.len(), ALL.len());
        for code in unique {
            assert!(
                code.chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'),
                "{code}"
            );
        }
    }
}
